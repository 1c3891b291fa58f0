// Command callbox is the call-center and SMS box: one daemon, its tools and its
// simulators. See README.md.
//
// main turns the command line into one of the commands below and an exit code;
// every goroutine belongs to the parts that cmd/internal/app builds.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commit is set by the build.
var commit = "unknown"

// Exit codes: the work failed, the command line is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr}))
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// cli is the whole command line.
type cli struct {
	LogFormat string `enum:"text,json" default:"text" help:"How logs are written: text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"The least that is logged."`

	Serve    serveCmd    `cmd:"" help:"Run the daemon."`
	Demo     demoCmd     `cmd:"" help:"Run everything on embedded defaults: calls and texts come and go."`
	Check    checkCmd    `cmd:"" help:"Check configuration, site, flows and prompts: every fault with its line."`
	Apply    applyCmd    `cmd:"" help:"Load a site file: agents, queues, flows, customers, templates."`
	Export   exportCmd   `cmd:"" help:"Write the site as YAML to stdout."`
	User     userCmd     `cmd:"" help:"Log-ins."`
	Key      keyCmd      `cmd:"" help:"API keys."`
	Sim      simCmd      `cmd:"" help:"Simulators: an SMS centre, SIP callers, a voice box, a telephone line."`
	Version  versionCmd  `cmd:"" help:"Version, commit, Go version, dependencies that matter."`
	Import   laterCmd    `cmd:"" help:"Import customers or devices from CSV or XLSX (not yet supported)." passthrough:""`
	Backup   laterCmd    `cmd:"" help:"Back up the database online (not yet supported)." passthrough:""`
	Verify   laterCmd    `cmd:"" help:"Check database and recordings (not yet supported)." passthrough:""`
	Detect   detectCmd   `cmd:"" help:"What is to be heard on a line: digits, caller ID, tones, fax."`
	Generate generateCmd `cmd:"" help:"Make line sounds: digits, caller ID, tones."`
}

// session is what every command gets.
type session struct {
	console
	ctx context.Context
	log *slog.Logger
}

// leave is thrown by kong's exit (after --help) and caught in run.
type leave int

func run(args []string, con console) (code int) {
	defer func() {
		if v := recover(); v != nil {
			exit, ok := v.(leave)
			if !ok {
				panic(v)
			}
			code = int(exit)
		}
	}()
	var c cli
	parser, err := kong.New(&c, kong.Name("callbox"), kong.UsageOnError(), kong.Writers(con.out, con.err),
		kong.Description("The box between the telephone network and the ticket system.\n\nExample: callbox serve -c callbox.yaml"),
		kong.Exit(func(code int) { panic(leave(code)) }))
	if err != nil {
		fmt.Fprintln(con.err, "callbox:", err)
		return exitFailed
	}
	chosen, err := parser.Parse(joinLevels(args))
	if err != nil {
		fmt.Fprintf(con.err, "callbox: %v\nSee callbox --help.\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return report(con, chosen.Run(&session{console: con, ctx: ctx, log: c.logger(con.err)}))
}

// joinLevels makes --level=-35 of --level -35, which kong takes for two flags.
func joinLevels(args []string) []string {
	var all []string
	for i, arg := range args {
		if i > 0 && negative(arg) && strings.HasPrefix(args[i-1], "--") && !strings.Contains(args[i-1], "=") {
			all[len(all)-1] += "=" + arg
			continue
		}
		all = append(all, arg)
	}
	return all
}

func negative(arg string) bool {
	_, err := strconv.ParseFloat(arg, 64)
	return err == nil && arg[0] == '-'
}

func report(con console, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(con.err, "callbox:", err)
		return exitUsage
	}
	fmt.Fprintln(con.err, err)
	return exitFailed
}

// usageError is a wrong command line that only the command could see.
type usageError string

func (e usageError) Error() string { return string(e) }

func (c *cli) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // kong's enum allows no other word
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// laterCmd is a command that is named and not built yet.
type laterCmd struct {
	Args []string `arg:"" optional:""`
}

// laterExamples are how those commands will be called.
var laterExamples = map[string]string{
	"import": "callbox import customers customers.csv --dry-run",
	"backup": "callbox backup -c callbox.yaml /mnt/backup",
	"verify": "callbox verify -c callbox.yaml",
}

// Run refuses in words, and explains itself when asked.
func (c laterCmd) Run(k *kong.Context) error {
	name := strings.TrimPrefix(k.Selected().FullPath(), "callbox ")
	if !slices.Contains(c.Args, "--help") && !slices.Contains(c.Args, "-h") {
		return fmt.Errorf("callbox %s: not yet supported", name)
	}
	if err := k.PrintUsage(false); err != nil {
		return fmt.Errorf("callbox %s: %w", name, err)
	}
	_, err := fmt.Fprintln(k.Stdout, "\nExample: "+laterExamples[name])
	return err
}
