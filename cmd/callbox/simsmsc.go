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

// smscCmd is an SMS centre for integrators without a carrier.
type smscCmd struct {
	Listen      string        `default:"127.0.0.1:7890" help:"Where clients log in (CMPP)."`
	Control     string        `default:"127.0.0.1:7891" help:"HTTP remote control, see above; empty: none."`
	SPID        string        `name:"sp-id" default:"901234" help:"The only account; empty: any."`
	Secret      string        `default:"secret" help:"Its shared secret; empty: log-ins are not checked."`
	Unpadded    bool          `help:"Log-ins with the digest over an SP_Id that is not padded."`
	Protocol    string        `enum:"cmpp3,cmpp2" default:"cmpp3" help:"Highest version spoken."`
	RefuseNewer bool          `help:"With cmpp2: answer a CONNECT of 3.0 with status 4, not with a log-in in 2.0."`
	Window      int           `default:"16" help:"Most SUBMITs open on a connection; above it result 8."`
	Connections int           `help:"Most connections of the account at a time; 0: any number."`
	ActiveTest  time.Duration `help:"ACTIVE_TEST after so long without a word; 0: never."`
	ReportDelay time.Duration `default:"1s" help:"From acceptance to the report."`
	Reply       string        `help:"Answer every text with this after two seconds."`
	Keep        int           `default:"100000" help:"How many texts GET /submits remembers; 0: they are only counted."`
	Seed        uint64        `default:"1" help:"Of what happens at random."`

	smscFaults
}

// smscFaults are the faults that it begins with. POST /fault takes the same
// names with _ for -, without --, and times in seconds.
type smscFaults struct {
	RefuseLogin    int           `group:"Faults of log-ins and connections" help:"Status every CONNECT gets (1-5)."`
	WrongAuth      bool          `group:"Faults of log-ins and connections" help:"CONNECT_RESP without a valid AuthenticatorISMG."`
	Stall          bool          `group:"Faults of log-ins and connections" help:"Nothing is read or answered."`
	Mute           bool          `group:"Faults of log-ins and connections" help:"ACTIVE_TESTs are not answered."`
	ReadRate       int           `placeholder:"N" group:"Faults of log-ins and connections" help:"Read so many bytes a second from each connection."`
	ResponseDelay  time.Duration `group:"Faults of answers" help:"Delay of every SUBMIT_RESP."`
	ResponseJitter time.Duration `group:"Faults of answers" help:"Added to it at random, up to this."`
	DropResponses  int           `placeholder:"N" group:"Faults of answers" help:"N SUBMITs get no answer (-1: all)."`
	Duplicate      bool          `group:"Faults of answers" help:"A SUBMIT that comes again gets result 3."`
	Throttle       int           `placeholder:"N" group:"Faults of answers" help:"N SUBMITs get result 8 (-1: all)."`
	Rate           int           `placeholder:"N" group:"Faults of answers" help:"More than N numbers a second get result 8."`
	Reject         int           `placeholder:"N" group:"Faults of answers" help:"N SUBMITs get --reject-result (-1: all)."`
	RejectResult   int           `default:"13" group:"Faults of answers" help:"Result of rejected SUBMITs."`
	CutBefore      int           `placeholder:"N" group:"Faults of answers" help:"N SUBMITs end the connection before their answer."`
	CutAfter       int           `placeholder:"N" group:"Faults of answers" help:"N SUBMITs end the connection after their answer."`

	Stat           string        `default:"DELIVRD" group:"Faults of reports" help:"Stat of the reports."`
	FailShare      float64       `placeholder:"0…1" group:"Faults of reports" help:"Share of messages reported with one of --fail-stats."`
	FailStats      []string      `default:"UNDELIV" group:"Faults of reports" help:"Stats of these."`
	NoReports      bool          `group:"Faults of reports" help:"No reports."`
	HoldReports    bool          `group:"Faults of reports" help:"Reports wait until POST /fault {\"hold_reports\":false}, then come at once."`
	ReportJitter   time.Duration `group:"Faults of reports" help:"Added to --report-delay at random, up to this."`
	LateShare      float64       `placeholder:"0…1" group:"Faults of reports" help:"Share of messages whose reports take --late-delay longer."`
	LateDelay      time.Duration `default:"1m" group:"Faults of reports" help:"How much longer."`
	ReportFirst    bool          `group:"Faults of reports" help:"Reports leave before their SUBMIT_RESP."`
	EarlyShare     float64       `placeholder:"0…1" group:"Faults of reports" help:"Share of messages whose reports do."`
	DoubleReports  bool          `group:"Faults of reports" help:"Every report comes twice."`
	DoubleShare    float64       `placeholder:"0…1" group:"Faults of reports" help:"Share of messages whose reports do."`
	OrphanShare    float64       `placeholder:"0…1" group:"Faults of reports" help:"Share of messages beside whose reports come some that are nobody's."`
	ForeignReports bool          `group:"Faults of reports" help:"Reports come over another connection than the SUBMIT's."`
	Intermediate   bool          `group:"Faults of reports" help:"ACCEPTD comes before each report."`
	NarrowReports  bool          `group:"Faults of reports" help:"Reports of 60 bytes in 3.0."`
	SwappedIDs     bool          `name:"swapped-ids" group:"Faults of reports" help:"Reports name their message with its bytes reversed."`
	ShortLinkID    bool          `name:"short-link-id" group:"Faults of reports" help:"Report frames end 11 bytes early."`
	UDHI40         bool          `name:"udhi-40" group:"Faults of texts that come in" help:"Long ones with TP_udhi 0x40."`
}

