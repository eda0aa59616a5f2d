package kafka

import (
	"testing"
	"time"

	"github.com/leatdev/leat"
)

// The times of a batch lie in one piece of memory and share what they can of their texts.
func TestEachRecordOfABatchKeepsItsTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 123_456_789, time.UTC)
	times := []time.Time{at, at.Add(time.Millisecond), {}, at.Add(time.Second), at, at.Truncate(time.Second), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), at}
	msgs := make([]leat.Message, len(times))
	for i, when := range times {
		msgs[i] = leat.Message{ID: "id", Type: "t", Source: "s", Topic: "topic", Time: when}
	}
	b := newBatch(nil, msgs, nil)
	b = newBatch(b, msgs, nil) // memory that is used again
	for i, when := range times {
		got, want := "", ""
		for _, h := range b.records[i].Headers {
			if h.Key == HeaderTime {
				got = string(h.Value)
			}
		}
		if !when.IsZero() {
			want = when.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("record %d has time %q, want %q", i, got, want)
		}
	}
}
