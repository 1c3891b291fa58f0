//go:build race

package media_test

// floodRate is what a flood sends a millisecond; the race detector takes the
// time that more would need.
const floodRate = 5
