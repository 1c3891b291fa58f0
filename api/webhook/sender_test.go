package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/internal/guard"
)

// receiver stands for the network: it answers each attempt.
type receiver func(*http.Request) (status int, err error)

func (r receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	status, err := r(req)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader("")), Request: req,
	}, nil
}

// send runs a Sender until the test's stop.
func send(t *testing.T, m *memory, r receiver) (stop func()) {
	t.Helper()
	s := New(Config{}, m)
	s.trusted = &http.Client{Transport: r}
	ctx, cancel := context.WithCancel(t.Context())
	var g guard.Group
	g.Go("sender", func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return func() { cancel(); g.Wait() }
}

func TestRetriesDoubleToAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, begin := newMemory(), time.Now()
		var at []time.Duration
		var said []string
		stop := send(t, m, func(req *http.Request) (int, error) {
			at = append(at, time.Since(begin))
			said = append(said, req.Header.Get(AttemptHeader)+req.Header.Get(EventHeader))
			return 500, nil
		})
		m.add("http://a.test/", "k", "e")
		m.add("http://a.test/", "k", "f") // waits behind it
		time.Sleep(giveUp + time.Hour)
		synctest.Wait()
		want := []time.Duration{0}
		for last, wait := time.Duration(0), time.Second; last+wait <= giveUp; wait = min(2*wait, time.Hour) {
			last += wait
			want = append(want, last)
		}
		n := len(want)
		if len(at) < n || !slices.Equal(at[:n], want) {
			t.Fatalf("attempts at %v, want %v", at, want)
		}
		if said[0] != "1e" || said[1] != "2e" || said[n-1] != fmt.Sprintf("%de", n) {
			t.Errorf("headers %v", said[:n])
		}
		if m.given() != 1 || len(said) == n || said[n] != "1f" {
			t.Errorf("%d given up; then %v", m.given(), said[n:])
		}
		stop()
	})
}

func TestAttemptIsGivenFiveSeconds(t *testing.T) {
	for name, tt := range map[string]struct {
		answers time.Duration
		want    []int64
	}{
		"last instant": {answerTime - 1, []int64{1}},
		"too late":     {answerTime + 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				stop := send(t, m, func(req *http.Request) (int, error) {
					select {
					case <-time.After(tt.answers):
						return 200, nil
					case <-req.Context().Done():
						return 0, req.Context().Err()
					}
				})
				m.add("http://a.test/", "k", "e")
				time.Sleep(answerTime + time.Second/2)
				synctest.Wait()
				if !slices.Equal(m.got(), tt.want) {
					t.Errorf("sent %v, want %v", m.got(), tt.want)
				}
				stop()
			})
		})
	}
}

func TestHangingReceiverDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		stop := send(t, m, func(req *http.Request) (int, error) {
			if req.URL.Host == "hangs.test" {
				<-req.Context().Done()
				return 0, req.Context().Err()
			}
			time.Sleep(10 * time.Millisecond)
			return 204, nil
		})
		for i := range 50 {
			m.add("http://hangs.test/", fmt.Sprint(i), "e")
			m.add("http://works.test/", fmt.Sprint(i), "e")
		}
		time.Sleep(100 * time.Millisecond) // 50 in eights take 70 ms
		synctest.Wait()
		if n := len(m.got()); n != 50 {
			t.Errorf("%d arrived, want 50", n)
		}
		stop()
	})
}

func TestOrderWithinAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var mu sync.Mutex
		heard := map[string][]string{}
		refused := 0
		stop := send(t, m, func(req *http.Request) (int, error) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return 0, err
			}
			mu.Lock()
			defer mu.Unlock()
			if refused++; refused%3 == 0 {
				return 503, nil
			}
			key, n, _ := strings.Cut(string(body), "/")
			heard[key] = append(heard[key], n)
			return 200, nil
		})
		for n := range 5 {
			for _, key := range []string{"a", "b", "c"} {
				m.add("http://a.test/", key, fmt.Sprint(key, "/", n))
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for key, got := range heard {
			if strings.Join(got, "") != "01234" {
				t.Errorf("%s heard %v", key, got)
			}
		}
		if len(m.got()) != 15 {
			t.Errorf("%d arrived, want 15", len(m.got()))
		}
		stop()
	})
}

func TestWorkersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := New(Config{}, m)
		s.trusted = &http.Client{Transport: receiver(func(*http.Request) (int, error) { return 200, nil })}
		ctx, cancel := context.WithCancel(t.Context())
		var g guard.Group
		g.Go("sender", func() { _ = s.Run(ctx) })
		for range 2 { // and come back
			m.add("http://a.test/", "k", "e")
			time.Sleep(time.Second)
			synctest.Wait()
			s.mu.Lock()
			if len(s.workers) != 1 {
				t.Errorf("%d workers at work", len(s.workers))
			}
			s.mu.Unlock()
			time.Sleep(2 * idle)
			synctest.Wait()
			s.mu.Lock()
			if len(s.workers) != 0 {
				t.Errorf("%d workers without work", len(s.workers))
			}
			s.mu.Unlock()
		}
		if len(m.got()) != 2 {
			t.Errorf("sent %v", m.got())
		}
		cancel()
		g.Wait()
	})
}

// TestOnTheWire checks what a receiver checks, over a real socket.
func TestOnTheWire(t *testing.T) {
	arrived := make(chan *http.Request, 1)
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		arrived <- r
	}))
	defer server.Close()
	s := New(Config{}, newMemory())
	d := Delivery{URL: server.URL, Trusted: true, Secret: []byte("geheim"), Event: "0190", Attempt: 2, Body: []byte(`{"event":"call.new"}`)}
	if err := s.post(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	r := <-arrived
	stamp, digest, _ := strings.Cut(r.Header.Get("Callbox-Signature"), ",v1=")
	mac := hmac.New(sha256.New, []byte("geheim"))
	mac.Write([]byte(strings.TrimPrefix(stamp, "t=") + "." + string(body)))
	if want := hex.EncodeToString(mac.Sum(nil)); digest != want {
		t.Errorf("signature %q, want %q", digest, want)
	}
	if r.Method != http.MethodPost || r.Header.Get("Callbox-Event-Id") != "0190" || r.Header.Get("Callbox-Attempt") != "3" ||
		r.Header.Get("Content-Type") != "application/json" || string(body) != string(d.Body) {
		t.Errorf("%s %v %s", r.Method, r.Header, body)
	}
	d.Trusted = false
	if err := s.post(t.Context(), d); err == nil {
		t.Error("a stranger's URL reached loopback")
	}
}

func TestRefusals(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"404":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"304":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
		"found elsewhere": func(w http.ResponseWriter, r *http.Request) { moved(w, r, http.StatusFound) },
	} {
		server := httptest.NewServer(answer)
		s := New(Config{}, newMemory())
		if err := s.post(t.Context(), Delivery{URL: server.URL, Trusted: true}); err == nil {
			t.Errorf("%s was taken for arrived", name)
		}
		server.Close()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		moved(w, r, http.StatusPermanentRedirect)
	}))
	defer server.Close()
	if err := New(Config{}, newMemory()).post(t.Context(), Delivery{URL: server.URL, Trusted: true}); err != nil {
		t.Errorf("308: %v", err)
	}
}

// moved sends whoever comes to / on to /there, where all is well.
func moved(w http.ResponseWriter, r *http.Request, status int) {
	if r.URL.Path != "/there" {
		http.Redirect(w, r, "/there", status)
	}
}
