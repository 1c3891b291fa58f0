package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"callbox/acd"
	"callbox/api"
	"callbox/cti"
	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/ivr"
	"callbox/ivr/speech"
)

var (
	_ acd.Announcer = music{}
	_ cti.Fetcher   = fetcher{}
	_ ivr.Prompts   = prompts{}
)

// music is what waiting callers hear.
type music struct{ prompt media.Prompt }

// Wait plays until ctx ends.
func (m music) Wait(ctx context.Context, call *cti.Call, _ acd.Queue) error {
	return call.Media().Play(ctx, m.prompt)
}

// prompts are the sounds that flows name.
type prompts struct{ *speech.Library }

// Prompt loads one.
func (p prompts) Prompt(ctx context.Context, name string) (media.Prompt, error) {
	return p.Load(ctx, name)
}

// fetcher gets a look-up's answer.
type fetcher struct{ client *http.Client }

// maxReply is the largest answer in bytes that is read.
const maxReply = 1 << 20

// Get gives the JSON at url, nil for a 404.
func (f fetcher) Get(ctx context.Context, url string) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("look-up: %w", err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("look-up: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("look-up: the other side answers %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("look-up: %w", err)
	}
	if len(body) > maxReply {
		return nil, errors.New("look-up: the answer is larger than 1 MB")
	}
	return body, nil
}

// serveHTTP answers requests until its context ends; screens are closed by the
// face itself.
func (a *app) serveHTTP(face *api.API) func(context.Context) error {
	return func(ctx context.Context) error {
		server := api.NewServer(face.Handler(), a.Log)
		g := guard.Group{Log: a.Log}
		ended := make(chan struct{})
		g.Go("http closes", func() {
			select {
			case <-ctx.Done():
			case <-ended:
			}
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if server.Shutdown(limit) != nil {
				_ = server.Close() // what did not end in time; Serve tells the rest
			}
		})
		err := server.Serve(a.listener)
		close(ended)
		g.Wait()
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}
