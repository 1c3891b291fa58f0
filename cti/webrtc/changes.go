package webrtc

import (
	"context"
	"sync"
)

// changes tells one reader whose pages came or went. A user who changes again
// before that was read is told once.
type changes struct {
	out  chan string
	wake chan struct{}

	mu    sync.Mutex
	users []string
	told  map[string]bool // in users
}

func newChanges() *changes {
	return &changes{out: make(chan string), wake: make(chan struct{}, 1), told: map[string]bool{}}
}

// tell never waits.
func (c *changes) tell(user string) {
	c.mu.Lock()
	if !c.told[user] {
		c.told[user] = true
		c.users = append(c.users, user)
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *changes) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		for user, ok := c.next(); ok; user, ok = c.next() {
			select {
			case c.out <- user:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (c *changes) next() (user string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.users) == 0 {
		return "", false
	}
	user, c.users = c.users[0], c.users[1:]
	delete(c.told, user)
	return user, true
}
