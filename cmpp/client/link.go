package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"callbox/cmpp"
	"callbox/internal/guard"
	"callbox/sms"
)

// link keeps one of the account's connections up.
type link struct {
	c        *Client
	receiver sms.Receiver
	version  cmpp.Version // asked for; lowered once when the gateway wants that
	log      *slog.Logger
	backoff  backoff
}

// run connects, serves and stays away for a while, until ctx ends.
func (l *link) run(ctx context.Context) {
	for ctx.Err() == nil {
		var lived time.Duration
		var err error
		if panicked := guard.Call(func() { lived, err = l.once(ctx) }); panicked != nil {
			err = panicked
		}
		if ctx.Err() != nil {
			return
		}
		wait := l.delay(err, lived)
		l.c.gate.fail(err.Error())
		l.log.Warn("connection down", "err", err, "retry_in", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// delay adds chance to what backoff says.
func (l *link) delay(err error, lived time.Duration) time.Duration {
	_, refused := errors.AsType[*refusedError](err)
	return jitter(l.backoff.next(err, lived), refused || errors.Is(err, errDismissed))
}

// once makes one connection and serves it to its end. It tells how long the
// connection lived, from its log-in.
func (l *link) once(ctx context.Context) (lived time.Duration, err error) {
	conn, err := l.c.cfg.Dial(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	r := cmpp.NewReader(conn)
	version, err := l.login(ctx, conn, r)
	if err != nil {
		return 0, err
	}
	l.log.Info("connection up", "version", version.String())
	start := time.Now()
	err = newSession(l, conn, r, version).run(ctx)
	return time.Since(start), err
}

// login exchanges CONNECT and its answer and gives the version to speak.
func (l *link) login(ctx context.Context, conn net.Conn, r *cmpp.Reader) (cmpp.Version, error) {
	_ = conn.SetDeadline(time.Now().Add(l.c.cfg.ResponseTimeout))
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer unhook()
	ask := l.connect(time.Now())
	frame, err := cmpp.Append(nil, l.version, 1, ask)
	if err != nil {
		return 0, fmt.Errorf("log in: %w", err)
	}
	if _, err := conn.Write(frame); err != nil {
		return 0, fmt.Errorf("log in: %w", err)
	}
	resp, err := awaitConnectResp(r)
	if err != nil {
		return 0, fmt.Errorf("log in: %w", err)
	}
	if !unhook() {
		return 0, fmt.Errorf("log in: %w", context.Cause(ctx))
	}
	return l.agree(ask, resp, conn.SetDeadline(time.Time{}))
}

func (l *link) connect(now time.Time) *cmpp.Connect {
	at := cmpp.Timestamp(now.In(l.c.cfg.Zone))
	return &cmpp.Connect{
		SourceAddr: l.c.cfg.SPID, Version: l.version, Timestamp: at,
		Auth: cmpp.Authenticator(l.c.cfg.SPID, l.c.cfg.Secret, at, l.c.cfg.Unpadded),
	}
}

func awaitConnectResp(r *cmpp.Reader) (*cmpp.ConnectResp, error) {
	h, body, err := r.Next()
	if err != nil {
		return nil, err
	}
	p, err := cmpp.Decode(cmpp.V30, h.Command, body)
	if err != nil {
		return nil, err
	}
	resp, ok := p.(*cmpp.ConnectResp)
	if !ok {
		return nil, fmt.Errorf("answered by %v", h.Command)
	}
	return resp, nil
}

// agree reads the answer: the lower of both versions is spoken. A gateway that
// refuses for the version is asked again with the one it named, or 2.0.
func (l *link) agree(ask *cmpp.Connect, resp *cmpp.ConnectResp, err error) (cmpp.Version, error) {
	if err != nil {
		return 0, fmt.Errorf("log in: %w", err)
	}
	if resp.Status == cmpp.ConnectTooHigh && l.version.Wide() {
		l.version = cmpp.V20
		return 0, fmt.Errorf("log in: %w", errOlder)
	}
	if resp.Status != cmpp.ConnectOK {
		l.version = l.c.cfg.Version // a lower one was no help
		return 0, &refusedError{resp.Status}
	}
	version := common(l.version, resp)
	if !l.genuine(ask, resp) {
		l.log.Warn("the gateway's own authentication is wrong")
	}
	return version, nil
}

// genuine tells whether the gateway knows the secret. There are some that digest
// a status of four bytes in 2.0 too.
func (l *link) genuine(ask *cmpp.Connect, resp *cmpp.ConnectResp) bool {
	for _, v := range []cmpp.Version{cmpp.V20, cmpp.V30} {
		if resp.Auth == cmpp.ISMGAuthenticator(resp.Status, ask.Auth, l.c.cfg.Secret, v) {
			return true
		}
	}
	return false
}

// common gives the version that both sides speak. A gateway whose answer names
// none is taken by its layout.
func common(asked cmpp.Version, resp *cmpp.ConnectResp) cmpp.Version {
	answered := resp.Version
	if answered>>4 == 0 || answered>>4 > 3 {
		answered = asked
		if resp.Narrow {
			answered = cmpp.V20
		}
	}
	return min(asked, answered)
}