// Help gives examples.
func (smscCmd) Help() string {
	return `Prints one line "ready cmpp=HOST:PORT control=http://HOST:PORT" to stderr. The remote
control speaks JSON:

    POST /mo            brings a text in: {"from","to","text"}; more keys say how: alphabet
                        (auto gbk ucs2), ref_bits (8 16), format (Msg_Fmt), order ([3,1,1]:
                        the parts as they come), shuffle, double, every (seconds), connection
    POST /report        sends a report that nobody waits for: {"to","id","from","stat"}
    POST /fault         changes faults, named as the flags below with _ for -, times in
                        seconds; GET shows them, DELETE heals
    GET  /submits       lists texts; ?to= ?repeat=true ?limit=
    GET  /stats         counts, repeated texts and result 8 among them
    GET  /connections   the clients
    POST /reset         forgets texts and counts
    POST /disconnect    ends all connections; /terminate asks the clients to

Example: callbox sim smsc --throttle 100

    callbox sim smsc --report-jitter 5s --fail-share 0.1 --fail-stats UNDELIV,MA:0001 --double-share 0.1 --early-share 0.1
    curl -d '{"from":"13800138000","to":"10690000","text":"1"}' http://127.0.0.1:7891/mo
    curl -d '{"cut_before":3,"response_delay":0.2}' http://127.0.0.1:7891/fault`
}

func (c *smscCmd) config(s *session) (cmpptest.Config, error) {
	cfg := cmpptest.Config{
		SPID: c.SPID, Secret: c.Secret, Unpadded: c.Unpadded, RefuseNewer: c.RefuseNewer, Window: c.Window, MaxConns: c.Connections,
		ActiveTest: c.ActiveTest, ReportDelay: c.ReportDelay, Keep: c.Keep, Seed: c.Seed, Log: s.log, Faults: c.faults(),
	}
	if c.Protocol == "cmpp2" {
		cfg.Version = cmpp.V20
	}
	if c.Keep == 0 {
		cfg.Keep = -1
	}
	if c.Reply != "" {
		cfg.OnText = func(string, string) (string, time.Duration) { return c.Reply, 2 * time.Second }
	}
	return cfg, cfg.Faults.Validate()
}

func (f *smscFaults) faults() cmpptest.Faults {
	seconds := func(d time.Duration) cmpptest.Seconds { return cmpptest.Seconds(d.Seconds()) }
	out := cmpptest.Faults{
		RefuseLogin: cmpp.ConnectStatus(f.RefuseLogin), WrongAuth: f.WrongAuth, Stall: f.Stall, Mute: f.Mute, ReadRate: f.ReadRate,
		ResponseDelay: seconds(f.ResponseDelay), ResponseJitter: seconds(f.ResponseJitter), DropResponses: f.DropResponses,
		Duplicate: f.Duplicate, Throttle: f.Throttle, Rate: f.Rate, Reject: f.Reject, RejectResult: cmpp.Result(f.RejectResult),
		CutBefore: f.CutBefore, CutAfter: f.CutAfter,
		Stat: cmpp.Stat(f.Stat), FailShare: f.FailShare, NoReports: f.NoReports, HoldReports: f.HoldReports,
		ReportJitter: seconds(f.ReportJitter), LateShare: f.LateShare, LateDelay: seconds(f.LateDelay),
		ReportFirst: f.ReportFirst, EarlyShare: f.EarlyShare, DoubleReports: f.DoubleReports, DoubleShare: f.DoubleShare,
		OrphanShare: f.OrphanShare, ForeignReports: f.ForeignReports, Intermediate: f.Intermediate,
		NarrowReports: f.NarrowReports, SwappedIDs: f.SwappedIDs, ShortLinkID: f.ShortLinkID, UDHI40: f.UDHI40,
	}
	for _, stat := range f.FailStats {
		out.FailStats = append(out.FailStats, cmpp.Stat(stat))
	}
	return out
}

// Run serves until SIGTERM.
func (c *smscCmd) Run(s *session) error {
	cfg, err := c.config(s)
	if err != nil {
		return usageError(fmt.Sprintf("sim smsc: %v", err))
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("callbox sim smsc: %w", err)
	}
	centre := cmpptest.New(cfg)
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
