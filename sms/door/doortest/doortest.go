// Package doortest starts real MariaDB and PostgreSQL servers for tests, on
// folders and ports of their own, never the system's. It starts one process a
// server, which ends with the test.
package doortest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // for the tests' own statements
	_ "github.com/jackc/pgx/v5/stdlib" // likewise
)

// startLimit is how long a server may take to be there.
const startLimit = 60 * time.Second

// Password is that of the servers' only user.
const Password = "geheim"

// Server is a database server of one test.
type Server struct {
	Driver string // as in callbox.yaml

	sqlName string // database/sql's
	address string // 127.0.0.1:PORT
	command *exec.Cmd
	start   func() *exec.Cmd
	signal  os.Signal // that ends it at once
	output  bytes.Buffer
	dsn     func(database string) string
	made    atomic.Int64
}

// missing skips a test for want of a program; where everything has to be there,
// it fails.
func missing(t testing.TB, program, pack string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: apt-get install %s", program, pack)
	}
	t.Skipf("%s is missing: apt-get install %s", program, pack)
}

func find(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// MariaDB starts a server; without one the test is skipped, in CI it fails.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	daemon := find("mariadbd", "/usr/sbin/mariadbd")
	install := find("mariadb-install-db", "/usr/bin/mariadb-install-db")
	if daemon == "" || install == "" {
		missing(t, "mariadbd", "mariadb-server")
	}
	dir, owner := folder(t, "mysql")
	data := filepath.Join(dir, "data")
	run(t, as(owner, install, "--no-defaults", "--datadir="+data, "--skip-test-db", "--auth-root-authentication-method=normal"))
	s := &Server{Driver: "mysql", sqlName: "mysql", address: freeAddress(t), signal: syscall.SIGKILL}
	_, port, _ := net.SplitHostPort(s.address)
	s.start = func() *exec.Cmd {
		return as(owner, daemon, "--no-defaults", "--datadir="+data, "--bind-address=127.0.0.1", "--port="+port,
			"--socket="+filepath.Join(dir, "s"), "--pid-file="+filepath.Join(dir, "pid"), "--character-set-server=utf8mb4")
	}
	s.dsn = func(database string) string { return "root@tcp(" + s.address + ")/" + database }
	s.Start(t)
	t.Cleanup(s.Stop)
	s.exec(t, "mysql", "ALTER USER root@localhost IDENTIFIED BY '"+Password+"'")
	s.dsn = func(database string) string { return "root:" + Password + "@tcp(" + s.address + ")/" + database }
	return s
}

// PostgreSQL starts a server; without one the test is skipped, in CI it fails.
func PostgreSQL(t testing.TB) *Server {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		missing(t, "initdb", "postgresql")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, owner := folder(t, "postgres")
	data, secret := filepath.Join(dir, "data"), filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(Password), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, as(owner, filepath.Join(bin, "initdb"), "-D", data, "-U", "erp", "-A", "scram-sha-256",
		"--pwfile="+secret, "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"))
	s := &Server{Driver: "postgres", sqlName: "pgx", address: freeAddress(t), signal: syscall.SIGQUIT}
	_, port, _ := net.SplitHostPort(s.address)
	s.start = func() *exec.Cmd {
		return as(owner, filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir)
	}
	s.dsn = func(database string) string {
		return "postgres://erp:" + Password + "@" + s.address + "/" + database
	}
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// folder is one that belongs to the server's own user, where the tests run as
// root: both servers refuse root.
func folder(t testing.TB, name string) (dir string, owner *syscall.Credential) {
	t.Helper()
	dir, err := os.MkdirTemp("", "callbox-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	if os.Geteuid() != 0 {
		return dir, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		t.Fatal(err)
	}
	return dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func as(owner *syscall.Credential, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: owner}
	return cmd
}

func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, out)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start starts a server that was stopped, where it was.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.output.Reset()
	s.command = s.start()
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	base := map[string]string{"mysql": "mysql", "pgx": "postgres"}[s.sqlName]
	for end := time.Now().Add(startLimit); ; time.Sleep(20 * time.Millisecond) {
		err := s.try(base, "SELECT 1")
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.Stop()
			t.Fatalf("%s did not start: %v\n%s", s.Driver, err, s.output.String())
		}
	}
}

// Stop ends the server at once, as a loss of power would.
func (s *Server) Stop() {
	if s.command == nil {
		return
	}
	_ = s.command.Process.Signal(s.signal) // one that has ended does not mind
	_ = s.command.Wait()                   // how it ended is no matter
	s.command = nil
}

// Pause stops the server's process in its tracks, or lets it go on.
func (s *Server) Pause(t testing.TB, on bool) {
	t.Helper()
	signal := syscall.SIGCONT
	if on {
		signal = syscall.SIGSTOP
	}
	if err := s.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) try(database, statement string) error {
	db, err := sql.Open(s.sqlName, s.dsn(database))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	return err
}

func (s *Server) exec(t testing.TB, database, statement string) {
	t.Helper()
	if err := s.try(database, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Database makes a fresh database and gives its DSN and a way to it.
func (s *Server) Database(t testing.TB) (dsn string, db *sql.DB) {
	t.Helper()
	name := fmt.Sprintf("tickets%d", s.made.Add(1))
	base := map[string]string{"mysql": "mysql", "pgx": "postgres"}[s.sqlName]
	s.exec(t, base, "CREATE DATABASE "+name)
	dsn = s.dsn(name)
	with := dsn
	if s.sqlName == "mysql" {
		with += "?multiStatements=true&parseTime=true"
	}
	db, err := sql.Open(s.sqlName, with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return dsn, db
}
