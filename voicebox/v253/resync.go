package v253

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Leaving any data state: first what is still to be played goes (DLE CAN),
// then each state's end, with one DLE and with three (Zoom 3095), and a CR that
// ends half a command. Where no data state runs this is a line that does not
// begin with AT, which boxes ignore.
const awaken = "\x10\x18" + endSend + endTalk + endListen +
	threeDLE + endSend + threeDLE + endTalk + threeDLE + endListen + "\r"

// Times of the search for a box.
const (
	drainQuiet = 80 * time.Millisecond  // so long nothing: what was under way has come
	drainLimit = 250 * time.Millisecond // then AT is tried into the noise
	afterOK    = 40 * time.Millisecond
	textLimit  = 1200 * time.Millisecond // for the answer that shows that question and answer belong together
)

// patience is how long each round of the search waits for an answer.
var patience = [...]time.Duration{300 * time.Millisecond, 500 * time.Millisecond, 800 * time.Millisecond, 1200 * time.Millisecond}

// bareResults is how many results that belong to earlier codes are passed over.
const bareResults = 4

// hello makes answers readable: no echo, words, result codes on.
const hello = "ATE0Q0V1"

// resync finds the box in whatever state it is; the turn is held. A box that
// lives is found in 0.1 s, one that needs a second try in 1 s; ErrSilent comes
// after 3.2 s, or 3.8 s when there is noise all the time.
func (m *Modem) resync(ctx context.Context) error {
	m.listenDeaf(true)
	defer m.listenDeaf(false)
	var err error
	for _, limit := range patience {
		if err = m.send(ctx, awaken); err != nil {
			return fmt.Errorf("resync: %w", err)
		}
		if err = m.drain(ctx, drainQuiet, drainLimit); err != nil {
			return fmt.Errorf("resync: %w", err)
		}
		if err = m.greet(ctx, limit); err == nil {
			m.owed.Store(false)
			return nil
		}
		if !errors.Is(err, ErrSilent) && !refused(err) {
			return fmt.Errorf("resync: %w", err)
		}
	}
	return fmt.Errorf("resync: %w", err)
}

// greet makes the box's answers readable and sure. An OK may belong to a code
// that ended a data state, and then every answer would be taken for the next
// command's; so the box is asked for something that has a text, and results
// without a text are passed over.
func (m *Modem) greet(ctx context.Context, limit time.Duration) error {
	if _, err := m.ask(ctx, hello, limit); err != nil {
		return err
	}
	q := &question{command: "ATI0", bare: bareResults, final: make(chan string, 1)}
	err := m.inquire(ctx, q, max(limit, textLimit))
	if errors.Is(err, ErrSilent) && q.bare < bareResults { // it has no text, but it lives
		return nil
	}
	return err
}

// listenDeaf begins or ends the time in which only answers count.
func (m *Modem) listenDeaf(deaf bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deaf = deaf
	if deaf {
		m.finish(ErrEnded)
		m.parser.toText()
		m.report = report{}
		m.ripe.Stop()
	}
}

// drain waits until nothing came for quiet, at most limit.
func (m *Modem) drain(ctx context.Context, quiet, limit time.Duration) error {
	end := time.NewTimer(limit)
	defer end.Stop()
	still := time.NewTimer(quiet)
	defer still.Stop()
	for {
		select {
		case <-m.heard:
			still.Reset(quiet)
		case <-still.C:
			return nil
		case <-end.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.closed:
			return m.gone()
		}
	}
}

// start is what Open does with a port that is read and written.
func (m *Modem) start(ctx context.Context, name string) error {
	if err := m.hold(ctx); err != nil {
		return err
	}
	defer m.release()
	if err := m.resync(ctx); err != nil {
		return err
	}
	if err := m.identify(ctx, name); err != nil {
		return err
	}
	return m.setup(ctx)
}

