package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"
)

// client is one user of the box's HTTP API: a program with the key, or an
// agent's browser with its cookie.
type client struct {
	box  *box
	http *http.Client
	key  string
}

// api is a program that uses the key.
func (b *box) api() *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	return &client{box: b, http: &http.Client{Transport: transport, Timeout: startLimit}, key: b.key}
}

// login is an agent's browser.
func (b *box) login(ctx context.Context, id string) (*client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("log-in: %w", err)
	}
	c := &client{box: b, http: &http.Client{Jar: jar, Timeout: startLimit, Transport: &http.Transport{}}}
	body := map[string]string{"user": id, "password": "secret-" + id}
	if err := c.do(ctx, http.MethodPost, "/api/v1/login", http.StatusOK, body, nil); err != nil {
		return nil, fmt.Errorf("log-in of %s: %w", id, err)
	}
	return c, nil
}

// do sends one request and decodes the answer into out, when it is not nil.
func (c *client) do(ctx context.Context, method, path string, want int, body, out any) error {
	raw, err := c.fetch(ctx, method, path, want, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// fetch sends one request and gives what is answered.
func (c *client) fetch(ctx context.Context, method, path string, want int, body any) ([]byte, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.box.http+path, payload)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode != want {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, raw)
	}
	return raw, nil
}

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// every walks through all pages of a list; query is "?" and at least one
// parameter behind the path.
func every[T any](ctx context.Context, c *client, query string) ([]T, error) {
	var all []T
	for cursor := ""; ; {
		var p page[T]
		path := query + "&limit=200"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		if err := c.do(ctx, http.MethodGet, path, http.StatusOK, nil, &p); err != nil {
			return all, err
		}
		all = append(all, p.Items...)
		if cursor = p.Next; cursor == "" {
			return all, nil
		}
	}
}

// cdr is what the bench reads of a call's record.
type cdr struct {
	ID     string  `json:"id"`
	Result *string `json:"result"`
	Times  struct {
		CallerID time.Time `json:"caller_id"`
		Answer   time.Time `json:"answer"`
	} `json:"times"`
	Recording struct {
		State   string  `json:"state"`
		Seconds float64 `json:"seconds"`
		Missing float64 `json:"missing_seconds"`
	} `json:"recording"`
}

// answered waits until n answered calls since from have their final record and
// a whole recording, and gives them.
func (c *client) answered(ctx context.Context, n int, from time.Time) (records []cdr, err error) {
	return c.recorded(ctx, "answered", n, from)
}

// recorded is answered for calls of any result.
func (c *client) recorded(ctx context.Context, result string, n int, from time.Time) (records []cdr, err error) {
	err = until(ctx, startLimit, func() (bool, error) {
		var err error
		records, err = every[cdr](ctx, c, "/api/v1/calls?result="+result+"&since="+from.UTC().Format(time.RFC3339))
		whole := 0
		for _, r := range records {
			if r.Recording.State == "complete" && r.Recording.Missing == 0 {
				whole++
			}
		}
		return whole >= n, err
	})
	if err != nil {
		return nil, fmt.Errorf("%d of %d calls have a record with a whole recording: %w", len(records), n, err)
	}
	return records, nil
}
