package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want WebRTC
		here bool
		bad  string
	}{
		"nothing":     {"", WebRTC{Port: 5004, TCP: true}, true, ""},
		"any port":    {"webrtc: {port: 0, tcp: false}", WebRTC{}, true, ""},
		"a LAN":       {"http: {listen: \"0.0.0.0:8080\"}\nwebrtc: {external_ip: 203.0.113.7}", WebRTC{Port: 5004, TCP: true, ExternalIP: "203.0.113.7"}, false, ""},
		"by name":     {"http: {listen: \"localhost:8080\"}", WebRTC{Port: 5004, TCP: true}, true, ""},
		"port":        {"webrtc: {port: 70000}", WebRTC{}, true, "webrtc.port"},
		"address":     {"webrtc: {external_ip: example.com}", WebRTC{}, true, "webrtc.external_ip"},
		"unknown key": {"webrtc: {stun: x}", WebRTC{}, true, "stun"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "callbox.yaml")
			if err := os.WriteFile(file, []byte("data: ./data\n"+tt.text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			box, err := Load(file)
			switch {
			case tt.bad != "":
				if err == nil || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("Load = %v, want a fault at %s", err, tt.bad)
				}
			case err != nil:
				t.Error(err)
			case box.WebRTC != tt.want || box.Pages().Loopback != tt.here:
				t.Errorf("webrtc %+v, loopback %v", box.WebRTC, box.Pages().Loopback)
			}
		})
	}
}
