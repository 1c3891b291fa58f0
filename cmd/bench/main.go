// Command bench measures the built program: it runs bin/callbox as a daemon of
// its own in a temporary folder, plays carrier, agents' phones and screens, SMS
// centre and ticket system to it, and prints the figures as one table.
//
// Everything that is measured goes through the daemon's ports, its processor
// time and memory come from /proc. main waits for every goroutine it starts; it
// knows callbox by its commands, files and ports only. What plays the other
// ends runs on the same machine, and its share of the processors is in every
// time that the table shows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// bench is how much of what is measured.
type bench struct {
	program string
	only    string
	keep    bool
	log     *slog.Logger

	calls     int           // bridged and recorded at a time
	talk      time.Duration // how long they are measured
	agents    int
	popCalls  int
	jobs      int
	clients   int
	single    int
	window    int
	backlog   int
	holdRate  int           // calls a second that are kept up
	holdFor   time.Duration // for how long
	holdDesks int
	lines     int           // analogue ones, in a talk at a time
	lineTalk  time.Duration // how long they are measured
	forward   int           // this is the child of floor
}

// section is a part of the table that can be asked for by name.
type section struct {
	name    string
	about   string
	measure func(b *bench, ctx context.Context, dir string) ([]row, error)
}

var sections = []section{
	{"load", "processor and memory of bridged, recorded calls", (*bench).load},
	{"pop", "ring to pop, answer to audio, cost of a call's set-up", (*bench).pops},
	{"legs", "the same with SRTP, and as conferences", (*bench).legs},
	{"browser", "agents at pages beside the same agents at telephones", (*bench).browser},
	{"hold", "so many calls a second kept up, into a flow and to agents", (*bench).hold},
	{"lines", "analogue lines idle, ringing together, and in talks", (*bench).analogue},
	{"sms", "texts through HTTP, CMPP and back", (*bench).texts},
	{"slow", "the same on a disk that takes 20 ms a commit", (*bench).slowTexts},
	{"rate", "texts at the pace of window and round trip, and of the contract", (*bench).pace},
	{"urgent", "an urgent text behind a backlog", (*bench).urgent},
	{"reports", "reports that come all at once", (*bench).storm},
	{"submit", "HTTP 202 to SUBMIT on the wire, idle", (*bench).submits},
}

// texting are the sections that -only texts stands for.
const texting = "sms,slow,rate,urgent,reports,submit"

func names() string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ") + "; texts for the last six"
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	b, err := parse(args, errs)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if b.forward > 0 {
		if err := forward(b.forward); err != nil {
			fmt.Fprintf(errs, "bench: %v\n", err)
			return 1
		}
		return 0
	}
	rows, failed := b.all(ctx, errs)
	fmt.Fprintf(out, "%s\n\n", machine())
	printTable(out, rows)
	if failed {
		return 1
	}
	return 0
}

// all measures the sections that were asked for.
func (b *bench) all(ctx context.Context, errs io.Writer) (rows []row, failed bool) {
	only := strings.Split(strings.ReplaceAll(b.only, "texts", texting), ",")
	for _, s := range sections {
		if b.only != "" && !slices.Contains(only, s.name) {
			continue
		}
		b.log.Info("measuring", "section", s.name, "what", s.about)
		got, err := b.inFolder(ctx, s)
		rows = append(rows, got...)
		if err != nil {
			failed = true
			rows = append(rows, row{what: s.name, figure: "failed"})
			fmt.Fprintf(errs, "bench: %s: %v\n", s.name, err)
		}
	}
	return rows, failed
}

func parse(args []string, errs io.Writer) (*bench, error) {
	b := &bench{log: slog.New(slog.NewTextHandler(errs, nil))}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&b.program, "callbox", "./bin/callbox", "the program to measure")
	f.StringVar(&b.only, "only", "", "sections, with commas between: "+names()+" (default: all)")
	f.BoolVar(&b.keep, "keep", false, "keep the daemons' folders and name them")
	f.IntVar(&b.calls, "calls", 50, "load: bridged and recorded calls at a time")
	f.DurationVar(&b.talk, "talk", 30*time.Second, "load: how long they are measured")
	f.IntVar(&b.agents, "agents", 20, "pop: agents")
	f.IntVar(&b.popCalls, "pop-calls", 200, "pop: calls")
	f.IntVar(&b.holdRate, "hold-rate", 200, "hold: calls a second")
	f.DurationVar(&b.holdFor, "hold-for", 30*time.Second, "hold: for how long")
	f.IntVar(&b.holdDesks, "hold-desks", 80, "hold: agents")
	f.IntVar(&b.lines, "lines", 16, "lines: analogue lines idle and in talks; a quarter of them first")
	f.DurationVar(&b.lineTalk, "line-talk", 30*time.Second, "lines: how long they are measured, talking and idle")
	f.IntVar(&b.jobs, "jobs", 15_000, "sms: texts")
	f.IntVar(&b.clients, "clients", 32, "sms: HTTP clients at a time")
	f.IntVar(&b.backlog, "backlog", 100_000, "urgent: texts that wait")
	f.IntVar(&b.single, "single", 100, "submit: jobs, one by one")
	f.IntVar(&b.window, "window", 128, "sms: SUBMITs open at a time")
	f.IntVar(&b.forward, "forward", 0, "only pass packets on, for so many calls: what load is compared with")
	if err := f.Parse(args); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if f.NArg() > 0 {
		fmt.Fprintf(errs, "bench: what is %q?\n", f.Arg(0))
		return nil, errors.New("bench: too many arguments")
	}
	return b, nil
}

// inFolder runs a section in a temporary folder.
func (b *bench) inFolder(ctx context.Context, s section) ([]row, error) {
	dir, err := os.MkdirTemp("", "callbox-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if b.keep {
		b.log.Info("kept", "section", s.name, "folder", dir)
	} else {
		defer func() { _ = os.RemoveAll(dir) }()
	}
	return s.measure(b, ctx, dir)
}
