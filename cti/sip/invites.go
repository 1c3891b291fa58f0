package sip

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
)

// inviteKept is how long an INVITE without a handler, or a CANCEL without an
// INVITE, is remembered.
const inviteKept = 10 * time.Second

// What arrived made of an INVITE.
const (
	inviteNew = iota
	inviteAgain
	inviteCanceled
	inviteMerged
)

// invites are the INVITEs that the gate let in and that have no dialog yet, by
// branch and sent-by, as CANCEL matches them.
type invites struct {
	mu    sync.Mutex
	byKey map[string]*incoming
	calls map[string]string // Call-ID, From tag and CSeq to key: finds merged requests
}

// incoming is one INVITE on its way from the gate to its handler.
type incoming struct {
	key, call string
	tag       string // ours, the same in every answer
	trunk     *trunk // nil for a phone's
	phone     string // the extension whose phone calls, "" for a trunk's
	local     netip.AddrPort
	from      netip.AddrPort
	at        time.Time
	early     bool // only its CANCEL came so far

	mu       sync.Mutex
	taken    bool // a handler has it
	used     bool // and is done with it
	canceled bool
	hook     func()
}

func newInvites() *invites {
	return &invites{byKey: map[string]*incoming{}, calls: map[string]string{}}
}

// cancelKey is what an INVITE and its CANCEL share (RFC 3261 §17.2.3).
func cancelKey(req *wire.Request) string {
	v := req.Via()
	return branchOf(req) + " " + v.Host + " " + strconv.Itoa(v.Port) + " " + callIDOf(req)
}

func mergeKey(req *wire.Request) string {
	return callIDOf(req) + " " + tagOf(req.From()) + " " + strconv.FormatUint(uint64(req.CSeq().SeqNo), 10)
}

// arrived remembers a new INVITE. A repeated one is let through to the
// library, which knows the answer; a merged one came by two ways (§8.2.2.2).
func (t *invites) arrived(p packet, req *wire.Request, tr *trunk, now time.Time) (*incoming, int) {
	key, call := cancelKey(req), mergeKey(req)
	t.mu.Lock()
	defer t.mu.Unlock()
	if in, ok := t.byKey[key]; ok {
		if in.isCanceledEarly() {
			return in, inviteCanceled
		}
		return in, inviteAgain
	}
	if other, ok := t.byKey[t.calls[call]]; ok && !other.isUsed() {
		return nil, inviteMerged
	}
	in := &incoming{
		key: key, call: call, tag: wire.GenerateTagN(20), trunk: tr,
		local: p.local, from: p.from, at: now,
	}
	t.byKey[key], t.calls[call] = in, key
	return in, inviteNew
}

// knows says whether an INVITE, or its CANCEL, came before.
func (t *invites) knows(req *wire.Request) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.byKey[cancelKey(req)]
	return ok
}

// canceled finds the INVITE of a CANCEL; nil when there is none yet, which is
// remembered.
func (t *invites) canceled(req *wire.Request, now time.Time) *incoming {
	key := cancelKey(req)
	t.mu.Lock()
	defer t.mu.Unlock()
	if in, ok := t.byKey[key]; ok && !in.isCanceledEarly() {
		return in
	}
	t.byKey[key] = &incoming{key: key, tag: wire.GenerateTagN(20), at: now, early: true, canceled: true}
	return nil
}

// take gives the handler its INVITE, once; nil when the gate has not seen it.
func (t *invites) take(req *wire.Request) *incoming {
	t.mu.Lock()
	in := t.byKey[cancelKey(req)]
	t.mu.Unlock()
	if in == nil {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.taken || in.used {
		return nil
	}
	in.taken = true
	return in
}

// release says that the handler is done; late copies of the INVITE and its
// CANCEL still find it for a while.
func (in *incoming) release(now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.taken, in.used, in.at, in.hook = false, true, now, nil
}

// sweep drops what no handler took in time.
func (t *invites) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, in := range t.byKey {
		if in.isStale(now) {
			delete(t.byKey, key)
			if t.calls[in.call] == key {
				delete(t.calls, in.call)
			}
		}
	}
}

func (in *incoming) isStale(now time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.taken && now.Sub(in.at) > inviteKept
}

func (in *incoming) isUsed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.used
}

// isCanceledEarly says that the CANCEL came before the INVITE.
func (in *incoming) isCanceledEarly() bool { return in.early }

// enter counts the call with its trunk; false when the trunk has no place.
func (in *incoming) enter() bool { return in.trunk == nil || in.trunk.enter() }

func (in *incoming) leave() {
	if in.trunk != nil {
		in.trunk.leave()
	}
}

// laws are the codecs that may be agreed on with the caller.
func (in *incoming) laws() []media.Law {
	if in.trunk != nil {
		return in.trunk.codecs
	}
	return []media.Law{media.PCMA, media.PCMU}
}

// onCancel sets what a CANCEL does; false when it already came.
func (in *incoming) onCancel(hook func()) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.canceled {
		return false
	}
	in.hook = hook
	return true
}

// stop runs the hook once.
func (in *incoming) stop() {
	in.mu.Lock()
	hook := in.hook
	in.canceled, in.hook = true, nil
	in.mu.Unlock()
	if hook != nil {
		hook()
	}
}
