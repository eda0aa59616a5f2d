package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

type placed struct {
	Key string
	N   int
}

func (placed) EventType() string  { return "test.placed.v1" }
func (e placed) EventKey() string { return e.Key }

func letter(offset int64, reason, text string) []leat.Header {
	d := consumer.DeadLetter{Source: leat.Position{Topic: "t", Offset: offset}, Group: "g", Reason: consumer.Reason(reason), Error: text, LastFailure: time.Unix(offset, 0)}
	return append([]leat.Header{{Key: "own", Value: []byte("1")}}, d.Headers()...)
}

func note(act redrive.Act, offset int64, round int) []leat.Header {
	return []leat.Header{{Key: redrive.HeaderNote, Value: fmt.Appendf(nil, `{"v":1,"act":%q,"group":"g","topic":"t","partition":0,"offset":%d,"round":%d}`, act, offset, round)}}
}

func TestAStoryFoldsLettersAndNotesByTheirSource(t *testing.T) {
	t.Parallel()
	var s redrive.Story
	for i, headers := range [][]leat.Header{
		letter(3, "exhausted", "db is away"), letter(1, "permanent", "no"), letter(3, "exhausted", "db is away"), letter(2, "panic", "x"),
		note(redrive.Redriven, 3, 1), note(redrive.Discarded, 2, 0), letter(3, "exhausted", "db again"), note("x", 99, 0),
		{{Key: "foreign"}},
	} {
		s.Apply(leat.Position{Topic: "t.g.dlq", Offset: int64(i)}, []byte("k"), []byte("v"), headers)
	}
	var got []string
	for _, l := range s.Letters() {
		got = append(got, fmt.Sprintf("%d %s rounds=%d copies=%d headers=%d", l.Source.Offset, l.State(), l.Rounds, l.Copies, len(l.Headers)))
	}
	want := []string{"1 open rounds=0 copies=1 headers=1", "2 discarded rounds=0 copies=1 headers=1", "3 open rounds=1 copies=3 headers=1"}
	if !slices.Equal(got, want) {
		t.Errorf("letters are %q, want %q", got, want)
	}
	if p := s.Plan(redrive.Filter{}, 1); len(p.Letters) != 1 || len(p.Refused) != 1 || p.Refused[0].Source.Offset != 3 {
		t.Errorf("with at most one round the plan is %+v, want letter 1, and 3 refused", p)
	}
	if p := s.Plan(redrive.Filter{Error: regexp.MustCompile("^db"), Since: time.Unix(3, 0)}, 9); len(p.Letters) != 1 || p.Letters[0].Source.Offset != 3 {
		t.Errorf("filtered by error and time the plan is %+v, want letter 3", p)
	}
}

// rig is a parked group whose handler fails until it is mended.
type rig struct {
	client *kafka.Client
	topic  leat.Topic
	group  string

	mu     sync.Mutex
	mended bool
	done   []int
}

func (r *rig) handle(_ context.Context, e *leat.Event[placed]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mended && e.Data.N < 3 {
		return leat.Permanent(errors.New("not yet"))
	}
	r.done = append(r.done, e.Data.N)
	return nil
}

func newRig(t *testing.T, b *broker.Broker, policy leat.Parking) *rig {
	t.Helper()
	client, err := kafka.Open(t.Context(), b.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	r := &rig{client: client, group: b.Name("group"), topic: leat.Topic{Name: b.CreateTopic(t, b.Name("orders"), 1, nil), Carries: []any{placed{}}}}
	c, err := consumer.New(consumer.Config{
		Group: r.group, Kafka: b.Config(), CommitInterval: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Handlers: []leat.Handler{consumer.On(r.topic, r.handle, consumer.Park(policy))},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	p, err := client.Producer(kafka.ProducerConfig{Source: "test", Owns: []leat.Topic{r.topic}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for n := range 5 {
		if err := p.Send(t.Context(), placed{"k", n}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// letters waits until so many letters are open.
func (r *rig) letters(t *testing.T, open int) {
	t.Helper()
	leattest.Within(t, 30*time.Second, fmt.Sprintf("%d open letters", open), func() error {
		s, err := redrive.Read(t.Context(), r.client, r.group, r.topic.Name)
		if err != nil {
			return err
		}
		if got := len(s.Plan(redrive.Filter{}, 9).Letters); got != open {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
}

func (r *rig) effects(t *testing.T, want ...int) {
	t.Helper()
	leattest.Within(t, 30*time.Second, fmt.Sprintf("effects %v", want), func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.Equal(r.done, want) {
			return fmt.Errorf("%v", r.done)
		}
		return nil
	})
}

func (r *rig) job(act redrive.Act) redrive.Job {
	return redrive.Job{Client: r.client, Group: r.group, Topic: r.topic.Name, Rounds: redrive.MaxRounds, Act: act, By: "test"}
}

var errKilled = errors.New("killed")

// killed runs the job until the point, and returns whether it got there.
func killed(j redrive.Job, point string) (hit bool) {
	j.Hook = func(at string) {
		if at == point {
			panic(errKilled)
		}
	}
	defer func() { hit = recover() != nil }()
	_, _ = j.Run(context.Background())
	return false
}

func TestLettersGoBackToTheirGroupOnceAndInOrder(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"redrive.appended", "redrive.committed"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			broker.Each(t, func(t *testing.T, b *broker.Broker) {
				r := newRig(t, b, leat.Parking{Tiers: []time.Duration{}})
				r.letters(t, 3)
				r.effects(t, 3, 4)
				r.mu.Lock()
				r.mended = true
				r.mu.Unlock()
				if !killed(r.job(redrive.Redriven), point) {
					t.Fatalf("the job never came to %s", point)
				}
				if _, err := r.job(redrive.Redriven).Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.letters(t, 0)
				r.effects(t, 3, 4, 0, 1, 2)
				if n, err := r.job(redrive.Redriven).Run(t.Context()); n != 0 || err != nil {
					t.Errorf("a third run has redriven %d letters (%v)", n, err)
				}
			})
		})
	}
}

func TestAHeldKeyGoesBackWholeAndInOrder(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, leat.Parking{Tiers: []time.Duration{}, OnDead: leat.HoldKey})
		r.letters(t, 5)
		r.mu.Lock()
		r.mended = true
		r.mu.Unlock()
		j := r.job(redrive.Redriven)
		j.Limit = 1 // it takes the whole key all the same
		if n, err := j.Run(t.Context()); err != nil || n != 5 {
			t.Fatalf("redriven %d letters (%v), want 5", n, err)
		}
		r.effects(t, 0, 1, 2, 3, 4)
		r.letters(t, 0)
	})
}

func TestAGroupThatParksNothingIsRefused(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	client, err := kafka.Open(t.Context(), b.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := (redrive.Job{Client: client, Group: "g", Topic: "t", Act: redrive.Redriven}).Run(t.Context()); !errors.Is(err, redrive.ErrNotParked) {
		t.Errorf("got %v, want ErrNotParked", err)
	}
}
