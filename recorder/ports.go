package recorder

import (
	"context"
	"io"
	"time"

	"callbox/cti/media"
)

// Index keeps one row a recording.
type Index interface {
	// Opened stores a row in state [Running] and returns when it is on disk;
	// the file's first byte is written after that.
	Opened(ctx context.Context, row Row) error
	// Closed stores how the recording with row's ID ended.
	Closed(ctx context.Context, row Row) error
	// Unfinished gives the rows that are still in state [Running].
	Unfinished(ctx context.Context) ([]Row, error)
}

// Row is what the index knows of a recording.
type Row struct {
	ID      string // the call's
	Path    string // from the shelf's folder on, with slashes
	Law     media.Law
	Started time.Time // when the call was answered: sample 0
	State   string
	Seconds float64 // how long the file plays
	Missing float64 // seconds of the call that it does not hold
	Why     string  // why it is not complete
	SHA256  string  // of the whole file, hexadecimal
	Mixed   bool    // both people are on the left channel
}

// Disk is where files are made. Paths are as in [Row].
type Disk interface {
	// Create makes a file that is not there yet, and its folders.
	Create(path string) (File, error)
	// Sync returns when all that was written is on the disk.
	Sync() error
}

// File is one file on a [Disk].
type File interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Close() error
}

// mixer is a port that may say that both people are heard on one channel, as
// where the box listens beside an ordinary telephone.
type mixer interface{ Mixed() bool }
