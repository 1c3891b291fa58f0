package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"callbox/cmpp/cmpptest"
)

// clean empties a folder for the next box.
func clean(dir string) error {
	inside, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range inside {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

// pace measures texts a second where the way to the centre is long, and where
// the contract sets the rate.
func (b *bench) pace(ctx context.Context, dir string) (rows []row, err error) {
	const seconds = 6
	for _, way := range []struct {
		rtt  time.Duration
		rate int
	}{{40 * time.Millisecond, 0}, {100 * time.Millisecond, 0}, {40 * time.Millisecond, 100}} {
		n, name := int(seconds*16/way.rtt.Seconds()), fmt.Sprintf("texts a second, window 16, %d ms there and back", way.rtt.Milliseconds())
		if way.rate > 0 {
			n, name = seconds*way.rate, name+fmt.Sprintf(", %d/s by contract", way.rate)
		}
		got, answer, err := b.paced(ctx, dir, files{window: 16, rate: way.rate}, way.rtt, n)
		if err != nil {
			return rows, err
		}
		bound, why := 16/answer.Seconds(), fmt.Sprintf(" (answers took %.1f ms)", 1000*answer.Seconds())
		if way.rate > 0 {
			bound, why = float64(way.rate), ""
		}
		rows = append(rows, row{name, fmt.Sprintf("%.1f, %.1f %% of %.1f%s", got, 100*got/bound, bound, why), ">= 95 %"})
	}
	return rows, nil
}

// paced gives how many of n texts leave a second, the first and the last window
// not counted, and how long the centre's answers took as the box sees it.
func (b *bench) paced(ctx context.Context, dir string, f files, rtt time.Duration, n int) (rate float64, answer time.Duration, err error) {
	p, err := newPost(ctx, b.program, dir, f, cmpptest.Faults{ResponseDelay: cmpptest.Seconds(rtt.Seconds())})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.close(), clean(dir)) }()
	if err := p.sendAll(ctx, n, 100, 1); err != nil {
		return 0, 0, err
	}
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	all, err := p.centre.WaitSubmits(limit, n)
	if err != nil {
		return 0, 0, fmt.Errorf("%d of %d texts: %w", len(all), n, err)
	}
	answer, err = p.answers(ctx)
	return float64(n-32) / all[n-16].Time.Sub(all[16].Time).Seconds(), answer, err
}

var answerMetric = regexp.MustCompile(`(?m)^callbox_sms_answer_seconds_(sum|count)\{[^}]*\} (\S+)`)

// answers is how long the centre's answers took on average, by the box's metrics.
func (p *post) answers(ctx context.Context) (time.Duration, error) {
	text, err := p.api().fetch(ctx, http.MethodGet, "/metrics", http.StatusOK, nil)
	if err != nil {
		return 0, err
	}
	values := map[string]float64{}
	for _, m := range answerMetric.FindAllStringSubmatch(string(text), -1) {
		value, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return 0, fmt.Errorf("metrics: %w", err)
		}
		values[m[1]] += value
	}
	if values["count"] == 0 {
		return 0, errors.New("metrics: no answers of the centre")
	}
	return time.Duration(values["sum"] / values["count"] * float64(time.Second)), nil
}

// urgent measures how long a text takes from its 202 to its SUBMIT that is more
// urgent than a backlog.
func (b *bench) urgent(ctx context.Context, dir string) (rows []row, err error) {
	const tries = 20
	p, err := newPost(ctx, b.program, dir, files{window: 16, rate: 500}, cmpptest.Faults{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	began := time.Now()
	if err := p.sendAll(ctx, b.backlog, 5000, 1); err != nil {
		return nil, err
	}
	accepted := time.Since(began)
	c := p.api()
	var took []time.Duration
	for i := range tries {
		text := fmt.Sprintf("urgent %d", i)
		body := map[string]any{"to": []string{"13900000000"}, "text": text, "priority": "urgent"}
		if err := c.do(ctx, http.MethodPost, "/api/v1/sms/jobs", http.StatusAccepted, body, nil); err != nil {
			return nil, err
		}
		posted := time.Now()
		at, err := p.left(ctx, text)
		if err != nil {
			return nil, err
		}
		took = append(took, at.Sub(posted))
	}
	left := b.backlog + tries - len(p.centre.Submits())
	return []row{
		{fmt.Sprintf("%d texts in jobs of 5000, one client", b.backlog), fmt.Sprintf("accepted %.0f/s", float64(b.backlog)/accepted.Seconds()), ""},
		{fmt.Sprintf("202 to SUBMIT of an urgent text, %d waiting, 500/s", left), spread(took, 0.5, 0.95), "<= 1 s"},
	}, nil
}

// left waits until a text came to the centre and gives when.
func (p *post) left(ctx context.Context, text string) (at time.Time, err error) {
	seen := 0
	err = until(ctx, startLimit, func() (bool, error) {
		all := p.centre.Submits()
		for _, s := range all[seen:] {
			if s.Text == text {
				at = s.Time
				return true, nil
			}
		}
		seen = len(all)
		return false, nil
	})
	if err != nil {
		return at, fmt.Errorf("%q did not come: %w", text, err)
	}
	return at, nil
}

// storm holds all reports back and then lets them come at once.
func (b *bench) storm(ctx context.Context, dir string) (rows []row, err error) {
	p, err := newPost(ctx, b.program, dir, files{window: b.window}, cmpptest.Faults{HoldReports: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.sendAll(ctx, b.jobs, 100, 4); err != nil {
		return nil, err
	}
	c := p.api()
	err = until(ctx, time.Minute, func() (bool, error) {
		waiting, err := every[struct{}](ctx, c, "/api/v1/sms/messages?status=submitted")
		return len(waiting) == b.jobs, err
	})
	if err != nil {
		return nil, fmt.Errorf("texts before their reports: %w", err)
	}
	before, err := p.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	p.centre.SetFaults(cmpptest.Faults{})
	err = until(ctx, time.Minute, func() (bool, error) { return p.centre.Stats().Acknowledged >= b.jobs, nil })
	if err != nil {
		return nil, fmt.Errorf("reports: %+v: %w", p.centre.Stats(), err)
	}
	took := time.Since(began)
	after, err := p.cpu()
	if err != nil {
		return nil, err
	}
	return []row{{
		fmt.Sprintf("%d reports at once, 16 open at the centre", b.jobs),
		fmt.Sprintf("%.0f/s, %.2f ms CPU a report", float64(b.jobs)/took.Seconds(), 1000*(after-before).Seconds()/float64(b.jobs)), ">= 5000/s",
	}}, p.delivered(ctx, b.jobs)
}
