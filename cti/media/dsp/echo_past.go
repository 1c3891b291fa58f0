package dsp

// past is what came or went, the last 16384 samples (2 s); what was before the
// beginning is silence. Each sample stands twice, so that any piece is one slice.
type past struct {
	samples [2 * pastSize]float32
	end     int64
	in, dc  float32
}

const pastSize = 16384

// add appends a sample without direct current (what lies below 0.6 Hz).
func (p *past) add(v float32) float32 {
	p.dc = v - p.in + 0.9995*p.dc
	p.in = v
	i := p.end % pastSize
	p.samples[i], p.samples[i+pastSize] = p.dc, p.dc
	p.end++
	return p.dc
}

// upto gives n samples up to sample end (after which, if it is yet to come, there
// is anything).
func (p *past) upto(end int64, n int) []float32 {
	i := (end - int64(n)) & (pastSize - 1)
	return p.samples[i : i+int64(n)]
}
