package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/term"

	"callbox/api"
	"callbox/cmd/internal/app"
	"callbox/cmd/internal/config"
	"callbox/cmd/internal/control"
	"callbox/storage"
)

// admin does an order on the database, or asks the daemon that has it.
func (c configFile) admin(s *session, order func(context.Context, control.Admin) error) error {
	box, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(box.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	cfg, err := app.StorageConfig(box, s.log)
	if err != nil {
		return err
	}
	err = storage.With(s.ctx, cfg, func(db *storage.DB) error {
		return order(s.ctx, app.Local(db, box))
	})
	if errors.Is(err, storage.ErrLocked) {
		return order(s.ctx, control.Dial(box.Data))
	}
	return err
}

// applyCmd loads a site file.
type applyCmd struct {
	configFile
	File string `short:"f" required:"" type:"existingfile" help:"The site file."`
}

// Help gives an example.
func (applyCmd) Help() string {
	return `A section that is present is the whole section; absent ones stay as they are. All or nothing.

Example: callbox apply -c callbox.yaml -f site.yaml`
}

// Run loads it, in the running daemon or beside it.
func (c *applyCmd) Run(s *session) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("callbox apply: %w", err)
	}
	file, err := filepath.Abs(c.File)
	if err != nil {
		return fmt.Errorf("callbox apply: %w", err)
	}
	return c.admin(s, func(ctx context.Context, a control.Admin) error {
		return a.Apply(ctx, control.Site{File: file, Text: text})
	})
}

// exportCmd dumps the site.
type exportCmd struct{ configFile }

// Help gives an example.
func (exportCmd) Help() string {
	return `Passwords come out as hashes; the file loads again with apply.

Example: callbox export -c callbox.yaml > site.yaml`
}

// Run writes it to stdout.
func (c *exportCmd) Run(s *session) error {
	return c.admin(s, func(ctx context.Context, a control.Admin) error {
		text, err := a.Export(ctx)
		if err == nil {
			_, err = s.out.Write(text)
		}
		return err
	})
}

// userCmd has the log-ins.
type userCmd struct {
	Add userAddCmd `cmd:"" help:"Add a log-in; the password comes from stdin or a prompt."`
}

// Help gives an example.
func (userCmd) Help() string { return "Example: echo secret | callbox user add boss --role admin" }

type userAddCmd struct {
	configFile
	Name string `arg:"" help:"Who logs in."`
	Role string `required:"" enum:"agent,supervisor,admin,auditor" help:"agent, supervisor, admin or auditor."`
}

// Help gives an example.
func (userAddCmd) Help() string {
	return "Example: echo secret | callbox user add boss --role admin"
}

// Run asks for the password and adds the user.
func (c *userAddCmd) Run(s *session) error {
	if strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '/' }) {
		return usageError(fmt.Sprintf("user add: %q is no name to log in with: no spaces, no slashes", c.Name))
	}
	password, err := s.password()
	if err != nil {
		return err
	}
	return c.admin(s, func(ctx context.Context, a control.Admin) error {
		return a.AddUser(ctx, control.User{Name: c.Name, Role: c.Role, Password: password})
	})
}

// password reads one line, unseen on a terminal.
func (s *session) password() (string, error) {
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(s.err, "password: ")
		typed, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.err)
		return notEmpty(string(typed), err)
	}
	line, err := bufio.NewReader(s.in).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return notEmpty(strings.TrimRight(line, "\r\n"), err)
}

func notEmpty(password string, err error) (string, error) {
	if err == nil && password == "" {
		err = errors.New("callbox user add: the password is empty")
	}
	return password, err
}

// keyCmd has the API keys.
type keyCmd struct {
	Add keyAddCmd `cmd:"" help:"Make an API key, shown once."`
}

// Help gives an example.
func (keyCmd) Help() string { return "Example: callbox key add tickets --scope sms,calls" }

type keyAddCmd struct {
	configFile
	Name  string   `arg:"" help:"The program that will use it."`
	Scope []string `required:"" help:"What it may do: sms,calls,recordings,reports,config,metrics,wallboard."`

	ConfirmOver int `help:"Jobs to more numbers await a confirmation; 0: none does." default:"0"`
	PerSecond   int `help:"Messages it may send a second; 0: any number." default:"0"`
	PerDay      int `help:"Messages it may send a day; 0: any number." default:"0"`
}

// Help gives an example.
func (keyAddCmd) Help() string {
	return `Prints the key and its account sid (for the Twilio shape).

Example: callbox key add tickets --scope sms,calls`
}

// Run makes the key and prints it.
func (c *keyAddCmd) Run(s *session) error {
	for _, scope := range c.Scope {
		if !slices.Contains(api.Scopes, scope) {
			return usageError(fmt.Sprintf("key add: %q is none of the scopes %s", scope, strings.Join(api.Scopes, ", ")))
		}
	}
	if min(c.ConfirmOver, c.PerSecond, c.PerDay) < 0 {
		return usageError("key add: a limit is below 0")
	}
	return c.admin(s, func(ctx context.Context, a control.Admin) error {
		key, err := a.AddKey(ctx, control.Key{
			Name: c.Name, Scopes: c.Scope, ConfirmOver: c.ConfirmOver, PerSecond: c.PerSecond, PerDay: c.PerDay,
		})
		if err == nil {
			fmt.Fprintln(s.out, key.Secret, key.SID)
		}
		return err
	})
}
