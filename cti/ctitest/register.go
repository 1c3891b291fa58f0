package ctitest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/icholy/digest"
)

// ErrRefused means that a request got a final response other than 2xx; the text
// says which.
var ErrRefused = errors.New("ctitest: refused")

// Register registers the phone for expires, 0 to end it, and answers the
// challenge. The binding is kept alive by calling it again.
func (p *Phone) Register(ctx context.Context, expires time.Duration) error {
	res, err := p.register(ctx, expires, "")
	if err != nil {
		return err
	}
	if res.Code() == 401 {
		auth, err := p.credentials(res)
		if err != nil {
			return err
		}
		if res, err = p.register(ctx, expires, auth); err != nil {
			return err
		}
	}
	if res.Code() != 200 {
		return fmt.Errorf("%w: REGISTER: %s", ErrRefused, res.Start)
	}
	if expires > 0 {
		p.once.Do(func() { close(p.registered) })
	}
	return nil
}

func (p *Phone) register(ctx context.Context, expires time.Duration, auth string) (*Message, error) {
	req := p.RegisterRequest(expires)
	if auth != "" {
		req.Add("Authorization", auth)
	}
	return p.Do(ctx, req)
}

// RegisterRequest is the REGISTER the phone would send, without credentials.
func (p *Phone) RegisterRequest(expires time.Duration) *Message {
	req := p.Request("REGISTER", "sip:"+p.server.Addr().String())
	req.Set("To", "<sip:"+p.cfg.User+"@"+p.server.Addr().String()+">")
	req.Add("Expires", strconv.Itoa(int(expires/time.Second)))
	return req
}

func (p *Phone) credentials(res *Message) (string, error) {
	want := "MD5"
	if p.cfg.SHA256 {
		want = "SHA-256"
	}
	for _, value := range res.All("WWW-Authenticate") {
		chal, err := digest.ParseChallenge(value)
		if err != nil || !strings.EqualFold(chal.Algorithm, want) {
			continue
		}
		return p.Authorize(chal, "REGISTER", "sip:"+p.server.Addr().String())
	}
	return "", fmt.Errorf("%w: no %s challenge", ErrRefused, want)
}

// Authorize answers a challenge with the phone's user and password.
func (p *Phone) Authorize(chal *digest.Challenge, method, uri string) (string, error) {
	p.mu.Lock()
	if p.nonce != chal.Nonce {
		p.nonce, p.uses = chal.Nonce, 0
	}
	p.uses++
	count := p.uses
	p.mu.Unlock()
	cred, err := digest.Digest(chal, digest.Options{
		Method: method, URI: uri, Username: p.cfg.User, Password: p.cfg.Password, Count: count,
	})
	if err != nil {
		return "", fmt.Errorf("ctitest: %w", err)
	}
	return cred.String(), nil
}

// Registered is closed when the phone has registered for the first time.
func (p *Phone) Registered() <-chan struct{} { return p.registered }

// keepRegistered registers and refreshes at half of expires until ctx ends,
// then unregisters. Failures are tried again after a second, then two, up to 16.
func (p *Phone) keepRegistered(ctx context.Context, expires time.Duration) {
	pause := time.Second
	for {
		wait := expires / 2
		if err := p.Register(ctx, expires); err != nil && ctx.Err() == nil {
			p.cfg.Log.Warn("phone not registered", "user", p.cfg.User, "err", err)
			wait, pause = pause, min(2*pause, 16*time.Second)
		} else {
			pause = time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
		}
		timer.Stop()
		break
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := p.Register(end, 0); err != nil {
		p.cfg.Log.Debug("phone not unregistered", "user", p.cfg.User, "err", err)
	}
}
