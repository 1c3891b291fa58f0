package storage_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"callbox/internal/guard"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// killRounds is how often the writing process is killed.
const killRounds = 10

func TestMain(m *testing.M) {
	if dir := os.Getenv("CALLBOX_TEST_WRITE_TO"); dir != "" {
		writeForEver(dir)
		return
	}
	os.Exit(m.Run())
}

// writeForEver prints each row's key when it is acknowledged.
func writeForEver(dir string) {
	err := storage.With(context.Background(), storage.Config{Dir: dir}, func(d *storage.DB) error {
		var g guard.Group
		for w := range 8 {
			g.Go("writer", func() {
				for i := 0; ; i++ {
					key := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
					if err := d.Write(context.Background(), "put", put(key, strings.Repeat("x", 200))); err != nil {
						fmt.Println("error", err)
						return
					}
					fmt.Fprintln(os.Stdout, "ack", key)
				}
			})
		}
		g.Wait()
		return nil
	})
	fmt.Println("error", err)
}

func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	acked := map[string]bool{}
	for range killRounds {
		if err := writeAndKill(dir, time.Duration(20+r.IntN(150))*time.Millisecond, acked); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	d := storagetest.OpenAt(t, storagetest.Config(t, dir))
	var says string
	if err := d.Reader().QueryRow("PRAGMA integrity_check").Scan(&says); err != nil || says != "ok" {
		t.Errorf("seed %d: integrity_check: %s, %v", seed, says, err)
	}
	lost := 0
	for key := range acked {
		lost += 1 - count(t, d, "SELECT count(*) FROM meta WHERE key = ?", key)
	}
	if lost > 0 || len(acked) < killRounds {
		t.Errorf("seed %d: %d of %d acknowledged rows lost", seed, lost, len(acked))
	}
	t.Logf("%d rows acknowledged over %d kills, %d lost", len(acked), killRounds, lost)
}

// writeAndKill kills the child so long after its first acknowledged row.
func writeAndKill(dir string, after time.Duration, acked map[string]bool) error {
	child := writer(dir)
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		if word != "ack" {
			return fmt.Errorf("the child says: %s", lines.Text())
		}
		acked[rest] = true
		if timer == nil {
			timer = time.AfterFunc(after, func() { child.Process.Kill() })
		}
	}
	child.Wait() // killed
	return nil
}

func writer(dir string) *exec.Cmd {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "CALLBOX_TEST_WRITE_TO="+dir)
	child.Stderr = os.Stderr
	return child
}
