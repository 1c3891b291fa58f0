package recorder

import (
	"fmt"
	"os"
	"path/filepath"
)

// folder is the real disk below one folder; no path leads out of it.
type folder struct{ root *os.Root }

func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the recordings' folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the recordings' folder: %w", err)
	}
	return &folder{root}, nil
}

// Create implements [Disk].
func (d *folder) Create(path string) (File, error) {
	path = filepath.FromSlash(path)
	if err := d.root.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	return d.root.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
}

// Sync implements [Disk].
func (d *folder) Sync() error {
	dir, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return syncDisk(dir)
}
