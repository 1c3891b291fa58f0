package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"callbox/cmpp/cmpptest"
	"callbox/internal/guard"
)

// post is a box with an SMS centre.
type post struct {
	*box
	centre *cmpptest.Centre
	runs   guard.Group
	stop   context.CancelFunc
}

func newPost(ctx context.Context, program, dir string, window int) (*post, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sms centre: %w", err)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &post{centre: cmpptest.New(cmpptest.Config{SPID: spID, Secret: secret, Window: window}), stop: stop}
	p.runs.Go("sms centre", func() { _ = p.centre.Serve(life, ln) }) // texts that do not come tell
	if p.box, err = newBox(ctx, program, dir, files{smsc: ln.Addr().String(), window: window}); err != nil {
		return nil, errors.Join(err, p.close())
	}
	err = until(ctx, startLimit, func() (bool, error) { return p.centre.Stats().Connections > 0, nil })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the box does not log in at the SMS centre: %w", err), p.close())
	}
	return p, nil
}

func (p *post) close() error {
	var err error
	if p.box != nil {
		err = p.box.stop()
	}
	p.stop()
	p.runs.Wait()
	return err
}

// send posts one job to one number.
func (c *client) send(ctx context.Context, i int) error {
	body := map[string]any{
		"to": []string{fmt.Sprintf("138%08d", i)}, "text": fmt.Sprintf("Work order %d", i), "class": "notice",
	}
	return c.do(ctx, http.MethodPost, "/api/v1/sms/jobs", http.StatusAccepted, body, nil)
}

// texts sends many jobs and waits for the last report.
func (b *bench) texts(ctx context.Context, dir string) (rows []row, err error) {
	p, err := newPost(ctx, b.program, dir, b.window)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	before, err := p.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.sendAll(ctx, b.jobs, b.clients); err != nil {
		return nil, err
	}
	accepted := time.Since(began)
	err = until(ctx, time.Minute, func() (bool, error) { return p.centre.Stats().Acknowledged >= b.jobs, nil })
	if err != nil {
		return nil, fmt.Errorf("reports: %+v: %w", p.centre.Stats(), err)
	}
	all := time.Since(began)
	after, err := p.cpu()
	if err != nil {
		return nil, err
	}
	n := float64(b.jobs)
	return []row{
		{
			fmt.Sprintf("%d texts, %d clients, HTTP to the last report, window %d", b.jobs, b.clients, b.window),
			fmt.Sprintf("%.0f/s (accepted %.0f/s)", n/all.Seconds(), n/accepted.Seconds()), ">= 5000/s",
		},
		{"CPU a text", fmt.Sprintf("%.2f ms", 1000*(after-before).Seconds()/n), ""},
	}, p.delivered(ctx, b.jobs)
}

func (p *post) sendAll(ctx context.Context, jobs, clients int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg guard.Group
	var next atomic.Int64
	c := p.api()
	for range clients {
		wg.Go("client", func() {
			for i := int(next.Add(1)); i <= jobs && ctx.Err() == nil; i = int(next.Add(1)) {
				if err := c.send(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// delivered waits until the box says so of n messages, and that none of them
// went out twice.
func (p *post) delivered(ctx context.Context, n int) error {
	c := p.api()
	var got int
	err := until(ctx, startLimit, func() (bool, error) {
		list, err := every[struct{}](ctx, c, "/api/v1/sms/messages?status=delivered")
		got = len(list)
		return got >= n, err
	})
	if err != nil {
		return fmt.Errorf("%d of %d texts are delivered: %w", got, n, err)
	}
	if sent := len(p.centre.Submits()); sent != n {
		return fmt.Errorf("%d texts went out for %d jobs", sent, n)
	}
	return nil
}

// submits sends jobs one by one and times each from its 202 to its SUBMIT.
func (b *bench) submits(ctx context.Context, dir string) (rows []row, err error) {
	p, err := newPost(ctx, b.program, dir, 16)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	c := p.api()
	var took, posts []time.Duration
	for i := range b.single {
		began := time.Now()
		if err := c.send(ctx, i); err != nil {
			return nil, err
		}
		accepted := time.Now()
		limit, cancel := context.WithTimeout(ctx, startLimit)
		all, err := p.centre.WaitSubmits(limit, i+1)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("text %d did not come: %w", i, err)
		}
		posts = append(posts, accepted.Sub(began))
		took = append(took, all[i].Time.Sub(accepted))
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return []row{
		{"POST of a job to its 202", spread(posts, 0.5, 0.95), ""},
		{"202 to SUBMIT on the wire, idle", spread(took, 0.5, 0.95), "p95 <= 50 ms"},
	}, nil
}
