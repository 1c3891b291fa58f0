package storage_test

import (
	"fmt"
	"testing"

	"callbox/cti"
	"callbox/storage/storagetest"
)

// BenchmarkWrite is durable rows a second with many callers waiting.
func BenchmarkWrite(b *testing.B) {
	d := storagetest.Open(b)
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := d.Write(b.Context(), "put", statement("INSERT INTO meta (key, value) VALUES (hex(randomblob(16)), 'v')")); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkCall is what a call costs: eight events with the record, its end.
func BenchmarkCall(b *testing.B) {
	d := storagetest.Open(b)
	j, ctx := d.Journal(), b.Context()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			c := taken(call(n), "1001")
			c.ID = fmt.Sprintf("%p-%d", pb, n)
			_ = j.Open(ctx, c)
			for range 8 {
				_ = j.Note(ctx, cti.Event{Type: cti.EventDelivered, CallID: c.ID, Call: &c})
			}
			if err := j.Close(ctx, ended(c, cti.ResultAnswered)); err != nil {
				b.Error(err)
			}
		}
	})
}
