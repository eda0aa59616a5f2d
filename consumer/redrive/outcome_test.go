package redrive_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// states are those of all letters, in the order of their source.
func (r *rig) states(t *testing.T, want ...redrive.State) {
	t.Helper()
	leattest.Eventually(t, fmt.Sprintf("letters %v", want), func() error {
		s, err := redrive.Read(t.Context(), r.client, r.group, r.topic.Name)
		if err != nil {
			return err
		}
		var got []redrive.State
		for _, l := range s.Letters() {
			got = append(got, l.State())
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
}

// notes waits for the acts that are to be noted about all letters: what is committed can be read a little
// later.
func (r *rig) notes(t *testing.T, want string) {
	t.Helper()
	leattest.Eventually(t, "notes "+want, func() error {
		s, err := redrive.Read(t.Context(), r.client, r.group, r.topic.Name)
		if err != nil {
			return err
		}
		var acts []string
		for _, l := range s.Letters() {
			for _, n := range l.Notes {
				acts = append(acts, fmt.Sprintf("%d:%s", l.Source.Offset, n.Act))
			}
		}
		if got := strings.Join(acts, " "); got != want {
			return errors.New(got)
		}
		return nil
	})
}

func TestACanaryThatComesBackStopsTheRest(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}}))
		r.letters(t, 3)
		r.failing(0)
		j := r.job(redrive.Redriven)
		j.Canary = 1
		tally, err := j.Run(t.Context())
		if want := (redrive.Tally{Of: 3, Done: 1, Again: 1}); tally != want || !errors.Is(err, redrive.ErrCanary) {
			t.Fatalf("got %+v (%v), want %+v and ErrCanary", tally, err, want)
		}
		r.states(t, redrive.DeadAgain, redrive.Open, redrive.Open)
		r.failing()
		tally, err = j.Run(t.Context())
		if err != nil || tally.Done != 3 || tally.Handled != 1 {
			t.Fatalf("got %+v (%v), want all redriven after one", tally, err)
		}
		r.effects(t, 3, 4, 0, 1, 2)
		r.states(t, redrive.Done, redrive.Done, redrive.Done)
	})
}

func TestWhatBecameOfARedriveIsToldAndNoted(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}}))
		r.letters(t, 3)
		r.failing(1)
		gate := make(chan struct{})
		r.mu.Lock()
		r.gate = map[int]chan struct{}{2: gate}
		r.mu.Unlock()
		if _, err := r.job(redrive.Redriven).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.states(t, redrive.Done, redrive.DeadAgain, redrive.Waiting)
		r.notes(t, "0:redriven 1:redriven 2:redriven")
		close(gate)
		r.states(t, redrive.Done, redrive.DeadAgain, redrive.Done)
		r.failing()
		j := r.job(redrive.Redriven)
		j.Wait = true
		if tally, err := j.Run(t.Context()); err != nil || tally != (redrive.Tally{Of: 1, Done: 1, Handled: 1}) {
			t.Fatalf("got %+v (%v), want one redriven and handled", tally, err)
		}
		r.notes(t, "0:redriven 0:handled 1:redriven 1:redriven 1:handled 2:redriven 2:handled")
	})
}

func TestALetterThatComesMeanwhileLeavesAHeldKeyWhole(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}, OnDead: leat.HoldKey}))
		r.held(t, 5)
		r.failing()
		p, err := r.client.Producer(kafka.ProducerConfig{Source: "test", Owns: []leat.Topic{r.topic}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		j := r.job(redrive.Redriven)
		j.Hook = func(at string) {
			if at != "redrive.planned" {
				return
			}
			if err := p.Send(t.Context(), placed{"k", 5}); err != nil {
				t.Error(err)
			}
			r.held(t, 6)
		}
		if _, err := j.Run(t.Context()); !errors.Is(err, redrive.ErrHeld) {
			t.Fatalf("got %v, want ErrHeld", err)
		}
		r.letters(t, 6)
		r.effects(t)
		j.Hook = nil
		if tally, err := j.Run(t.Context()); err != nil || tally.Done != 6 {
			t.Fatalf("got %+v (%v), want 6 redriven", tally, err)
		}
		r.effects(t, 0, 1, 2, 3, 4, 5)
	})
}

func TestARateIsKept(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}}))
		r.letters(t, 3)
		j := r.job(redrive.Discarded)
		j.Rate = 10
		var told []int
		j.Told = func(t redrive.Tally) { told = append(told, t.Done) }
		began := time.Now()
		if _, err := j.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 290*time.Millisecond {
			t.Errorf("3 letters took %v at 10 a second", took)
		}
		if want := []int{2, 3}; !slices.Equal(told, want) {
			t.Errorf("told of %v letters, want %v", told, want)
		}
	})
}

func TestTheGuardRefusesWhatCanNotGoBack(t *testing.T) {
	t.Parallel()
	var s redrive.Story
	at := func(offset int64) leat.Position { return leat.Position{Topic: "t.g.dlq", Offset: offset} }
	put := func(partition int32, offset int64, change func(*consumer.DeadLetter)) {
		d := consumer.DeadLetter{
			Source: leat.Position{Topic: "t", Partition: partition, Offset: offset}, Group: "g", Reason: consumer.ReasonExhausted,
			Attempts: 5, FirstFailure: time.Unix(100, 0), LastFailure: time.Unix(200, 0),
		}
		change(&d)
		s.Apply(at(int64(len(s.Letters()))), []byte("k"), nil, d.Headers())
	}
	put(0, 1, func(*consumer.DeadLetter) {})
	put(-1, 2, func(d *consumer.DeadLetter) { d.Reason = consumer.ReasonUnsendable })
	put(0, 3, func(d *consumer.DeadLetter) { d.Omitted = []string{"stack", "error", "value"} })
	put(0, 4, func(d *consumer.DeadLetter) { d.FirstFailure = time.Unix(99, 0) })
	put(0, 5, func(d *consumer.DeadLetter) { d.FirstFailure, d.Attempts = time.Unix(99, 0), 0 })
	put(1, 6, func(*consumer.DeadLetter) {})
	plan := s.Plan(redrive.Redriven, redrive.Filter{}, redrive.Guard{Known: time.Unix(100, 0)})
	refused := map[int64]string{2: "leat outbox unpark", 3: "left out for size", 4: "--repeat"}
	for _, r := range plan.Refused {
		if want := refused[r.Source.Offset]; want == "" || !strings.Contains(r.Why, want) {
			t.Errorf("letter %v is refused: %s, want %q", r.Source, r.Why, want)
		}
	}
	if len(plan.Refused) != len(refused) || len(plan.Letters) != 3 {
		t.Errorf("%d refused and %d taken, want 3 and 3", len(plan.Refused), len(plan.Letters))
	}
	if p := s.Plan(redrive.Discarded, redrive.Filter{}, redrive.Guard{}); len(p.Letters) != 6 || len(p.Refused) != 0 {
		t.Errorf("%d letters can be discarded, want all 6", len(p.Letters))
	}
	one := int32(1)
	for name, tt := range map[string]struct {
		f    redrive.Filter
		want int
	}{
		"from":      {redrive.Filter{From: 5}, 2},
		"to":        {redrive.Filter{To: 5}, 4},
		"range":     {redrive.Filter{From: 3, To: 5}, 2},
		"partition": {redrive.Filter{Partition: &one}, 1},
	} {
		if p := s.Plan(redrive.Discarded, tt.f, redrive.Guard{}); len(p.Letters) != tt.want {
			t.Errorf("%s takes %d letters, want %d", name, len(p.Letters), tt.want)
		}
	}
}
