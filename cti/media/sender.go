package media

import "sync"

// outlet is how a sender's packets leave. It does not keep payload.
type outlet interface {
	// sound sends payload of law, whose first sample is at.
	sound(seq uint16, at int64, marker bool, law Law, payload []byte)
	// event sends a packet of a telephone event that began at.
	event(seq uint16, at int64, marker bool, payload []byte)
	// events says whether the party takes telephone events.
	events() bool
}

// playing is a prompt on its way. Its end is told by closing done.
type playing struct {
	id     uint64
	prompt Prompt
	sound  []byte
	off    int
	done   chan struct{}
}

const (
	hush         = 200 * SampleRate / 1000 // of a bridge, then silence is sent
	maxStep      = 1000                    // packets a source may have lost in one go
	maxPayload   = 1400
	silentSource = 1 // an identity like those of streams and prompts
)

// sender is what a port makes its party hear, in this order: digits, the prompt
// begun last, the bridge or the room, silence. Its sequence numbers and timestamps run on
// over all of them. A bridge's packets go out as they come; all else goes out
// on the beat.
type sender struct {
	mu      sync.Mutex
	ids     *identities
	to      outlet // nil before the start and after the end
	law     Law
	seq     int64 // of the newest packet
	sent    uint64
	next    int64 // sample behind what was sent last
	source  uint64
	bridged bool
	fed     int64 // when the bridge was heard last
	ext     int64 // of the bridge's newest packet
	run     int64 // sequence numbers since its stream was taken up
	offset  int64 // from its samples to ours
	event   int64 // where the bridge's newest key began in its stream
	plays   []*playing
	keys    keying
	keying  Keying
	letters chan<- string // takes digits that go as messages
	tones   *playing      // digits on their way as tones
	line    timeline      // for the tap
	tap     tap
	frame   [FrameSamples]byte
	scratch []byte // of a payload in another law
	room    mixed
}

// mixed is what a sender hears of a room.
type mixed struct {
	source  uint64 // 0: in none
	waits   bool   // a frame is there for the next beat
	audible bool
	frame   [FrameSamples]byte
}

// begun says whether a key's packet belongs to a key that began in this bridge.
func (s *sender) begun(h *heard) bool {
	if h.fresh {
		s.event = h.stream
	}
	return s.event == h.stream
}

// forward sends a bridge's packet at once.
func (s *sender) forward(h *heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fed = max(s.fed, h.arrival)
	if s.to == nil {
		return
	}
	if h.key != 0 && !s.begun(h) {
		return // the rest of a key that was meant for who heard the party before
	}
	if h.key != 0 && !s.takesEvents() {
		if h.fresh {
			s.key(string(h.key))
		}
		return
	}
	if len(s.plays) > 0 || s.keys.busy() || s.tones != nil {
		return
	}
	marker := h.marker
	if s.source != h.source {
		s.adopt(h)
		marker = true
	}
	seq, ok := s.step(h.ext)
	if !ok {
		return
	}
	if h.key != 0 {
		s.passEvent(seq, marker, h)
		return
	}
	s.send(seq, h.stream+s.offset, h.arrival, marker, h.law, h.payload, true)
}

// adopt continues with another stream, behind what was sent and not before now.
func (s *sender) adopt(h *heard) {
	s.source = h.source
	s.offset = max(s.next, h.arrival) - h.stream
	s.ext, s.run = h.ext-1, 0
}

// step turns a source's sequence number into ours: its losses and its order are
// the far side's to know, our own insertions leave no gap.
func (s *sender) step(ext int64) (seq int64, ok bool) {
	d := ext - s.ext
	if d <= 0 {
		return s.seq + d, -d < s.run
	}
	s.ext = ext
	if d > maxStep {
		d = 1
	}
	s.seq += d
	s.run += d
	return s.seq, true
}

func (s *sender) passEvent(seq int64, marker bool, h *heard) {
	at := h.stream + s.offset
	s.to.event(uint16(seq), at, marker, h.payload)
	s.next = max(s.next, min(at+eventDuration(h.payload), h.arrival+FrameSamples))
}

// lull is told of a packet in a stream that carries no sound: the stream is
// taken up anew behind it, so that its number leaves no gap.
func (s *sender) lull(source uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source == source {
		s.source = 0
	}
}

// send lets payload out and the tap hear it. Callers hold mu.
func (s *sender) send(seq, at, now int64, marker bool, law Law, payload []byte, audible bool) {
	if law != s.law {
		s.scratch = append(s.scratch[:0], payload...)
		payload = s.scratch[:Convert(law, s.law, s.scratch, payload)]
	}
	s.to.sound(uint16(seq), at, marker, s.law, payload)
	s.next = max(s.next, at+int64(len(payload)))
	placed, _ := s.line.place(uint32(at), now)
	if audible {
		s.tap.put(Sent, placed, s.law, s.law, payload)
	}
}

