package media

// mixer is the plain engine's mixer.
type mixer struct{ engine *Plain }

// Room implements [Engine].
func (e *Plain) Room() Room { return &mixer{engine: e} }

// Hear implements [Room].
func (m *mixer) Hear(Port, ...Port) {}

// Leave implements [Room].
func (m *mixer) Leave(Port) {}

// Close implements [Room].
func (m *mixer) Close() {}
