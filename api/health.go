package api

import (
	"context"
	"net"
	"net/http"

	"callbox/internal/stamp"
)

// Readiness is whether the box can work, and each part of it: database, sip,
// "trunk NAME", "line LABEL", "sms NAME", webrtc, disk.
type Readiness struct {
	Ready bool            `json:"ready"`
	Parts map[string]Part `json:"parts"`
}

// Part is one part's state since when, why it is not well, and where it listens.
type Part struct {
	OK      bool       `json:"ok"`
	Since   stamp.Time `json:"since"`
	Why     string     `json:"why,omitempty"`
	Address string     `json:"address,omitempty"`
}

type healthOut struct {
	Body struct {
		OK bool `json:"ok"`
	}
}

// health says that the process lives.
func (a *API) health(context.Context, *struct{}) (*healthOut, error) {
	out := &healthOut{}
	out.Body.OK = true
	return out, nil
}

type readyOut struct {
	Status int
	Body   Readiness
}

// ready says whether the box can work: 503 if not.
func (a *API) ready(ctx context.Context, _ *struct{}) (*readyOut, error) {
	out := &readyOut{Status: http.StatusOK, Body: a.deps.Ready(ctx)}
	if out.Body.Parts == nil {
		out.Body.Parts = map[string]Part{}
	}
	if !out.Body.Ready {
		out.Status = http.StatusServiceUnavailable
	}
	return out, nil
}

// fromLoopback says whether r comes from this machine, and not through a proxy
// on it.
func fromLoopback(r *http.Request) bool {
	for _, h := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	ip := net.ParseIP(address(r))
	return ip != nil && ip.IsLoopback()
}
