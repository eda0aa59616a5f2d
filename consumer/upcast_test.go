package consumer_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
)

// PlacedV2 and PlacedV3 took the place of Placed, one after the other.
type PlacedV2 struct{ Key, N2 string }

func (PlacedV2) EventType() string  { return "test.order.placed.v2" }
func (e PlacedV2) EventKey() string { return e.Key }

type PlacedV3 struct{ Key, N3 string }

func (PlacedV3) EventType() string  { return "test.order.placed.v3" }
func (e PlacedV3) EventKey() string { return e.Key }

var (
	toV2 = leat.UpcastBy(func(p Placed) (PlacedV2, error) {
		if p.Note == "bad" {
			return PlacedV2{}, errors.New("no such note in version 2")
		}
		return PlacedV2{p.Key, "v1"}, nil
	})
	toV3 = leat.UpcastBy(func(p PlacedV2) (PlacedV3, error) { return PlacedV3{p.Key, "v2 of " + p.N2}, nil })
)

func TestHandlersOfANewTypeGetTheOlderEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		v2   bool // a handler of version 2 beside that of version 3
		want []string
	}{
		"newest alone":        {false, []string{"v3 new", "v3 v2 of mid", "v3 v2 of v1"}},
		"the nearest handler": {true, []string{"v2 mid", "v2 v1", "v3 new"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, r *rig) {
				r.topic.Carries = []any{Placed{}, PlacedV2{}, PlacedV3{}}
				r.topic.Upcasts = []leat.Upcast{toV2, toV3}
				r.send(Placed{Key: "a"}, PlacedV2{"a", "mid"}, PlacedV3{"a", "new"}, Placed{Key: "b", Note: "bad"})
				var mu sync.Mutex
				var got []string
				note := func(s string) error {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, s)
					return nil
				}
				handlers := []leat.Handler{
					consumer.On(r.topic, func(_ context.Context, e *leat.Event[PlacedV3]) error { return note("v3 " + e.Data.N3) }),
				}
				if c.v2 {
					handlers = append(handlers, consumer.On(r.topic, func(_ context.Context, e *leat.Event[PlacedV2]) error { return note("v2 " + e.Data.N2) }))
				}
				r.start(r.config(handlers...))
				r.awaitCommitted(4)
				slices.Sort(got)
				if !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
				letters := r.deadLetters()
				if len(letters) != 1 || letters[0].Reason != consumer.ReasonUndecodable {
					t.Errorf("letters %+v, want the one event that can't be upcast", letters)
				}
			})
		})
	}
}
