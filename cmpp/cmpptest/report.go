package cmpptest

import (
	"time"

	"callbox/cmpp"
)

// strangeGateway is the gateway code in the ids of orphan reports.
const strangeGateway = 0x3fffff

// fate is what becomes of one number's text, drawn when it is accepted.
type fate struct {
	stat                        cmpp.Stat
	early, double, late, orphan bool
}

// fates draws for each number of a SUBMIT; nil when no reports are wanted. The
// caller holds the lock.
func (c *Centre) fates(p *cmpp.Submit) []fate {
	f := &c.faults
	if p.RegisteredDelivery != 1 || f.NoReports {
		return nil
	}
	all := make([]fate, len(p.DestTerminalID))
	for i := range all {
		all[i] = fate{
			stat:  f.Stat,
			early: f.ReportFirst || c.chance(f.EarlyShare), double: f.DoubleReports || c.chance(f.DoubleShare),
			late: c.chance(f.LateShare), orphan: c.chance(f.OrphanShare),
		}
		all[i].late = all[i].late && !all[i].early
		if c.chance(f.FailShare) {
			all[i].stat = f.FailStats[c.random.IntN(len(f.FailStats))]
		}
	}
	return all
}

// report plans the reports on a SUBMIT: the early ones now, or the others
// after the delay of its answer. The caller holds the lock.
func (s *session) report(p *cmpp.Submit, id cmpp.MsgID, fates []fate, early bool, delay time.Duration) {
	submitted := cmpp.ReportTime(s.c.cfg.Now())
	for i, fate := range fates {
		if fate.early != early {
			continue
		}
		r := cmpp.Report{MsgID: id.Plus(i), Stat: fate.stat, SubmitTime: submitted, DestTerminalID: p.DestTerminalID[i]}
		s.planReport(p.SrcID, r, fate, delay)
	}
}

func (s *session) planReport(to string, r cmpp.Report, fate fate, delay time.Duration) {
	f := &s.c.faults
	if !fate.early {
		delay += s.c.cfg.ReportDelay + s.c.jitter(f.ReportJitter)
	}
	if fate.late {
		delay += f.LateDelay.Duration()
	}
	if f.Intermediate {
		before := r
		before.Stat = cmpp.StatAccepted
		s.c.plan(delay, s.reporting(to, before))
	}
	d := s.reporting(to, r)
	d.main = true
	s.c.planned[r.MsgID] = d
	s.c.plan(delay, d)
	if fate.double {
		s.c.plan(delay, d.again())
	}
	if fate.orphan {
		stray := r
		stray.MsgID = cmpp.NewMsgID(s.c.cfg.Now(), strangeGateway, r.MsgID.Sequence())
		s.c.stats.Orphans++
		s.c.plan(delay, s.reporting(to, stray))
	}
}

func (s *session) reporting(to string, r cmpp.Report) *delivery {
	return &delivery{
		report: &r, to: to, from: r.DestTerminalID, spID: s.spID, origin: s.number, foreign: s.c.faults.ForeignReports,
	}
}

// release sends the reports that were held, once they no longer are. The
// caller holds the lock.
func (c *Centre) release() {
	if c.faults.HoldReports || len(c.held) == 0 {
		return
	}
	c.waiting = append(c.waiting, c.held...)
	c.held = nil
	c.dispatch()
}

// cancel takes a message back whose report has not left yet: it is reported as
// DELETED. The caller holds the lock.
func (c *Centre) cancel(id cmpp.MsgID) *cmpp.CancelResp {
	d := c.planned[id]
	if d == nil {
		return &cmpp.CancelResp{SuccessID: 1}
	}
	c.stats.Canceled++
	d.report.Stat = cmpp.StatDeleted
	return &cmpp.CancelResp{}
}

// counts answers a QUERY with what was counted since the start, whatever day
// or service it asks for. The caller holds the lock.
func (c *Centre) counts(p *cmpp.Query) *cmpp.QueryResp {
	delivered := c.stats.Reports[string(cmpp.StatDelivered)]
	reported := 0
	for _, n := range c.stats.Reports {
		reported += n
	}
	return &cmpp.QueryResp{
		Time: p.Time, Type: p.Type, Code: p.Code,
		MTMessages: uint32(c.stats.Accepted), MTUsers: uint32(c.stats.Numbers),
		MTForwarded: uint32(delivered), MTWaiting: uint32(max(0, c.stats.Numbers-reported)), MTFailed: uint32(reported - delivered),
		MODelivered: uint32(c.stats.Incoming),
	}
}
