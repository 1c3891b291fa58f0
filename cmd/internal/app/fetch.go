package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"callbox/cti"
	"callbox/ivr"
)

var (
	_ cti.Fetcher = fetcher{}
	_ ivr.Fetcher = fetcher{}
)

// fetcher gets JSON from other programs: look-ups and flows' http nodes.
type fetcher struct{ client *http.Client }

// maxReply is the largest answer in bytes that is read.
const maxReply = 1 << 20

// Get gives the JSON at url, nil for a 404.
func (f fetcher) Get(ctx context.Context, url string) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the other side answers %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxReply {
		return nil, errors.New("the answer is larger than 1 MB")
	}
	return body, nil
}
