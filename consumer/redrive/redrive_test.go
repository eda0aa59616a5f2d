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
	want := []string{"1 open rounds=0 copies=1 headers=1", "2 discarded rounds=0 copies=1 headers=1", "3 dead-again rounds=1 copies=3 headers=1"}
	if !slices.Equal(got, want) {
		t.Errorf("letters are %q, want %q", got, want)
	}
	if p := s.Plan(redrive.Redriven, redrive.Filter{}, redrive.Guard{Rounds: 1}); len(p.Letters) != 1 || len(p.Refused) != 1 || p.Refused[0].Source.Offset != 3 {
		t.Errorf("with at most one round the plan is %+v, want letter 1, and 3 refused", p)
	}
	if p := s.Plan(redrive.Redriven, redrive.Filter{Error: regexp.MustCompile("^db"), Since: time.Unix(3, 0)}, redrive.Guard{}); len(p.Letters) != 1 || p.Letters[0].Source.Offset != 3 {
		t.Errorf("filtered by error and time the plan is %+v, want letter 3", p)
	}
}

// rig is a parked group whose handler fails until it is mended.
type rig struct {
	client *kafka.Client
	topic  leat.Topic
	group  string

	mu    sync.Mutex
	fails map[int]bool
	soft  bool                  // what fails may be tried again
	gate  map[int]chan struct{} // an event waits for it
	done  []int
	from  map[leat.Position]bool // where they said that they lay
}

func (r *rig) handle(_ context.Context, e *leat.Event[placed]) error {
	r.mu.Lock()
	gate := r.gate[e.Data.N]
	r.mu.Unlock()
	if gate != nil {
		<-gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails[e.Data.N] && r.soft {
		return errors.New("not yet")
	}
	if r.fails[e.Data.N] {
		return leat.Permanent(errors.New("not yet"))
	}
	r.done = append(r.done, e.Data.N)
	r.from[e.Position()] = true
	return nil
}

// failing says which events fail from now on.
func (r *rig) failing(ns ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails = map[int]bool{}
	for _, n := range ns {
		r.fails[n] = true
	}
}

func newRig(t *testing.T, b *broker.Broker, options ...leat.HandlerOption) *rig {
	t.Helper()
	cfg := b.Config()
	cfg.Properties = map[string]string{"transaction.timeout.ms": "60000"} // longer than a machine may stall
	client := broker.Open(t, cfg)
	r := &rig{client: client, group: b.Name("group"), topic: leat.Topic{Name: b.CreateTopic(t, b.Name("orders"), 1, nil), Carries: []any{placed{}}}}
	r.failing(0, 1, 2)
	r.soft = len(options) > 0 && later(options)
	r.from = map[leat.Position]bool{}
	c, err := consumer.New(consumer.Config{
		Group: r.group, Kafka: b.Config(), CommitInterval: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Handlers: []leat.Handler{consumer.On(r.topic, r.handle, options...)},
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
	leattest.Eventually(t, fmt.Sprintf("%d open letters", open), func() error {
		s, err := redrive.Read(t.Context(), r.client, r.group, r.topic.Name)
		if err != nil {
			return err
		}
		if got := len(s.Plan(redrive.Redriven, redrive.Filter{}, redrive.Guard{Rounds: 9}).Letters); got != open {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
}

// held waits until the key is held with so many letters, which is said after they are there.
func (r *rig) held(t *testing.T, count int) {
	t.Helper()
	r.letters(t, count)
	leattest.Eventually(t, fmt.Sprintf("a key held with %d letters", count), func() error {
		held, err := r.job("").Held(t.Context(), []byte("k"))
		if err == nil && (len(held) != 1 || held[0].Count != count) {
			err = fmt.Errorf("%+v", held)
		}
		return err
	})
}

func (r *rig) effects(t *testing.T, want ...int) {
	t.Helper()
	leattest.Eventually(t, fmt.Sprintf("effects %v", want), func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.Equal(r.done, want) {
			return fmt.Errorf("%v", r.done)
		}
		return nil
	})
}

func (r *rig) job(act redrive.Act) redrive.Job {
	return redrive.Job{Client: r.client, Group: r.group, Topic: r.topic.Name, Act: act, By: "test"}
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
				r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}}))
				r.letters(t, 3)
				r.effects(t, 3, 4)
				r.failing()
				if !killed(r.job(redrive.Redriven), point) {
					t.Fatalf("the job never came to %s", point)
				}
				if _, err := r.job(redrive.Redriven).Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.letters(t, 0)
				r.effects(t, 3, 4, 0, 1, 2)
				if n, err := r.job(redrive.Redriven).Run(t.Context()); n.Done != 0 || err != nil {
					t.Errorf("a third run has redriven %d letters (%v)", n.Done, err)
				}
			})
		})
	}
}

func TestAHeldKeyGoesBackWholeAndInOrder(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}, OnDead: leat.HoldKey}))
		r.held(t, 5)
		r.failing()
		j := r.job(redrive.Redriven)
		j.Limit = 1 // it takes the whole key all the same
		if n, err := j.Run(t.Context()); err != nil || n.Done != 5 {
			t.Fatalf("redriven %d letters (%v), want 5", n.Done, err)
		}
		r.effects(t, 0, 1, 2, 3, 4)
		r.letters(t, 0)
	})
}
