package webrtc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/internal/guard"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"
)

// connection is one PeerConnection of a page's: a [wire].
type connection struct {
	s      *Server
	phone  *phone
	pc     *pion.PeerConnection
	track  *pion.TrackLocalStaticRTP
	sender *pion.RTPSender
	ended  sync.Once
}

var (
	_ wire = (*connection)(nil)

	errNoAnswer = errors.New("no answer could be made")
)

// connect answers a page's offer.
func (s *Server) connect(ctx context.Context, p *phone, offer string) (c *connection, answer string, err error) {
	s.sockets.refresh()
	c = &connection{s: s, phone: p}
	if c.pc, err = s.api.NewPeerConnection(pion.Configuration{Certificates: []pion.Certificate{s.cert}}); err != nil {
		return nil, "", fmt.Errorf("connection: %w", err)
	}
	fell := guard.Call(func() { answer, err = c.answer(ctx, offer) })
	if err = errors.Join(fell, err); err != nil {
		c.close()
		return nil, "", fmt.Errorf("answer a page: %w", err)
	}
	s.work.Go("reports of a page", c.readReports)
	return c, answer, nil
}

// answer takes the offer and makes the answer, with all candidates in it. What
// the library cannot do is the offer's fault.
func (c *connection) answer(ctx context.Context, offer string) (string, error) {
	c.pc.OnConnectionStateChange(c.changed)
	c.pc.OnTrack(c.heard)
	if err := c.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("%w: sdp: %w", cti.ErrBadArgs, err)
	}
	var err error
	if c.track, err = pion.NewTrackLocalStaticRTP(c.s.sound(), "callbox", "callbox"); err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	if c.sender, err = c.pc.AddTrack(c.track); err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: sdp: no answer to it: %w", cti.ErrBadArgs, err)
	}
	gathered := pion.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("%w: sdp: what answers it does not hold: %w", cti.ErrBadArgs, err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if d := c.pc.LocalDescription(); d != nil {
		return d.SDP, nil
	}
	return "", errNoAnswer
}

// changed follows the connection. The library calls it beside itself, in no
// order, so what holds now is asked for.
func (c *connection) changed(pion.PeerConnectionState) {
	err := guard.Call(func() {
		switch now := c.pc.ConnectionState(); now {
		case pion.PeerConnectionStateConnected:
			c.phone.up(c)
		case pion.PeerConnectionStateDisconnected:
			c.phone.down(c, time.Now())
		case pion.PeerConnectionStateFailed, pion.PeerConnectionStateClosed:
			c.phone.gone(c, time.Now())
		}
	})
	if err != nil {
		c.s.log.Error("a page's state was not followed", "agent", c.phone.user, "err", err)
	}
}

// heard reads the page's sound, in a goroutine of ours.
func (c *connection) heard(track *pion.TrackRemote, receiver *pion.RTPReceiver) {
	c.s.work.Go("sound of a page", func() { c.read(track, eventsOf(receiver)) })
	c.s.work.Go("reports of a page's sound", func() {
		for { // the library learns from them when they are read
			if _, _, err := receiver.ReadRTCP(); err != nil {
				return
			}
		}
	})
}

// eventsOf are the payload types that the page has for telephone events.
func eventsOf(receiver *pion.RTPReceiver) map[uint8]bool {
	types := map[uint8]bool{}
	for _, codec := range receiver.GetParameters().Codecs {
		if strings.EqualFold(codec.MimeType, mimeEvent) {
			types[uint8(codec.PayloadType)] = true
		}
	}
	return types
}

func (c *connection) read(track *pion.TrackRemote, events map[uint8]bool) {
	buffer := make([]byte, 1500)
	var h rtp.Header
	for {
		n, _, err := track.Read(buffer)
		if err != nil {
			return
		}
		from, err := h.Unmarshal(buffer[:n])
		if err != nil || h.Padding || from >= n {
			continue
		}
		c.phone.said(c, &heard{
			ssrc: h.SSRC, seq: h.SequenceNumber, ts: h.Timestamp, event: events[h.PayloadType], payload: buffer[from:n],
		}, time.Now())
	}
}

// readReports follows what the page says of our packets (RFC 3550 §6.4).
func (c *connection) readReports() {
	for {
		packets, _, err := c.sender.ReadRTCP()
		if err != nil {
			return
		}
		now := time.Now()
		far := media.Far{Last: now}
		for _, p := range packets {
			for _, r := range receptions(p) {
				far.Lost = uint64(r.TotalLost)
				far.Jitter = time.Duration(r.Jitter) * sample
				far.RoundTrip = roundTrip(r, now)
			}
		}
		c.phone.reported(c, far)
	}
}

func receptions(p rtcp.Packet) []rtcp.ReceptionReport {
	switch p := p.(type) {
	case *rtcp.ReceiverReport:
		return p.Reports
	case *rtcp.SenderReport:
		return p.Reports
	}
	return nil
}

const (
	ntpEpoch    = 2208988800 // 1970 in seconds since 1900
	mostRoundTo = 10 * time.Second
)

// roundTrip is as RFC 3550 §6.4.1 has it; 0 where it cannot be known.
func roundTrip(r rtcp.ReceptionReport, now time.Time) time.Duration {
	if r.LastSenderReport == 0 {
		return 0
	}
	seconds := uint64(now.Unix()+ntpEpoch) << 32
	fraction := uint64(now.Nanosecond()) << 32 / uint64(time.Second)
	units := uint32((seconds|fraction)>>16) - r.LastSenderReport - r.Delay
	trip := time.Duration(units) * time.Second >> 16
	if trip > mostRoundTo {
		return 0
	}
	return trip
}

func (c *connection) send(p *rtp.Packet) error { return c.track.WriteRTP(p) }

// close ends the connection, once, beside who asks for it: the library calls
// back.
func (c *connection) close() {
	c.ended.Do(func() {
		c.s.work.Go("end of a page's connection", func() {
			if err := c.pc.Close(); err != nil {
				c.s.log.Debug("a page's connection did not end well", "agent", c.phone.user, "err", err)
			}
		})
	})
}
