package v253

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// OffHook seizes the line.
func (m *Modem) OffHook(ctx context.Context) error {
	return m.command(ctx, m.profile.hooks.off, answerLimit)
}

// OnHook ends a live stream and hangs up.
func (m *Modem) OnHook(ctx context.Context) error {
	return m.command(ctx, m.profile.hooks.on, answerLimit)
}

// Flash opens the loop for so long and closes it again (R key, transfer in a PBX).
func (m *Modem) Flash(ctx context.Context, open time.Duration) error {
	if flash := m.profile.hooks.flash; flash != "" {
		return m.command(ctx, fmt.Sprintf(flash, max(1, open/(10*time.Millisecond))), answerLimit+open)
	}
	if err := m.OnHook(ctx); err != nil {
		return fmt.Errorf("flash: %w", err)
	}
	if err := m.pause(ctx, open); err != nil {
		return fmt.Errorf("flash: %w", err)
	}
	if err := m.OffHook(ctx); err != nil {
		return fmt.Errorf("flash: %w", err)
	}
	return nil
}

// Dial sends digits once off hook and returns when they are sent. A comma is a
// pause of two seconds; what is no key is left out.
func (m *Modem) Dial(ctx context.Context, digits string) error {
	for i, part := range strings.Split(digits, ",") {
		if i > 0 {
			if err := m.pause(ctx, 2*time.Second); err != nil {
				return fmt.Errorf("dialling: %w", err)
			}
		}
		part = keysOf(part)
		if part == "" {
			continue
		}
		limit := answerLimit + time.Duration(len(part))*300*time.Millisecond
		if err := m.command(ctx, m.profile.dial(part), limit); err != nil {
			return fmt.Errorf("dialling: %w", err)
		}
	}
	return nil
}

// dial is the command that sends keys and stays in command state.
func (p profile) dial(keys string) string {
	if p.dialVT {
		return "AT+VTS=" + strings.Join(strings.Split(keys, ""), ",")
	}
	return "ATDT" + keys + ";"
}

func keysOf(digits string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && key(byte(r)) {
			return r
		}
		return -1
	}, digits)
}

func (m *Modem) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-m.closed:
		return m.gone()
	}
}

// Check sees whether the box still answers. While audio flows it does.
func (m *Modem) Check(ctx context.Context) error {
	if m.live() != nil {
		return nil
	}
	return m.command(ctx, "AT", answerLimit)
}

// Talk begins audio in both directions (+VTR); the box is off hook.
func (m *Modem) Talk(ctx context.Context) (*Stream, error) {
	return m.open(ctx, "AT+VTR", true)
}

// Listen hears the line without seizing it (+VLS=20 where the chip has it, and
// +VRX): what both people beside the box say.
func (m *Modem) Listen(ctx context.Context) (*Stream, error) {
	if m.profile.hooks.listen == "" {
		return nil, fmt.Errorf("listening on the line: %w: %s cannot", ErrRefused, m.profile.name)
	}
	// By the book there is no such device, and +VRX hears what there is.
	if err := m.command(ctx, m.profile.hooks.listen, answerLimit); err != nil && !errors.Is(err, ErrRefused) {
		return nil, fmt.Errorf("listening on the line: %w", err)
	}
	return m.open(ctx, "AT+VRX", false)
}

// open asks for a data state.
func (m *Modem) open(ctx context.Context, command string, both bool) (*Stream, error) {
	if err := m.hold(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	defer m.release()
	if err := m.ready(ctx); err != nil {
		return nil, fmt.Errorf("before %s: %w", command, err)
	}
	s := m.arm(newStream(m, both))
	_, err := m.ask(ctx, command, answerLimit)
	if err == nil && !s.begun() {
		err = ErrRefused // OK where CONNECT belongs
	}
	if err != nil {
		m.disarm(err)
		return nil, err
	}
	return s, nil
}

// arm makes CONNECT begin the stream.
func (m *Modem) arm(s *Stream) *Stream {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stream = s
	m.parser.armed = true
	return s
}

func (m *Modem) disarm(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finish(cause)
	m.parser.toText()
}
