// Package storagetest gives tests a database: a fresh migrated one with its
// writer running, and files as older programs left them. Its goroutine ends
// with the test.
package storagetest

import (
	"context"
	"testing"

	"callbox/internal/guard"
	"callbox/internal/seal"
	"callbox/storage"
)

// Open gives a fresh database whose writer runs until the test ends.
func Open(t testing.TB) *storage.DB {
	t.Helper()
	return OpenAt(t, Config(t, t.TempDir()))
}

// Config is a test's configuration for a database in dir.
func Config(t testing.TB, dir string) storage.Config {
	t.Helper()
	box, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return storage.Config{Dir: dir, AreaCode: "0571", Secret: box}
}

// OpenAt opens the database of cfg and runs its writer until the test ends.
func OpenAt(t testing.TB, cfg storage.Config) *storage.DB {
	t.Helper()
	d, stop := Start(t, cfg)
	t.Cleanup(stop)
	return d
}

// Start opens the database of cfg with its writer running; stop drains and
// closes it, once.
func Start(t testing.TB, cfg storage.Config) (d *storage.DB, stop func()) {
	t.Helper()
	d, err := storage.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var g guard.Group
	var ran error
	g.Go("database writer", func() { ran = d.Run(ctx) })
	stopped := false
	return d, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		g.Wait()
		if ran != nil {
			t.Errorf("writer: %v", ran)
		}
		if err := d.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	}
}
