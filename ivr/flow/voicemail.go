package flow

import "time"

// What a voicemail node gets where it says nothing, and the least it may ask for.
const (
	messageMax   = 120 * time.Second
	leastMessage = 2 * time.Second
)

// VoicemailSpec lets the caller leave a message after the node's prompt and a
// beep.
type VoicemailSpec struct {
	Max   time.Duration
	Queue string // whose agents are to hear it; "": those of the queue that the caller was in last
}

// voicemail is {max: TIME, greeting: PROMPT, queue: ID}, all of which may be
// missing.
func (g *graph) voicemail(o object, n *Node) {
	n.Next = g.target(o, "next")
	n.Voicemail.Max = messageMax
	v := o.take(Voicemail)
	if v == nil {
		return
	}
	m, ok := g.object(o.key(Voicemail), v)
	if !ok {
		return
	}
	n.Voicemail = VoicemailSpec{Max: m.duration("max", messageMax), Queue: m.text("queue")}
	if n.Voicemail.Max < leastMessage {
		g.fault(m.all["max"], m.key("max"), "too short for a message: at least %v", leastMessage)
	}
	if greeting := m.take("greeting"); greeting != nil {
		n.Prompt = g.prompt(greeting, m.key("greeting"), m)
	}
	m.close()
}

func (n Node) voicemailShape() map[string]any {
	out := map[string]any{"max": n.Voicemail.Max.Seconds()}
	put(out, "queue", n.Voicemail.Queue)
	if len(n.Prompt) > 0 {
		out["greeting"] = n.Prompt.list()
	}
	return out
}

// queue is the one that a node names, "" for none.
func (n Node) queue() string {
	switch n.Kind {
	case Queue:
		return n.Queue.ID
	case Voicemail:
		return n.Voicemail.Queue
	}
	return ""
}
