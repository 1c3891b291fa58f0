package main

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
