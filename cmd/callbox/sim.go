package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"callbox/cmpp"
	"callbox/cmpp/cmpptest"
	"callbox/internal/guard"
)

// simCmd holds the simulators. They stay in the foreground until SIGTERM.
type simCmd struct {
	SMSC   smscCmd    `cmd:"" name:"smsc" help:"A CMPP SMS centre with faults on demand."`
	Caller callerCmd  `cmd:"" help:"SIP callers: dial, press keys, talk, hang up."`
	Box    simBoxCmd  `cmd:"" help:"The voice box firmware as a host process."`
	Line   simLineCmd `cmd:"" help:"An exchange and a caller on an analogue line."`
}

// Help gives an example.
func (simCmd) Help() string {
	return "Example: callbox sim smsc --listen 127.0.0.1:7890 --sp-id 901234 --secret secret"
}

// smscCmd is an SMS centre for integrators without a carrier.
type smscCmd struct {
	Listen      string        `default:"127.0.0.1:7890" help:"Where clients log in (CMPP)."`
	Control     string        `default:"127.0.0.1:7891" help:"HTTP remote control: POST /mo /fault /disconnect, GET /submits /stats; empty: none."`
	SPID        string        `name:"sp-id" default:"901234" help:"The only account; empty: any."`
	Secret      string        `default:"secret" help:"Its shared secret; empty: log-ins are not checked."`
	Protocol    string        `enum:"cmpp3,cmpp2" default:"cmpp3" help:"Highest version spoken."`
	Window      int           `default:"16" help:"Most SUBMITs open on a connection."`
	ReportDelay time.Duration `default:"1s" help:"From acceptance to the report."`
	Reply       string        `help:"Answer every text with this after two seconds."`

	RefuseLogin   int           `help:"Fault: status every CONNECT gets (1-5)."`
	ResponseDelay time.Duration `help:"Fault: delay of every SUBMIT_RESP."`
	DropResponses int           `help:"Fault: so many SUBMITs get no answer (-1: all)."`
	Throttle      int           `help:"Fault: so many SUBMITs get result 8 (-1: all)."`
	Reject        int           `help:"Fault: so many SUBMITs get --reject-result (-1: all)."`
	RejectResult  int           `default:"13" help:"Result of rejected SUBMITs."`
	CutBefore     int           `help:"Fault: so many SUBMITs end the connection before their answer."`
	CutAfter      int           `help:"Fault: so many SUBMITs end the connection after their answer."`
	Stat          string        `default:"DELIVRD" help:"Stat of the reports."`
	NoReports     bool          `help:"Fault: no reports."`
	ReportFirst   bool          `help:"Fault: reports leave before their SUBMIT_RESP."`
	DoubleReports bool          `help:"Fault: every report comes twice."`
	Stall         bool          `help:"Fault: nothing is read or answered."`
}

// Help gives an example.
func (smscCmd) Help() string {
	return `Prints one line "ready cmpp=HOST:PORT control=http://HOST:PORT" to stderr.

Example: callbox sim smsc --listen 127.0.0.1:7890 --sp-id 901234 --secret secret --throttle 100
         curl -d '{"from":"13800138000","to":"10690000","text":"1"}' http://127.0.0.1:7891/mo`
}

func (c *smscCmd) config(s *session) cmpptest.Config {
	cfg := cmpptest.Config{
		SPID: c.SPID, Secret: c.Secret, Window: c.Window, ReportDelay: c.ReportDelay, Log: s.log,
		Faults: cmpptest.Faults{
			RefuseLogin: cmpp.ConnectStatus(c.RefuseLogin), ResponseDelay: cmpptest.Seconds(c.ResponseDelay.Seconds()),
			DropResponses: c.DropResponses, Throttle: c.Throttle, Reject: c.Reject, RejectResult: cmpp.Result(c.RejectResult),
			CutBefore: c.CutBefore, CutAfter: c.CutAfter, Stat: cmpp.Stat(c.Stat),
			NoReports: c.NoReports, ReportFirst: c.ReportFirst, DoubleReports: c.DoubleReports, Stall: c.Stall,
		},
	}
	if c.Protocol == "cmpp2" {
		cfg.Version = cmpp.V20
	}
	if c.Reply != "" {
		cfg.OnText = func(string, string) (string, time.Duration) { return c.Reply, 2 * time.Second }
	}
	return cfg
}

// Run serves until SIGTERM.
func (c *smscCmd) Run(s *session) error {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("callbox sim smsc: %w", err)
	}
	centre := cmpptest.New(c.config(s))
	ready := "ready cmpp=" + listener.Addr().String()
	var wg guard.Group
	wg.Log = s.log
	if c.Control != "" {
		remote, err := net.Listen("tcp", c.Control)
		if err != nil {
			return fmt.Errorf("callbox sim smsc: %w", errors.Join(err, listener.Close()))
		}
		ready += " control=http://" + remote.Addr().String()
		wg.Go("sms centre's control", func() { serveControl(s, remote, centre.Control()) })
	}
	fmt.Fprintln(s.err, ready)
	err = centre.Serve(s.ctx, listener)
	wg.Wait()
	return err
}

func serveControl(s *session, listener net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	if err := guard.Serve(s.ctx, server, listener, time.Second, s.log); err != nil {
		s.log.Error("control of the simulator ended", "err", err)
	}
}
