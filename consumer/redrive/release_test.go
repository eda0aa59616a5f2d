package redrive_test

import (
	"errors"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

func TestAReleasedKeyGoesOnWithoutItsLetters(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}, OnDead: leat.HoldKey}))
		r.held(t, 5)
		p, err := r.client.Producer(kafka.ProducerConfig{Source: "test", Owns: []leat.Topic{r.topic}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		send := func(n int) {
			if err := p.Send(t.Context(), placed{"k", n}); err != nil {
				t.Fatal(err)
			}
		}
		j := r.job("")
		j.Hook = func(at string) {
			if at == "release.read" {
				send(5)
				r.held(t, 6)
			}
		}
		if err := j.Release(t.Context(), []byte("k")); !errors.Is(err, redrive.ErrHeld) {
			t.Fatalf("with a letter that came meanwhile: got %v, want ErrHeld", err)
		}
		j.Hook = nil
		if err := j.Release(t.Context(), []byte("k")); err != nil {
			t.Fatal(err)
		}
		r.notes(t, "0:released 1:released 2:released 3:released 4:released 5:released")
		send(6)
		r.effects(t, 6)
		r.letters(t, 6)
		if err := j.Release(t.Context(), []byte("k")); !errors.Is(err, redrive.ErrNotHeld) {
			t.Errorf("again: got %v, want ErrNotHeld", err)
		}
	})
}
