package ctitest

import "context"

// Ask sends a request within an answered call and gives its final response:
// REFER, INFO, and whatever else there is no method of its own for.
func (t *Talk) Ask(ctx context.Context, method string, headers ...Header) (*Message, error) {
	t.mu.Lock()
	t.seq++
	req, to := t.build(method, t.seq), t.peer
	t.mu.Unlock()
	for _, h := range headers {
		req.Add(h.Name, h.Value)
	}
	return t.phone.exchange(ctx, req, to)
}

// Vanish ends the call without a word to the other side, as a phone does that
// loses its power: no more sound, and its call is unknown from now on.
func (t *Talk) Vanish() { t.finish(0) }
