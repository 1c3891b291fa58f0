package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTest(t *testing.T) {
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/bad") {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer srv.Close()
	s := New(Config{}, nil)
	d := Delivery{URL: srv.URL + "/good", Event: "e1", Trusted: true, Secret: []byte("s"), Body: []byte(`{"event":"test"}`)}
	status, took, err := s.Test(t.Context(), d)
	if status != 200 || err != nil || took <= 0 || took > 5*time.Second {
		t.Errorf("= %d, %v, %v", status, took, err)
	}
	if string(body) != string(d.Body) || got.Header.Get(EventHeader) != "e1" || got.Header.Get(AttemptHeader) != "1" || !strings.HasPrefix(got.Header.Get(SignatureHeader), "t=") {
		t.Errorf("sent %s with %v", body, got.Header)
	}
	d.URL = srv.URL + "/bad"
	if status, _, err := s.Test(t.Context(), d); status != 418 || err == nil {
		t.Errorf("an error = %d, %v", status, err)
	}
	d.Trusted = false
	if status, _, err := s.Test(t.Context(), d); status != 0 || err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("a stranger's on this machine = %d, %v", status, err)
	}
	d.Format = FormatZammad
	if status, _, err := s.Test(t.Context(), d); status != 0 || err == nil {
		t.Errorf("zammad = %d, %v", status, err)
	}
}
