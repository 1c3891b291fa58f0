package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// EventTest is the event of [Sender.Test]; nothing ever tells of it by itself.
const EventTest = "test"

// errNoTest: other products have no word for a test.
var errNoTest = errors.New("this format has no test event; only callbox's own has")

// Test makes one attempt outside of the outbox, as a delivery would be made,
// and gives the status that it was answered with (0: no answer) and how long
// that took.
func (s *Sender) Test(ctx context.Context, d Delivery) (status int, took time.Duration, err error) {
	if d.Format != "" {
		return 0, 0, fmt.Errorf("%s: %w", d.Format, errNoTest)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, errSlow)
	defer cancel()
	req, err := own(d, "application/json", d.Body).request(ctx, d)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	res, err := s.client(d).Do(req)
	if err != nil {
		return 0, time.Since(begin), because(ctx, err)
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, time.Since(begin), verdict(http.MethodPost, res, because(ctx, err))
}

// client is the one that may go where a delivery goes.
func (s *Sender) client(d Delivery) *http.Client {
	if d.Trusted {
		return s.trusted
	}
	return s.guarded
}