// identify asks a box what it is. ATI6 is where Silicon Labs chips tell their
// model; what a box refuses is left out.
func (m *Modem) identify(ctx context.Context, name string) error {
	answers := map[string]string{}
	var all []string
	for _, command := range []string{"ATI0", "ATI3", "ATI6", "AT+GMI", "AT+GMM", "AT+GMR", "AT+GSN"} {
		lines, err := m.ask(ctx, command, answerLimit)
		if err != nil && !errors.Is(err, ErrRefused) {
			return fmt.Errorf("identifying: %w", err)
		}
		if command != "AT+GSN" { // a serial number looks like any model's
			all = append(all, lines...)
		}
		answers[command] = told(lines)
	}
	if err := m.adopt(name, all); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.identity = Identity{
		Profile: m.profile.name, Maker: answers["AT+GMI"], Model: first(answers["AT+GMM"], answers["ATI3"]),
		Version: first(answers["AT+GMR"], answers["ATI3"]), Serial: answers["AT+GSN"],
	}
	return nil
}

// told is the first line of an answer without a prefix like "+GMI: ".
func told(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	line := lines[0]
	if head, rest, found := strings.Cut(line, ":"); found && strings.HasPrefix(head, "+") {
		line = rest
	}
	return strings.Trim(line, ` "`)
}

func (m *Modem) adopt(name string, answers []string) error {
	if name == "" || name == "auto" {
		m.profile = recognise(answers)
		return nil
	}
	p, ok := findProfile(name)
	if !ok {
		return fmt.Errorf("profile %q is none of auto, callbox, usr5637, cx930xx, si24xx", name)
	}
	m.profile = p
	return nil
}

// setup runs the profile's sequence and chooses the codec; the turn is held.
func (m *Modem) setup(ctx context.Context) error {
	for _, s := range m.profile.setup {
		_, err := m.ask(ctx, s.command, answerLimit)
		switch {
		case err == nil:
		case !errors.Is(err, ErrRefused):
			return fmt.Errorf("setting up: %w", err)
		case s.must:
			return fmt.Errorf("setting up: %w: %w", ErrNoVoice, err)
		default:
			m.log.Debug("voice box: a command of the setup was refused", "command", s.command)
		}
	}
	if err := m.chooseCodec(ctx); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	if _, err := m.ask(ctx, m.profile.hooks.on, answerLimit); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	return nil
}

// chooseCodec reads +VSM=? and takes a codec by its name and bits, first with
// two arguments, then with four.
func (m *Modem) chooseCodec(ctx context.Context) error {
	lines, err := m.ask(ctx, "AT+VSM=?", answerLimit)
	if err != nil && !errors.Is(err, ErrRefused) {
		return err
	}
	choice, coding := choose(readMethods(lines), m.profile.wide)
	if coding == noCoding {
		return fmt.Errorf("%w: no codec of %q is known", ErrNoVoice, lines)
	}
	two := fmt.Sprintf("AT+VSM=%d,8000", choice.number)
	_, err = m.ask(ctx, two, answerLimit)
	if errors.Is(err, ErrRefused) {
		_, err = m.ask(ctx, two+",0,0", answerLimit)
	}
	if err != nil {
		return err
	}
	m.set, m.coding = choice, coding
	m.log.Debug("voice box: codec", "name", choice.name, "bits", choice.bits, "number", choice.number)
	return nil
}

// Reset finds the box again and sets it up anew, on hook: after an error, or
// when it stopped answering. A live stream ends.
func (m *Modem) Reset(ctx context.Context) error {
	if err := m.hold(ctx); err != nil {
		return fmt.Errorf("resetting the voice box: %w", err)
	}
	defer m.release()
	if err := m.resync(ctx); err != nil {
		return fmt.Errorf("resetting the voice box: %w", err)
	}
	if err := m.setup(ctx); err != nil {
		return fmt.Errorf("resetting the voice box: %w", err)
	}
	return nil
}
