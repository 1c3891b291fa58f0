// Package door is the database door: rows of an outbox table in somebody
// else's database become texts, what comes of them is written back into those
// rows, and replies become rows of an inbox table.
package door
