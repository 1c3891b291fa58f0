package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	wire "github.com/emiago/sipgo/sip"
)

// once sets what the library keeps for the whole process. Its size limit of UDP
// messages would drop an INVITE with many headers without a word.
var once sync.Once

func (s *Server) build() error {
	once.Do(func() {
		wire.UDPMTUSize = messageLimit
		wire.SetDefaultLogger(slog.New(slog.DiscardHandler))
	})
	quiet := slog.New(demoted{s.log.Handler()})
	ua, err := sipgo.NewUA(
		sipgo.WithUserAgent("callbox"),
		sipgo.WithUserAgentTransportLayerOptions(
			wire.WithTransportLayerLogger(quiet),
			wire.WithTransportLayerTransports(wire.TransportsConfig{
				TCP: &wire.TransportTCP{DialerCreate: noDialer},
				TLS: &wire.TransportTLS{TransportTCP: &wire.TransportTCP{DialerCreate: noDialer}},
			}),
		),
		sipgo.WithUserAgentTransactionLayerOptions(
			wire.WithTransactionLayerLogger(quiet),
			wire.WithTransactionLayerUnhandledResponseHandler(func(*wire.Response) {}),
		),
	)
	if err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	srv, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	srv.OnNoRoute(s.dispatch)
	s.ua, s.sipgo, s.txl, s.parser = ua, srv, ua.TransactionLayer(), wire.NewParser()
	return nil
}

// noDialer keeps the library from making connections: what came by them would
// not pass the gate. We make them, see [Server.connect].
func noDialer(net.Addr) net.Dialer {
	return net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error { return errNoDialer }}
}

var errNoDialer = errors.New("there is no connection any more")

// demoted turns what the library reports into debug lines: most of it is
// strangers' garbage.
type demoted struct{ slog.Handler }

func (d demoted) Enabled(ctx context.Context, _ slog.Level) bool {
	return d.Handler.Enabled(ctx, slog.LevelDebug)
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return d.Handler.Handle(ctx, r)
}

func (d demoted) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoted{d.Handler.WithAttrs(attrs)}
}

func (d demoted) WithGroup(name string) slog.Handler { return demoted{d.Handler.WithGroup(name)} }

// closeLibrary closes what the library still has. A message read just before
// the end may still be in one of its goroutines, which finds the listener gone
// and opens a socket for the answer; so it is closed once more a moment later.
func (s *Server) closeLibrary() {
	for range 2 {
		if err := s.ua.Close(); err != nil {
			s.log.Debug("library closed", "err", err)
		}
		time.Sleep(stragglers)
	}
}
