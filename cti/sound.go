package cti

import (
	"context"
	"errors"

	"callbox/cti/media"
	"callbox/internal/guard"
)

// sound sets up scenes: it remembers what is set, and changes what is to change.
type sound struct {
	call    *Call
	engine  media.Engine
	bridges map[[2]*member]bridged
	room    media.Room
	inside  map[*member]media.Port // of the room
	plays   map[*member]playing
}

type bridged struct {
	a, b media.Port
	undo func()
}

type playing struct {
	name string
	port media.Port
	stop context.CancelFunc
}

// set makes s heard. What ends goes first, so that nobody hears two things.
func (d *sound) set(s scene) {
	pairs, room := s.pairs()
	d.unbridge(pairs)
	d.empty(room)
	d.hush(s.prompts)
	for _, p := range pairs {
		if _, ok := d.bridges[p]; !ok {
			a, b := p[0].leg.Media(), p[1].leg.Media()
			d.bridges[p] = bridged{a, b, d.engine.Bridge(a, b)}
		}
	}
	d.fill(room, s)
	for _, m := range s.order {
		if away, ok := as[Absentee](m.leg); ok {
			away.Quiet(s.dispensable(m))
		}
	}
	for m, prompt := range s.prompts {
		if _, ok := d.plays[m]; !ok && len(prompt.PCMA) > 0 {
			d.plays[m] = d.play(m.leg.Media(), prompt)
		}
	}
}

// unbridge undoes the bridges that are not wanted, or whose ports have changed.
func (d *sound) unbridge(wanted [][2]*member) {
	if d.bridges == nil {
		d.bridges, d.inside, d.plays = map[[2]*member]bridged{}, map[*member]media.Port{}, map[*member]playing{}
	}
	for p, b := range d.bridges {
		if !hasPair(wanted, p) || p[0].leg.Media() != b.a || p[1].leg.Media() != b.b {
			b.undo()
			delete(d.bridges, p)
		}
	}
}

// empty takes out of the room who is not to be there.
func (d *sound) empty(wanted []*member) {
	stays := map[*member]bool{}
	for _, m := range wanted {
		stays[m] = true
	}
	for m, port := range d.inside {
		if !stays[m] || m.leg.Media() != port {
			d.room.Leave(port)
			delete(d.inside, m)
		}
	}
}

// fill lets everybody in the room hear whom they should.
func (d *sound) fill(room []*member, s scene) {
	if len(room) > 0 && d.room == nil {
		d.room = d.engine.Room()
	}
	for _, m := range room {
		d.inside[m] = m.leg.Media()
	}
	for _, m := range room {
		var sources []media.Port
		for _, o := range s.hears[m] {
			sources = append(sources, o.leg.Media())
		}
		d.room.Hear(d.inside[m], sources...)
	}
}

// hush ends prompts that are not wanted.
func (d *sound) hush(wanted map[*member]media.Prompt) {
	for m, p := range d.plays {
		if want, ok := wanted[m]; !ok || want.Name != p.name || m.leg.Media() != p.port {
			p.stop()
			delete(d.plays, m)
		}
	}
}

// play lets a party hear a prompt until it is stopped.
func (d *sound) play(port media.Port, p media.Prompt) playing {
	ctx, stop := context.WithCancel(d.call.ctx)
	guard.Go("prompt in a talk", d.call.log, func() {
		err := port.Play(ctx, p)
		if err != nil && ctx.Err() == nil && !errors.Is(err, media.ErrClosed) {
			d.call.log.Warn("a party waits in silence", "prompt", p.Name, "err", err)
		}
	})
	return playing{p.Name, port, stop}
}

// close ends all that is heard.
func (d *sound) close() {
	for p, b := range d.bridges {
		b.undo()
		delete(d.bridges, p)
	}
	d.hush(nil)
	clear(d.inside)
	if d.room != nil {
		d.room.Close()
		d.room = nil
	}
}
