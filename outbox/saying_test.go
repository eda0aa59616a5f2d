package outbox

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
)

func fullSaying() leat.Message {
	m := full()
	m.Topic, m.Key, m.ID, m.Type, m.Data = "shop.payments", []byte("42"), "id-1", "shop.payment.succeeded.v1", []byte(`{"cents":1}`)
	return m
}

func TestSayingsAreWrittenAsEver(t *testing.T) {
	t.Parallel()
	m := fullSaying()
	golden(t, "saying.v1.hex", hex.EncodeToString(appendSaying(nil, &m)))
}

func TestSayingsComeBack(t *testing.T) {
	t.Parallel()
	empty := leat.Message{Topic: "t", ID: "i", Type: "e", Key: []byte{}, Data: []byte{}}
	for _, want := range []leat.Message{fullSaying(), empty, {Topic: "t", ID: "i", Type: "e"}} {
		var got leat.Message
		text := string(appendSaying(nil, &want))
		if err := readSaying(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for n := range len(text) {
			if readSaying(text[:n], &got) == nil {
				t.Errorf("cut off after %d of %d bytes it is taken", n, len(text))
			}
		}
	}
}

func FuzzSaying(f *testing.F) {
	m := fullSaying()
	f.Add(appendSaying(nil, &m))
	f.Add([]byte{1, 2, 'a', 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, log []byte) {
		var first, second leat.Message
		if readSaying(string(log), &first) != nil {
			return
		}
		if err := readSaying(string(appendSaying(nil, &first)), &second); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}
