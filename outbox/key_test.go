package outbox

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/leatdev/leat"
)

// The keys of events that were handled lie in databases: they never change.
func TestKeysStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ group, source, id, want string }{
		{"payment", "order", "0192d3a4-b5c6-7def-8123-456789abcdef", "0192d3a4b5c67def179110f75774a50f"},
		{"payment", "order", "0192d3a4-b5c6-4def-8123-456789abcdef", "0192d3a4b5c64def179110f75774a50f"},
		{"payment", "order", "0192D3A4-B5C6-7DEF-8123-456789ABCDEF", "62c9ab35d5b2854b6b74d48be05f6936"},
		{"payment", "order", "00000000-0000-1000-8000-000000000001", "566a5c0000001d9c1b36dda9fb29e196"},
		{"payment", "", "shop.orders/3@4711", "9bac36000093788ece54a56f05e883e9"},
		{"payment", "order", "no number", "b165ef5c809e5910218307e1cf82cfb5"},
		{"payment", "order", "", "96b25590dedfc3f739c2c4b654898cda"},
	} {
		got := newKeyer(c.group).of(c.source, c.id)
		if text := hex.EncodeToString(got[:]); text != c.want {
			t.Errorf("%q of %q for %q has the key %s, want %s", c.id, c.source, c.group, text, c.want)
		}
	}
}

// What comes one after the other lies side by side: by the time of its id, or by its number at a place.
func TestKeysOfNeighboursAreNeighbours(t *testing.T) {
	t.Parallel()
	k, last := newKeyer("payment"), key{}
	for ms := range 1000 {
		of := k.of("source", leat.UUIDv7(time.UnixMilli(1_700_000_000_000+int64(ms)), [10]byte{byte(ms * 37)}))
		if bytes.Compare(of[:], last[:]) <= 0 {
			t.Fatalf("%x comes after %x", of, last)
		}
		last = of
	}
	last = key{}
	for offset := 32; offset < 32*1000; offset += 32 {
		of := k.of("", leat.Position{Topic: "orders", Partition: 3, Offset: int64(offset)}.String())
		if next := k.of("", leat.Position{Topic: "orders", Partition: 3, Offset: int64(offset) + 31}.String()); bytes.Compare(of[:], last[:]) <= 0 || !bytes.Equal(of[:6], next[:6]) {
			t.Fatalf("%x comes after %x, before %x", of, last, next)
		}
		last = of
	}
}

// No two of group, source and id run into one another.
func TestKeysTellEventsApart(t *testing.T) {
	t.Parallel()
	seen := map[key]string{}
	parts := []string{"", "a", "ab", "b", "1", "11", "a1", "\x00", "0192d3a4-b5c6-7def-8123-456789abcdef", "0192d3a4-b5c6-7def-8123-456789abcdee", "0192D3A4-b5c6-7def-8123-456789abcdef", "00000000-0000-5000-8000-000000000001", "00000000-0000-5000-8000-000000000002"}
	for _, group := range parts {
		k := newKeyer(group)
		for _, source := range parts {
			for _, id := range parts {
				what := fmt.Sprintf("%q %q %q", group, source, id)
				of := k.of(source, id)
				if other, there := seen[of]; there {
					t.Errorf("%s has the key of %s", what, other)
				}
				if again := newKeyer(group).of(source, id); again != of {
					t.Errorf("%s has two keys", what)
				}
				seen[of] = what
			}
		}
	}
}

func BenchmarkKey(b *testing.B) {
	k := newKeyer("payment")
	for _, id := range []string{leat.NewID(), "shop.orders/3@4711"} {
		b.Run(id[:4], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.of("order", id)
			}
		})
	}
}
