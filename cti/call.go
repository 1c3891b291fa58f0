package cti

import (
	"context"
	"log/slog"

	"callbox/cti/media"
)

// Call is one caller's way through the box, from seizing the line to the
// record. Its goroutine is [Server.Accept]; handlers use it from there.
type Call struct{}

// ID is the call's UUIDv7, the recording's too.
func (c *Call) ID() string { return "" }

// Log is a logger that names the call on every line.
func (c *Call) Log() *slog.Logger { return nil }

// Origin is where the call came from.
func (c *Call) Origin() Origin { return Origin{} }

// Media is the outside party's sound.
func (c *Call) Media() media.Port { return nil }

// Answer answers the outside leg and starts the recording. Later calls do
// nothing.
func (c *Call) Answer(ctx context.Context) error { return nil }

// Visit adds a flow's node to the IVR path.
func (c *Call) Visit(node string) {}

// Set keeps a variable of the flow in user_data.
func (c *Call) Set(name string, value any) {}

// Digits reports keys that a menu or collect node took (event digitsReceived).
func (c *Call) Digits(digits string) {}

// Customer waits for the look-up, at most the rest of its time; false where
// the caller is unknown or the look-up was late.
func (c *Call) Customer(ctx context.Context) (Customer, bool) { return Customer{}, false }

// Queued says that the call waits in q; Dequeued that it left it, with why
// (empty when an agent took it).
func (c *Call) Queued(q Ref)          {}

func (c *Call) Dequeued(cause string) {}

// Ring dials a device for this call and gives the ringing leg at once. The leg
// is hung up when the call ends.
func (c *Call) Ring(ctx context.Context, d Device) (Leg, error) { return nil, nil }

// Offer notes that the call is now offered to agent, and why to this one.
func (c *Call) Offer(agent Ref, why string) {}

// Delivered tells the agent's screen that its phone rings: the pop. Once an
// offer, when the leg alerts.
func (c *Call) Delivered(agent Ref, leg Leg) {}

// EndOffer notes how the running offer ended (an Offer… outcome).
func (c *Call) EndOffer(outcome string) {}

// Bridge lets the outside party and an answered leg talk until one of them
// hangs up or a command ends it; established and connectionCleared are noted.
// The Outcome says who ended the talk. The leg is over when Bridge returns.
func (c *Call) Bridge(ctx context.Context, agent Ref, leg Leg) (Outcome, error) {
	return Outcome{}, nil
}
