package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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

func newPost(ctx context.Context, program, dir string, f files, faults cmpptest.Faults) (*post, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sms centre: %w", err)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &post{centre: cmpptest.New(cmpptest.Config{SPID: spID, Secret: secret, Window: f.window, Faults: faults}), stop: stop}
	p.runs.Go("sms centre", func() { _ = p.centre.Serve(life, ln) }) // texts that do not come tell
	f.smsc = ln.Addr().String()
	if p.box, err = newBox(ctx, program, dir, f); err != nil {
		return nil, errors.Join(err, p.close())
	}
	err = until(ctx, startLimit, func() (bool, error) { return p.centre.Stats().Connections >= max(1, f.connections), nil })
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

// numbers are n telephone numbers from the i-th on.
func numbers(i, n int) []string {
	to := make([]string, n)
	for k := range to {
		to[k] = fmt.Sprintf("138%08d", i+k)
	}
	return to
}

// job is what is posted: one text to some numbers.
func job(to []string) map[string]any {
	return map[string]any{"to": to, "text": "Work order for " + to[0], "class": "notice"}
}

// send posts one job to one number.
func (c *client) send(ctx context.Context, i int) error {
	return c.do(ctx, http.MethodPost, "/api/v1/sms/jobs", http.StatusAccepted, job(numbers(i, 1)), nil)
}

// tube is one connection to the box's HTTP server for one request after another:
// much cheaper than [net/http]'s client, which would be what is measured.
type tube struct {
	box  *box
	conn net.Conn
	in   *bufio.Reader
}

func (b *box) tube(ctx context.Context) (*tube, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(b.http, "http://"))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &tube{b, conn, bufio.NewReader(conn)}, nil
}

// post posts a job and waits for its 202.
func (t *tube) post(job map[string]any) error {
	body, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	request := fmt.Sprintf("POST /api/v1/sms/jobs HTTP/1.1\r\nHost: box\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", t.box.key, len(body), body)
	_ = t.conn.SetDeadline(time.Now().Add(startLimit)) // a box that hangs shows in what follows
	if _, err := io.WriteString(t.conn, request); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	resp, err := http.ReadResponse(t.in, nil)
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return err
}

// sendAll posts n texts, so many to a job, over so many connections.
func (p *post) sendAll(ctx context.Context, n, each, clients int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg guard.Group
	var next atomic.Int64
	for range clients {
		wg.Go("client", func() {
			t, err := p.tube(ctx)
			if err != nil {
				cancel(err)
				return
			}
			defer t.conn.Close()
			for i := int(next.Add(int64(each))) - each; i < n && ctx.Err() == nil; i = int(next.Add(int64(each))) - each {
				if err := t.post(job(numbers(i, min(each, n-i)))); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// load is how texts come.
type load struct {
	texts, each, clients int
	name                 string
}

// run sends texts and waits for the last report.
func (l load) run(ctx context.Context, p *post, reach string) ([]row, error) {
	before, err := p.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.sendAll(ctx, l.texts, l.each, l.clients); err != nil {
		return nil, err
	}
	accepted := time.Since(began)
	err = until(ctx, time.Minute, func() (bool, error) { return p.centre.Stats().Acknowledged >= l.texts, nil })
	if err != nil {
		return nil, fmt.Errorf("reports: %+v: %w", p.centre.Stats(), err)
	}
	all := time.Since(began)
	after, err := p.cpu()
	if err != nil {
		return nil, err
	}
	n := float64(l.texts)
	return []row{{
		l.name, fmt.Sprintf("%.0f/s, accepted %.0f/s, %.2f ms CPU a text", n/all.Seconds(), n/accepted.Seconds(),
			1000*(after-before).Seconds()/n), reach,
	}}, p.delivered(ctx, l.texts)
}

// texts sends many texts and waits for the last report: one to a job, and many.
func (b *bench) texts(ctx context.Context, dir string) (rows []row, err error) {
	for _, l := range []load{
		{b.jobs, 1, b.clients, fmt.Sprintf("HTTP to the last report: %d jobs of one text, %d clients, window %d", b.jobs, b.clients, b.window)},
		{b.jobs, 100, 4, fmt.Sprintf("HTTP to the last report: %d jobs of 100 texts, 4 clients, window %d", b.jobs/100, b.window)},
	} {
		got, err := b.through(ctx, dir, l, files{window: b.window}, ">= 5000/s")
		if err != nil {
			return rows, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

// slowTexts is texts where each commit takes 20 ms more. A centre lets 16 reports
// be open on a connection, and each is on disk before it is answered.
func (b *bench) slowTexts(ctx context.Context, dir string) (rows []row, err error) {
	for _, connections := range []int{1, 4} {
		l := load{4000, 1, b.clients, fmt.Sprintf("the same, 20 ms a commit, %d clients, window 16, connections %d", b.clients, connections)}
		f := files{window: 16, connections: connections, flags: []string{"--slow-sync", "20ms"}}
		got, err := b.through(ctx, dir, l, f, ">= 500/s")
		if err != nil {
			return rows, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

// through runs a load through a box of its own.
func (b *bench) through(ctx context.Context, dir string, l load, f files, reach string) (rows []row, err error) {
	p, err := newPost(ctx, b.program, dir, f, cmpptest.Faults{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close(), clean(dir)) }()
	return l.run(ctx, p, reach)
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
		return fmt.Errorf("%d texts went out for %d", sent, n)
	}
	return nil
}

// submits sends jobs one by one and times each from its 202 to its SUBMIT.
func (b *bench) submits(ctx context.Context, dir string) (rows []row, err error) {
	p, err := newPost(ctx, b.program, dir, files{window: 16}, cmpptest.Faults{})
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
