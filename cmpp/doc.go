// Package cmpp is the China Mobile Peer to Peer protocol between a service
// provider and the short-message gateway: every message of a long connection
// as a struct, in the 3.0 and the 2.x layout, encoded into the caller's buffer
// and decoded from hostile bytes without panics.
//
// Layouts follow QB-GF-028-2003 (CMPP 3.0.1). Each struct stands for both
// layouts: the [Version] of the connection chooses the widths of its fields.
// The package starts no goroutines and knows no connection, no window and no
// retry; those are cmpp/client. It imports the standard library only, so GBK
// text is decoded by its callers; where texts are cut and what they are encoded
// in is internal/segment, which the counting of parts shares.
package cmpp
