package boxtest

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// Faults is one direction of a serial path and what is wrong with it. Its
// methods may be called at any time; what they ask for happens to the bytes
// that come next.
type Faults struct {
	mu     sync.Mutex
	random *rand.Rand
	drop   int
	garble int
	every  int // one byte in so many is lost, 0 none
	delay  time.Duration
	double bool
	shield bool // the last byte was DLE
	thawed chan struct{}
	frozen bool
	passed int64
	queue  chan late // what is on its way
}

// late is bytes and when they are due.
type late struct {
	bytes []byte
	due   time.Time
}

// onTheWay is how many writes a path holds; then who writes waits.
const onTheWay = 64

func newFaults(random *rand.Rand) *Faults {
	open := make(chan struct{})
	close(open)
	return &Faults{random: rand.New(rand.NewPCG(random.Uint64(), 1)), thawed: open, queue: make(chan late, onTheWay)}
}

func (f *Faults) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// Drop loses the next n bytes.
func (f *Faults) Drop(n int) { f.set(func() { f.drop = n }) }

// DropEvery loses about one byte in n, at random; 0 loses none.
func (f *Faults) DropEvery(n int) { f.set(func() { f.every = n }) }

// Garble replaces the next n bytes by others.
func (f *Faults) Garble(n int) { f.set(func() { f.garble = n }) }

// Delay lets everything be late by d.
func (f *Faults) Delay(d time.Duration) { f.set(func() { f.delay = d }) }

// DoubleEvents sends each DLE x twice that is not a data byte.
func (f *Faults) DoubleEvents(on bool) { f.set(func() { f.double = on }) }

// Inject puts bytes on the path, behind what is on its way.
func (f *Faults) Inject(p []byte) { f.queue <- late{append([]byte(nil), p...), time.Now()} }

// Freeze lets nothing through; who writes waits, when the path is full.
func (f *Faults) Freeze() {
	f.set(func() {
		if !f.frozen {
			f.frozen, f.thawed = true, make(chan struct{})
		}
	})
}

// Thaw ends Freeze.
func (f *Faults) Thaw() {
	f.set(func() {
		if f.frozen {
			f.frozen = false
			close(f.thawed)
		}
	})
}

// Passed is how many bytes went through.
func (f *Faults) Passed() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed
}

// take reads from one end, until it fails or ctx ends.
func (f *Faults) take(ctx context.Context, from io.Reader) {
	in := make([]byte, 1024)
	for {
		n, err := from.Read(in)
		if n > 0 {
			select {
			case f.queue <- f.apply(in[:n]):
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// give writes to the other end, until that fails or ctx ends.
func (f *Faults) give(ctx context.Context, to io.Writer) {
	for {
		var next late
		select {
		case next = <-f.queue:
		case <-ctx.Done():
			return
		}
		if !f.wait(ctx, time.Until(next.due)) {
			return
		}
		if _, err := to.Write(next.bytes); err != nil {
			return
		}
	}
}

// wait is delay and freeze.
func (f *Faults) wait(ctx context.Context, delay time.Duration) bool {
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return false
		}
	}
	f.mu.Lock()
	thawed := f.thawed
	f.mu.Unlock()
	select {
	case <-thawed:
		return true
	case <-ctx.Done():
		return false
	}
}

// apply is what becomes of bytes.
func (f *Faults) apply(in []byte) late {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []byte
	for _, b := range in {
		switch {
		case f.drop > 0:
			f.drop--
			continue
		case f.every > 0 && f.random.IntN(f.every) == 0:
			continue
		case f.garble > 0:
			f.garble--
			b = byte(f.random.Uint32())
		}
		out = f.twice(append(out, b), b)
	}
	f.passed += int64(len(out))
	return late{out, time.Now().Add(f.delay)}
}

// twice doubles an event whose code was just appended.
func (f *Faults) twice(out []byte, b byte) []byte {
	const dle, sub, etx = 0x10, 0x1A, 0x03
	if !f.shield {
		f.shield = b == dle
		return out
	}
	f.shield = false
	if f.double && b != dle && b != sub && b != etx && b != 'X' && b != '.' {
		out = append(out, dle, b)
	}
	return out
}

// writer is a function as an io.Writer.
type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
