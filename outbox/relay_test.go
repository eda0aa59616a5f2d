package outbox_test

import (
	"fmt"
	"testing"
)

func TestEventsLeaveOnceAndInOrder(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		const keys, versions = 5, 40
		publish := func(from, to int) {
			for n := from; n <= to; n++ {
				for k := range keys {
					w.publish(moved{Key: fmt.Sprint("k", k), N: n})
				}
			}
		}
		publish(1, versions/2) // a backlog
		_, stop := w.relay()
		publish(versions/2+1, versions*3/4)
		w.empty()
		stop()
		_, _ = w.relay() // another one goes on where the first has ended
		publish(versions*3/4+1, versions)
		w.empty()
		inOrder(t, w.read(w.topic.Name), keys*versions)
	})
}
