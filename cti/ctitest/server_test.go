package ctitest_test

import (
	"context"
	"crypto/md5" //nolint:gosec // digest access authentication
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
)

// server is the real one: it joins every caller with extension 1001.
type server struct {
	*sip.Server
	engine *media.Plain
	addr   string
}

type accounts map[string]string

func (a accounts) HA1(_ context.Context, user string) (md5Hex, shaHex string, ok bool) {
	word, ok := a[user]
	m, s := md5.Sum([]byte(user+":callbox:"+word)), sha256.Sum256([]byte(user+":callbox:"+word)) //nolint:gosec // see the import
	return hex.EncodeToString(m[:]), hex.EncodeToString(s[:]), ok
}

func (s *server) Accept(ctx context.Context, in cti.Leg) error {
	out, err := s.Dial(ctx, "sip:1001", in.Origin().From, "call")
	if err != nil {
		return err
	}
	defer out.Hangup(cti.CauseNormal)
	if err := errors.Join(out.Answer(ctx), in.Answer(ctx)); err != nil {
		return err
	}
	defer s.engine.Bridge(in.Media(), out.Media())()
	select {
	case <-in.Done():
	case <-out.Done():
		in.Hangup(cti.CauseNormal)
	}
	return nil
}

func serve(t *testing.T) *server {
	t.Helper()
	engine, err := media.New(media.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{engine: engine}
	s.Server, err = sip.New(sip.Config{
		Listen: []string{"udp://127.0.0.1:0"}, RTPPorts: "34000-34999",
		Trunks: []sip.Trunk{{Name: "carrier", Address: "127.0.0.1:9", From: []string{"127.0.0.1/32"}}},
	}, sip.Deps{Engine: engine, Calls: s, Accounts: accounts{"1001": "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	s.addr = strings.TrimPrefix(s.Addrs()[0], "udp://")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = engine.Run(ctx) })
	wg.Go(func() { _ = s.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

func TestRegister(t *testing.T) {
	s := serve(t)
	for name, sha := range map[string]bool{"MD5": false, "SHA-256": true} {
		t.Run(name, func(t *testing.T) {
			p := start(t, ctitest.PhoneConfig{Server: s.addr, User: "1001", Password: "secret", SHA256: sha})
			if err := p.Register(patient(t), time.Minute); err != nil || !s.Reachable("1001") {
				t.Fatalf("Register = %v, reachable %v", err, s.Reachable("1001"))
			}
			if err := p.Register(patient(t), 0); err != nil || s.Reachable("1001") {
				t.Errorf("unregister = %v, reachable %v", err, s.Reachable("1001"))
			}
		})
	}
	p := start(t, ctitest.PhoneConfig{Server: s.addr, User: "1001", Password: "wrong"})
	if err := p.Register(patient(t), time.Minute); !errors.Is(err, ctitest.ErrRefused) {
		t.Errorf("wrong password: %v", err)
	}
}

// TestKeptRegistered leaves the registration to Run, and its end too.
func TestKeptRegistered(t *testing.T) {
	s := serve(t)
	t.Run("on", func(t *testing.T) {
		p := start(t, ctitest.PhoneConfig{Server: s.addr, User: "1001", Password: "secret", Expires: time.Minute})
		await(t, p.Registered(), "registration")
		if !s.Reachable("1001") {
			t.Error("not reachable")
		}
	})
	if s.Reachable("1001") {
		t.Error("still reachable")
	}
}

func TestThroughTheServer(t *testing.T) {
	s := serve(t)
	agents := start(t, ctitest.PhoneConfig{
		Server: s.addr, User: "1001", Password: "secret", Expires: time.Minute, Laws: []media.Law{media.PCMU},
		OnCall: func(*ctitest.Talk) ctitest.Plan { return ctitest.Plan{Ring: 20 * time.Millisecond, Hz: 620} },
	})
	await(t, agents.Registered(), "registration")
	carrier := start(t, ctitest.PhoneConfig{Server: s.addr, Laws: []media.Law{media.PCMA}})
	var talks []*ctitest.Talk
	for range 10 {
		talk, err := carrier.Call(patient(t), "4001234567", ctitest.CallOptions{From: "13800138000"})
		if err != nil {
			t.Fatal(err)
		}
		talk.Tone(1100)
		talks = append(talks, talk)
	}
	for _, talk := range talks {
		if err := errors.Join(talk.WaitAnswered(patient(t)), talk.WaitTone(patient(t), 620)); err != nil {
			t.Fatal(err)
		}
	}
	for i, agent := range agents.Talks() {
		if err := agent.WaitTone(patient(t), 1100); err != nil {
			t.Error(err)
		}
		if i%2 == 0 {
			agent.Hangup()
		}
	}
	for _, talk := range carrier.Talks() {
		talk.Hangup()
	}
	for _, talk := range talks {
		await(t, talk.Ended(), "the call's end")
	}
}
