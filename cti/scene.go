package cti

import (
	"slices"

	"callbox/cti/media"
)

// scene is who hears whom, and who hears a prompt instead.
type scene struct {
	hears   map[*member][]*member
	prompts map[*member]media.Prompt
	order   []*member // so that two equal scenes are set up alike
}

// scene is pure: it follows from where everybody stands.
func (v *conversation) scene() scene {
	s := scene{
		hears: map[*member][]*member{}, prompts: map[*member]media.Prompt{},
		order: append([]*member{v.outside}, v.members...),
	}
	together := v.together()
	for _, a := range together {
		for _, b := range together {
			s.hear(a, b)
		}
	}
	for _, m := range v.members {
		v.aside(&s, m)
	}
	for _, m := range v.members {
		if m.standing == listening && m.errand == "" && m.mode != ModeBarge {
			v.overhear(&s, m, together)
		}
	}
	if len(together) == 1 {
		s.prompts[v.outside] = v.waiting()
	}
	return s
}

// hear lets a hear b.
func (s *scene) hear(a, b *member) {
	if a != b {
		s.hears[a] = append(s.hears[a], b)
	}
}

// together are the outside party and who talks with it.
func (v *conversation) together() []*member {
	all := []*member{v.outside}
	for _, m := range v.members {
		here := m.standing == talking || m.standing == alternated || m.standing == listening && m.mode == ModeBarge
		if here && m.errand == "" {
			all = append(all, m)
		}
	}
	return all
}

// waiting is what the outside party hears while nobody talks with it: ringing,
// where somebody is rung for it, else music.
func (v *conversation) waiting() media.Prompt {
	for _, m := range v.members {
		if m.rings && (m.errand == toTransfer || m.errand == toRecall || m.errand == toRetrieve) {
			return ringbackTone
		}
	}
	return v.music()
}

func (v *conversation) music() media.Prompt {
	music := v.call.server.cfg.Music
	music.Loop = true
	return music
}

// aside sets up m's consultation, if it asked for one.
func (v *conversation) aside(s *scene, m *member) {
	p := m.partner
	if p == nil || !m.standing.consults() {
		return
	}
	switch there := p.errand == ""; {
	case m.standing == alternated && there:
		s.prompts[p] = v.music()
	case m.standing == alternated:
	case there || p.early:
		s.hear(m, p)
		s.hear(p, m)
	case p.rings:
		s.prompts[m] = ringbackTone
	}
}

// overhear lets a supervisor hear everybody, and the agents the supervisor who
// whispers.
func (v *conversation) overhear(s *scene, m *member, together []*member) {
	for _, o := range together {
		s.hear(m, o)
	}
	for _, o := range v.members {
		if o == m || o.errand != "" || o.standing == listening {
			continue
		}
		if o.standing == consulting || o.standing == asked {
			s.hear(m, o)
		}
		if m.mode == ModeWhisper && o.agent.ID != "" && o.standing != holding {
			s.hear(o, m)
		}
	}
}

// dispensable says that who hears m hears others, too: m's absence needs no
// sound. Who listens in does not count.
func (s scene) dispensable(m *member) bool {
	return m.kind == supervisorLeg || slices.ContainsFunc(s.order, func(o *member) bool {
		return o.standing != listening && len(s.hears[o]) > 1 && slices.Contains(s.hears[o], m)
	})
}

// pairs are those who hear just each other, whose sound is passed on as it
// came; in the room are all others who hear or are heard.
func (s scene) pairs() (pairs [][2]*member, room []*member) {
	listeners := map[*member]int{}
	for _, heard := range s.hears {
		for _, m := range heard {
			listeners[m]++
		}
	}
	only := func(a, b *member) bool {
		return len(s.hears[a]) == 1 && s.hears[a][0] == b && listeners[a] == 1
	}
	for _, m := range s.order {
		heard := s.hears[m]
		if len(heard) == 1 && only(m, heard[0]) && only(heard[0], m) {
			if pair := [2]*member{heard[0], m}; !hasPair(pairs, pair) {
				pairs = append(pairs, [2]*member{m, heard[0]})
			}
			continue
		}
		if len(heard) > 0 || listeners[m] > 0 {
			room = append(room, m)
		}
	}
	return pairs, room
}

func hasPair(pairs [][2]*member, pair [2]*member) bool {
	for _, p := range pairs {
		if p == pair {
			return true
		}
	}
	return false
}
