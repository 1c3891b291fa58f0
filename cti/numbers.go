package cti

import "callbox/internal/guard"

// known says whether there is anything to be seen of a number.
func (n Number) known() bool { return n.E164 != "" || n.Raw != "" }

// over writes what n knows over old.
func (n Number) over(old Number) Number {
	if !n.known() {
		if n.Name != "" {
			old.Name = n.Name
		}
		return old
	}
	if n.Name == "" && n.E164 == old.E164 && n.Raw == old.Raw {
		n.Name = old.Name
	}
	return n
}

// party is the outside party's number: who called us, or whom we call.
func (o Origin) party() Number {
	if o.Direction == Out {
		return o.To
	}
	return o.From
}

// follow takes over what the outside leg learns of its numbers. Whoever needs
// what the leg knows by now asks catchUp first.
func (c *Call) follow() {
	leg, ok := c.leg.(Informer)
	if !ok {
		return
	}
	asked := make(chan chan struct{})
	c.informed = asked
	guard.Go("numbers of the call", c.log, func() {
		told := leg.Information()
		for {
			select {
			case i, more := <-told:
				told = c.take(i, more, told)
			case done := <-asked:
				told = c.takeAll(told)
				close(done)
			case <-c.ctx.Done():
				return
			}
		}
	})
}

// take hears one thing and gives the channel to go on with, nil at its end.
func (c *Call) take(i Information, more bool, told <-chan Information) <-chan Information {
	if !more {
		return nil
	}
	c.learn(i)
	return told
}

// takeAll hears what was told already.
func (c *Call) takeAll(told <-chan Information) <-chan Information {
	for told != nil {
		select {
		case i, more := <-told:
			told = c.take(i, more, told)
		default:
			return told
		}
	}
	return nil
}

// catchUp returns when everything that the leg told was heard.
func (c *Call) catchUp() {
	if c.informed == nil {
		return
	}
	done := make(chan struct{})
	select {
	case c.informed <- done:
		<-done
	case <-c.ctx.Done():
	}
}

// learn takes over numbers that came late: record, screens and look-up follow.
func (c *Call) learn(i Information) {
	before := c.Origin()
	after := before
	after.From = c.server.number(i.Calling).over(before.From)
	after.To = c.server.number(i.Called).over(before.To)
	if after.From == before.From && after.To == before.To {
		return
	}
	was, is := before.party(), after.party()
	other := is.E164 != was.E164 || is.Raw != was.Raw
	c.lookup.complete(func(agent string) {
		c.renumber(after)
		e := Event{Type: EventCallInformation, AgentID: agent}
		if other {
			e.UserData = c.linked(agent)
		}
		c.note(e)
	})
	if other {
		c.lookup.start(after)
	}
}
