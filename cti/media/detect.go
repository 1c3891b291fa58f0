package media

// Fax implements [RTP].
func (p *rtpPort) Fax() <-chan string { return p.fax }
