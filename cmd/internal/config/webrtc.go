package config

import (
	"net"
	"net/netip"

	"callbox/cti/media"
	"callbox/cti/webrtc"
)

// WebRTC is how pages that are phones reach the box.
type WebRTC struct {
	Port       int    `yaml:"port"`
	TCP        bool   `yaml:"tcp"`
	ExternalIP string `yaml:"external_ip"`
}

// Pages are the section as pages' phones know it. Where the pages come by the
// loopback only, so does their sound.
func (b *Box) Pages() webrtc.Config {
	return webrtc.Config{
		Port: b.WebRTC.Port, TCP: b.WebRTC.TCP, ExternalIP: b.WebRTC.ExternalIP, Law: media.PCMA,
		Loopback: isLoopback(b.HTTP.Listen),
	}
}

func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
