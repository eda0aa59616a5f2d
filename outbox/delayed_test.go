package outbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// Delayed events leave at their times and not before, in the order of these, while those without a
// delay overtake them. The relay that comes after a pause keeps to it.
func TestDelayedEventsLeaveInTheOrderOfTheirTimes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		const late = 3 * time.Minute
		_, stop := w.relay()
		start := time.Now()
		w.publish(
			outbox.At(start.Add(20*time.Second), moved{Key: "k", N: 5}),
			outbox.At(start.Add(10*time.Second), moved{Key: "k", N: 3}),
			outbox.At(start.Add(10*time.Second), leat.With(moved{Key: "k", N: 4}, leat.Subject("s"))),
			outbox.At(start.Add(5*time.Second), moved{Key: "k", N: 2}),
			moved{Key: "k", N: 1},
			outbox.At(start.Add(late), moved{Key: "late", N: 1}),
			outbox.At(start.Add(-time.Hour), moved{Key: "early", N: 1}),
		)
		at := func(d time.Duration, want int) {
			t.Helper()
			time.Sleep(time.Until(start.Add(d)))
			if n := len(w.read(w.topic.Name)); n != want {
				t.Errorf("%d events after %v, want %d", n, d, want)
			}
		}
		at(4900*time.Millisecond, 2)
		at(5500*time.Millisecond, 3)
		stop()
		time.Sleep(time.Minute) // both times pass while no relay is there
		w.relay()
		at(70*time.Second, 6)
		if s, err := w.box.Status(t.Context()); err != nil || s.Delayed != 1 || s.Rows != 0 {
			t.Errorf("%d events wait for their time, %d for the relay, %v", s.Delayed, s.Rows, err)
		}
		at(late-100*time.Millisecond, 6)
		at(late+time.Second, 7)
		inOrder(t, w.read(w.topic.Name), 7)
	})
}

// The database's clock decides, another process's too, and a crowd of delayed events keeps nobody
// waiting.
func TestDelayedEventsOnServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	const n = 2500 // more than one promotion
	due := time.Now().Add(3 * time.Second)
	var crowd []any
	for i := range n {
		crowd = append(crowd, outbox.At(due.Add(time.Duration(i%50)*time.Millisecond), moved{Key: fmt.Sprint("k", i%50), N: i/50 + 1}))
	}
	w.publish(crowd...)
	w.relay(noSweep)
	w.publish(moved{Key: "now", N: 1})
	early := time.Now().Before(due)
	w.empty() // the crowd as well
	all := w.read(w.topic.Name)
	inOrder(t, all, n+1)
	var now, last time.Time // when the event without a delay left, and the last one of the others
	for _, s := range all {
		if s.Key == "now" {
			now = s.rec.Timestamp
			continue
		}
		if early := due.Sub(s.rec.Timestamp); early > 10*time.Millisecond {
			t.Fatalf("%s left %v before its time", s.Key, early)
		}
		if s.rec.Timestamp.After(last) {
			last = s.rec.Timestamp
		}
	}
	if early && now.After(last) {
		t.Error("an event without a delay waited for those with one")
	}
}
