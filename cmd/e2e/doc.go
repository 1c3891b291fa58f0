// Package e2e tests the built program as its users meet it: the daemon over
// loopback with SIPp and baresip as caller and agent, an SMS centre at the
// wire, programs over HTTP and WebSocket. Its tests carry the build tag e2e and
// run in `make test`. It knows callbox only by its commands, files and ports.
package e2e
