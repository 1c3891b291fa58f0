package client

import "testing"

// TestCapacityIsLessThanASecondOfTheContract keeps the way short for what is
// urgent.
func TestCapacityIsLessThanASecondOfTheContract(t *testing.T) {
	for rate, want := range map[int]int{0: 32, 1: 1, 10: 8, 20: 16, 100: 32} {
		c, err := New(Config{Name: "cmcc", Address: "h:1", SPID: "901234", Window: 16, Connections: 2, Rate: rate})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Capacity(); got != want {
			t.Errorf("capacity %d at %d/s, want %d", got, rate, want)
		}
	}
}
