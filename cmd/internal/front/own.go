package front

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"callbox/internal/localca"
)

// Times of the box's own certificate.
const (
	lookAtAddresses = time.Minute
	authorityEnds   = 90 * 24 * time.Hour // before which people are to install another
)

// own is a certificate of the box's own authority. It follows the box's names
// and addresses.
type own struct {
	authority *localca.Authority
	names     func() (localca.Names, error)
	log       *slog.Logger
	shown     atomic.Pointer[tls.Certificate]
	trouble   trouble
}

// openOwn loads or makes the authority of folder. further is another name of
// the box, or "".
func openOwn(folder, further string, log *slog.Logger) (*own, error) {
	authority, err := localca.Open(folder, localca.Host(), time.Now())
	if err != nil {
		return nil, err
	}
	o := &own{authority: authority, log: log, names: func() (localca.Names, error) { return localca.Here(further) }}
	return o, o.look()
}

// look has a certificate issued where the one that is shown no longer holds.
func (o *own) look() error {
	names, err := o.names()
	if err != nil {
		return fmt.Errorf("addresses of this machine: %w", err)
	}
	leaf, made, err := o.authority.Leaf(names, time.Now())
	if err != nil {
		return err
	}
	if made {
		o.log.Info("certificate issued by the box's own authority", "names", names.DNS, "addresses", names.IPs, "until", leaf.Leaf.NotAfter)
	}
	o.shown.Store(leaf)
	return nil
}

func (o *own) show(*tls.ClientHelloInfo) (*tls.Certificate, error) { return o.shown.Load(), nil }

func (o *own) again() {
	o.trouble.note(o.look(), o.log, "the certificate is not issued anew, the old one is shown")
}

func (o *own) keep(ctx context.Context) error { return each(ctx, lookAtAddresses, o.again) }

func (o *own) state() error {
	if err := o.trouble.last(); err != nil {
		return err
	}
	return endsSoon("the box's own authority", o.authority.Certificate().NotAfter, authorityEnds)
}

// each calls f again and again until ctx ends.
func each(ctx context.Context, gap time.Duration, f func()) error {
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f()
		}
	}
}

// endsSoon is an error where what ends within the time before end.
func endsSoon(what string, end time.Time, before time.Duration) error {
	switch left := time.Until(end); {
	case left <= 0:
		return fmt.Errorf("%s ended on %s", what, end.Format(time.DateOnly))
	case left < before:
		return fmt.Errorf("%s ends on %s", what, end.Format(time.DateOnly))
	}
	return nil
}
