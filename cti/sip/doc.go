// Package sip brings calls in and out by SIP (RFC 3261): trunks to carriers and
// the desk phones that register here.
//
// [Server.Listen] binds the sockets, [Server.Run] serves them until its context
// ends and owns every goroutine, apart from the ones that the SIP library
// starts for a message, which are guarded on entry. The library (sipgo) parses,
// carries transactions and keeps connections; everything above is ours: who may
// speak at all (the gate, before a transaction exists), dialogs, offer and
// answer, CANCEL races, digest, the registrar. An accepted INVITE becomes a
// [cti.Leg] and is handed to [Calls]; [Server.Dial] makes ringing legs. The
// package knows no routes, queues, agents or files.
package sip
