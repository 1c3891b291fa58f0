package acd

import "time"

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

// phoneChanged looks again whether the phones of an extension can be rung.
func (b *board) phoneChanged(extension string) {
	phone := b.deps.Phones.Reachable(extension)
	for _, d := range b.order {
		if d.agent.Extension != extension || d.phone == phone {
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
