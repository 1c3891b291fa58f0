package v253

import (
	"strings"
	"time"
)

// take is what the reader does with what it read. It holds mu and never waits.
func (m *Modem) take(in []byte, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.Sub(m.lastRead) >= noisePause {
		m.parser.pause()
	}
	m.lastRead, m.now = at, at
	m.parser.feed(in, (*ear)(m))
	m.noisy.Store(m.parser.noise)
	select {
	case m.heard <- struct{}{}:
	default:
	}
}

// ear is the Modem as its parser sees it; mu is held.
type ear Modem

func (e *ear) event(code byte) {
	m := (*Modem)(e)
	if m.deaf {
		return
	}
	if code == 'R' {
		m.endReport()
	}
	m.told = m.teller.tell(m.told[:0], code, m.parser.data, m.now)
	for _, t := range m.told {
		m.tell(t)
	}
}

func (e *ear) line(text []byte) {
	m := (*Modem)(e)
	switch {
	case strings.EqualFold(string(text), "RING"):
		e.event('R')
	case m.deaf:
		m.answered(text)
	case m.report.take(text):
		m.reportLine()
	default:
		m.answered(text)
	}
}

func (e *ear) reported(text []byte) {
	m := (*Modem)(e)
	switch {
	case m.deaf:
	case text == nil:
		m.endReport()
	default:
		m.report.take(text)
		m.ripe.Reset(reportPause) // when its end is lost
	}
}

func (e *ear) begun() {
	m := (*Modem)(e)
	m.answered([]byte("CONNECT"))
	if m.stream != nil {
		m.stream.begin()
	}
}

func (e *ear) audio(data []byte) {
	if e.stream != nil {
		e.stream.take(data)
	}
}

// ended is the box's end of a data state. When nobody asked for it, audio may
// still be on its way to a box that now takes commands: half a line there.
func (e *ear) ended() {
	m := (*Modem)(e)
	if m.question == nil {
		m.owed.Store(true)
	}
	m.finish(ErrEnded)
}

// reportLine belongs to a plain report: it waits for the next line of a plain report.
func (m *Modem) reportLine() {
	if m.report.ringEnded {
		m.endReport()
		return
	}
	m.ripe.Reset(reportPause)
}

func (m *Modem) reportRipe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = time.Now()
	if !m.over {
		m.parser.cut()
		m.endReport()
	}
}

// endReport tells what the report gathered so far.
func (m *Modem) endReport() {
	m.ripe.Stop()
	if m.report.ringEnded {
		m.tell(Event{Kind: RingEnded, At: m.now})
	}
	c, ok := m.report.done()
	if !ok || c == m.lastCall && m.now.Sub(m.lastAt) < time.Second {
		return
	}
	m.lastCall, m.lastAt = c, m.now
	m.tell(Event{Kind: CallerID, Caller: c, At: m.now})
}

// tell hands an event out; when nobody reads, the oldest goes.
func (m *Modem) tell(e Event) {
	for {
		select {
		case m.events <- e:
			return
		default:
		}
		select {
		case <-m.events:
			m.missed.Add(1)
		default:
		}
	}
}
