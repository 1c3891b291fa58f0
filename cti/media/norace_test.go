//go:build !race

package media_test

// floodRate is what a flood sends a millisecond.
const floodRate = 50
