// Package main is the program of the voice box: PID 1 of a small ARM board, or
// a process of a developer's machine. README.md is its contract with the host.
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
	"syscall"

	"callbox/firmware/board"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if os.Getpid() == 1 {
		err := asInit(log)
		log.Error("the firmware ends", "err", err)
		board.Restart()
		return
	}
	os.Exit(onHost(os.Args[1:], os.Stderr, log))
}

// asInit is the board's whole life.
func asInit(log *slog.Logger) error {
	b, err := board.Qemu(log)
	if err != nil {
		return err
	}
	return errors.Join(board.Run(context.Background(), b, log), b.Close())
}

// onHost runs boxes on this machine until a signal.
func onHost(args []string, usage io.Writer, log *slog.Logger) int {
	flags := flag.NewFlagSet("firmware", flag.ContinueOnError)
	flags.SetOutput(usage)
	dir := flags.String("dir", "", "folder for the ports line1… and the analogue sides analog1…")
	lines := flags.Int("lines", 1, "number of lines")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *dir == "" || *lines < 1 {
		fmt.Fprintln(usage, "-dir is missing, or -lines below 1")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := board.RunHost(ctx, *dir, *lines, log); err != nil {
		log.Error("the boxes end", "err", err)
		return 1
	}
	return 0
}