// beat sends what is due at clock sample now.
func (s *sender) beat(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to == nil {
		return
	}
	mixed := s.room.waits
	s.room.waits = false
	switch {
	case s.beatEvent(now), s.beatTones(now), s.beatPrompt(now):
		return
	case mixed:
		s.beatFrame(now, s.room.source, s.room.frame[:], s.room.audible)
		return
	}
	if s.bridged && now-s.fed < hush {
		return
	}
	fill(s.frame[:], s.law.Silence())
	s.beatFrame(now, silentSource, s.frame[:], false)
}

// resume is where the next frame of our own lies: right behind the last, or now
// if that is more than a frame ago.
func (s *sender) resume(now int64) int64 {
	if now-s.next >= FrameSamples {
		return now
	}
	return s.next
}

func (s *sender) beatFrame(now int64, source uint64, frame []byte, audible bool) {
	marker := s.source != source
	s.source = source
	s.seq++
	s.send(s.seq, s.resume(now), now, marker, s.law, frame, audible)
}

// takesEvents says whether digits go as telephone events.
func (s *sender) takesEvents() bool { return s.keying == Events && s.to.events() }

// key hands digits over in the party's way. Callers hold mu.
func (s *sender) key(digits string) {
	if s.keying != Messages {
		s.keys.add(digits)
		return
	}
	select {
	case s.letters <- digits:
	default:
	}
}

func (s *sender) beatEvent(now int64) bool {
	if len(s.keys.queue) == 0 || !s.takesEvents() {
		return false
	}
	var payload [eventSize]byte
	at, first, ok := s.keys.next(s.resume(now), &payload)
	if !ok {
		return false
	}
	s.seq++
	s.source = 0
	s.to.event(uint16(s.seq), at, first, payload[:])
	s.next = max(s.next, now+FrameSamples)
	return true
}

// beatTones sends a frame of the digits that go as tones; those that come
// meanwhile follow them.
func (s *sender) beatTones(now int64) bool {
	if s.tones == nil && len(s.keys.queue) > 0 && !s.takesEvents() {
		s.tones = newPlaying(s.keys.tones(), s.ids)
	}
	if s.tones == nil {
		return false
	}
	frame := s.tones.frame(s.law, s.frame[:])
	if frame == nil {
		s.tones = nil
		return s.beatTones(now)
	}
	s.beatFrame(now, s.tones.id, frame, true)
	return true
}

// beatPrompt sends a frame of the prompt begun last.
func (s *sender) beatPrompt(now int64) bool {
	for len(s.plays) > 0 {
		p := s.plays[len(s.plays)-1]
		if frame := p.frame(s.law, s.frame[:]); frame != nil {
			s.beatFrame(now, p.id, frame, true)
			return true
		}
		s.plays = s.plays[:len(s.plays)-1]
		close(p.done)
	}
	return false
}

func newPlaying(p Prompt, ids *identities) *playing {
	return &playing{id: ids.next(), prompt: p, done: make(chan struct{})}
}

// frame is the prompt's next frame, nil behind its end. It uses room where the
// frame does not lie in one piece.
func (p *playing) frame(law Law, room []byte) []byte {
	if p.sound == nil {
		p.sound = p.prompt.in(law)
	}
	if len(p.sound)-p.off >= FrameSamples {
		p.off += FrameSamples
		return p.sound[p.off-FrameSamples : p.off]
	}
	if p.prompt.Loop {
		return p.around(law, room)
	}
	if p.off >= len(p.sound) {
		return nil
	}
	n := copy(room, p.sound[p.off:])
	p.off += n
	fill(room[n:], law.Silence())
	return room
}

// around fills room over the seam of a loop; an empty loop is silence.
func (p *playing) around(law Law, room []byte) []byte {
	fill(room, law.Silence())
	for n := 0; n < len(room) && len(p.sound) > 0; {
		m := copy(room[n:], p.sound[p.off:])
		n += m
		p.off = (p.off + m) % len(p.sound)
	}
	return room
}

// push makes p what is heard.
func (s *sender) push(p *playing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plays = append(s.plays, p)
}

// drop ends p wherever it stands.
func (s *sender) drop(p *playing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.plays {
		if other == p {
			s.plays = append(s.plays[:i], s.plays[i+1:]...)
			return
		}
	}
}

func (s *sender) connect(bridged bool, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bridged, s.fed = bridged, now
}

// dial lets the party have digits.
func (s *sender) dial(digits string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key(digits)
}

// relay lets the party have a key that it also hears as a tone.
func (s *sender) relay(key rune) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to != nil && (s.keying == Messages || s.takesEvents()) {
		s.key(string(key))
	}
}

// agree sets how the party gets digits.
func (s *sender) agree(as Keying, letters chan<- string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keying, s.letters = as, letters
}

// enter lets the party hear a room as source; 0 is none.
func (s *sender) enter(source uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room.source, s.room.waits = source, false
}

func (s *sender) soundsIn() Law {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.law
}

// mix takes a room's frame for the next beat.
func (s *sender) mix(frame []byte, audible bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room.source != 0 {
		copy(s.room.frame[:], frame)
		s.room.waits, s.room.audible = true, audible
	}
}
