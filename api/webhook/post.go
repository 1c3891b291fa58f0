package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Headers of a notice.
const (
	EventHeader     = "Callbox-Event-Id"
	AttemptHeader   = "Callbox-Attempt"
	SignatureHeader = "Callbox-Signature"
)

// answerTime is how long a receiver may take.
const answerTime = 5 * time.Second

// errSlow is the cause of an attempt that took too long.
var errSlow = errors.New("no answer within 5 s")

// Signature is the value of [SignatureHeader]: t=UNIX,v1=HEX, where HEX is
// HMAC-SHA256(secret, t + "." + body).
func Signature(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// post makes one attempt. nil: the receiver has it, or there is nothing in its
// shape to send.
func (s *Sender) post(ctx context.Context, d Delivery) error {
	o, err := s.outgoing(d)
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := s.ask(ctx, d, o)
	if err == nil {
		s.heard(ctx, d, answer)
	}
	return err
}

// ask makes a request and gives the beginning of its answer.
func (s *Sender) ask(ctx context.Context, d Delivery, o outgoing) (answer []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, errSlow)
	defer cancel()
	req, err := o.request(ctx, d)
	if err != nil {
		return nil, err
	}
	res, err := s.client(d).Do(req)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	return answer, verdict(o.method, res, because(ctx, err))
}

// because puts the context's cause in place of its bare error.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func verdict(method string, res *http.Response, reading error) error {
	switch {
	case res.StatusCode < 200 || res.StatusCode > 299:
		return fmt.Errorf("answer %s", res.Status)
	case res.Request != nil && res.Request.Method != method:
		return errors.New("a redirect lost the body; answer with 307 or 308")
	}
	return reading
}
