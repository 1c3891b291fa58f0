package webrtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"callbox/cti/media"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	pion "github.com/pion/webrtc/v4"
)

// Timers of ICE: the library's own are too long for a call.
const (
	iceQuiet     = 5 * time.Second // then nothing is heard of a page
	iceDead      = 15 * time.Second
	iceKeepalive = 2 * time.Second
)

// Payload types by which the box calls what it can; in a call those of the page
// hold.
const eventType = 101

// newCertificate makes the one certificate that all connections use as long as
// the daemon runs; the library's own would be refused after a month.
func newCertificate() (pion.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pion.Certificate{}, fmt.Errorf("key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return pion.Certificate{}, fmt.Errorf("key: %w", err)
	}
	now := time.Now()
	cert, err := pion.NewCertificate(key, x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "callbox"}, Issuer: pkix.Name{CommonName: "callbox"},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(20, 0, 0), Version: 2,
	})
	if err != nil {
		return pion.Certificate{}, fmt.Errorf("certificate: %w", err)
	}
	return *cert, nil
}

// newAPI makes what connections are made of.
func (s *Server) newAPI() (*pion.API, error) {
	var set pion.SettingEngine
	set.LoggerFactory = quietLog{s.log}
	set.SetLite(true)
	set.SetICEUDPMux(s.sockets)
	if s.sockets.tcp != nil {
		set.SetICETCPMux(s.sockets.tcp)
	}
	set.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeUDP6, pion.NetworkTypeTCP4, pion.NetworkTypeTCP6})
	set.SetInterfaceFilter(func(name string) bool { return !isVirtual(name) })
	set.SetIPFilter(func(ip net.IP) bool { return s.sockets.has(ip) })
	set.SetIncludeLoopbackCandidate(true) // where it is bound
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetICETimeouts(iceQuiet, iceDead, iceKeepalive)
	set.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	err := errors.Join(set.SetAnsweringDTLSRole(pion.DTLSRoleServer), s.advertise(&set))
	codecs, found := s.codecs()
	reports := &interceptor.Registry{}
	if err = errors.Join(err, found, pion.ConfigureRTCPReports(reports)); err != nil {
		return nil, err
	}
	return pion.NewAPI(pion.WithSettingEngine(set), pion.WithMediaEngine(codecs), pion.WithInterceptorRegistry(reports)), nil
}

// advertise tells pages of the address in front of a NAT, beside the own ones,
// by which those in the house come.
func (s *Server) advertise(set *pion.SettingEngine) error {
	if s.cfg.ExternalIP == "" {
		return nil
	}
	return set.SetICEAddressRewriteRules(pion.ICEAddressRewriteRule{
		External: []string{s.cfg.ExternalIP}, AsCandidateType: pion.ICECandidateTypeHost, Mode: pion.ICEAddressRewriteAppend,
	})
}

// sound is the one law.
func (s *Server) sound() pion.RTPCodecCapability {
	return pion.RTPCodecCapability{MimeType: "audio/" + s.cfg.Law.String(), ClockRate: media.SampleRate}
}

// codecs are one law and telephone events. With both laws an answer would have
// them in the page's order, and each side could send another one.
func (s *Server) codecs() (*pion.MediaEngine, error) {
	m := &pion.MediaEngine{}
	events := pion.RTPCodecCapability{MimeType: mimeEvent, ClockRate: media.SampleRate}
	return m, errors.Join(
		m.RegisterCodec(pion.RTPCodecParameters{RTPCodecCapability: s.sound(), PayloadType: pion.PayloadType(s.cfg.Law)}, pion.RTPCodecTypeAudio),
		m.RegisterCodec(pion.RTPCodecParameters{RTPCodecCapability: events, PayloadType: eventType}, pion.RTPCodecTypeAudio),
	)
}

const mimeEvent = "audio/telephone-event"
