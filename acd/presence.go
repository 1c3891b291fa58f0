package acd

import (
	"time"

	"callbox/cti"
)

// socketOpen says that a screen of the agent's is connected.
func (b *board) socketOpen(d *desk) {
	d.sockets++
	d.socket++
	if d.away {
		d.away = false
		b.tell(d, "")
	}
}

// socketClosed says that one is gone. The state stays; without any for
// [AwayAfter] the desk is not offered calls.
func (b *board) socketClosed(d *desk, now time.Time) {
	d.sockets--
	b.socketGone(d, now)
}

func (b *board) socketGone(d *desk, now time.Time) {
	if d.sockets > 0 {
		return
	}
	d.socket++
	socket := d.socket
	b.alarms.set(now.Add(AwayAfter), func(time.Time) {
		if d.socket == socket && d.loggedOn() {
			d.away = true
			b.tell(d, "")
		}
	})
}

// phoneOf is the device by which an agent is rung: the page, where one is a
// phone, before the telephone; "" where there is neither.
func (b *board) phoneOf(a Agent) cti.Device {
	if page := b.pageOf(a.ID); page != "" {
		return page
	}
	if a.Extension != "" && b.deps.Phones.Reachable(a.Extension) {
		return cti.Device("sip:" + a.Extension)
	}
	return ""
}

// pageOf is the page that is a user's phone, "" where none is.
func (b *board) pageOf(user string) cti.Device {
	if b.deps.Browsers == nil || !b.deps.Browsers.Reachable(user) {
		return ""
	}
	return cti.Device(cti.Browser + ":" + user)
}

// phoneChanged looks again by which phone the agents with an extension, or id,
// can be rung.
func (b *board) phoneChanged(address string) {
	for _, d := range b.order {
		if d.agent.Extension != address && d.agent.ID != address {
			continue
		}
		phone := b.phoneOf(d.agent)
		if phone == d.phone {
			continue
		}
		d.phone = phone
		if d.loggedOn() {
			b.tell(d, "")
		} else {
			b.touch(d)
		}
	}
}
