package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// desk is where commands to the rig's group are written.
type desk struct {
	r   *rig
	log *control.Log
}

// desk makes the control topic, and cfg follow it.
func (r *rig) desk(cfg *consumer.Config) *desk {
	r.t.Helper()
	cfg.Control = r.b.Name("p") + "." + control.Topic
	d := &desk{r, control.NewLog(broker.Open(r.t, r.b.Config()), cfg.Control)}
	if err := d.log.Ensure(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (d *desk) write(c control.Record) control.Record {
	d.r.t.Helper()
	c.Group = d.r.group
	if err := d.log.Write(d.r.t.Context(), []control.Record{c}, nil); err != nil {
		d.r.t.Fatal(err)
	}
	return c
}

func (d *desk) lift(c control.Record) {
	d.r.t.Helper()
	if err := d.log.Write(d.r.t.Context(), nil, []control.Record{c}); err != nil {
		d.r.t.Fatal(err)
	}
}

// seek asks for offset of partition 0.
func (d *desk) seek(id string, offset int64) control.Record {
	d.r.t.Helper()
	return d.write(control.Record{Kind: control.Seek, Topic: d.r.topic.Name, Partition: 0, ID: id, Offset: offset})
}

// answer waits for the answer to a seek.
func (d *desk) answer(seek control.Record) (answer control.Record) {
	d.r.t.Helper()
	leattest.Eventually(d.r.t, "answer to seek "+seek.ID, func() error {
		s, err := d.log.Read(d.r.t.Context())
		if err != nil {
			return err
		}
		var told bool
		if answer, told = s.Answer(seek); !told {
			return errors.New("none")
		}
		return nil
	})
	return answer
}

func TestWhatIsPausedHandlesNothingUntilItGoesOn(t *testing.T) {
	for _, c := range []struct {
		name  string
		scope func(r *rig) control.Record
	}{
		{"group", func(*rig) control.Record { return control.Record{Partition: control.All} }},
		{"topic", func(r *rig) control.Record { return control.Record{Topic: r.topic.Name, Partition: control.All} }},
		{"partition", func(r *rig) control.Record { return control.Record{Topic: r.topic.Name, Partition: 0} }},
		{"handler", func(r *rig) control.Record {
			return control.Record{Topic: r.topic.Name, Partition: control.All, Type: "test.order.placed.v1"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conform(t, 1, func(t *testing.T, r *rig) {
				done := newLedger()
				cfg := r.config(consumer.On(r.topic, done.note))
				var rated *atomic.Int64
				cfg.Logger, rated = count(r.log, "rate set by the control topic")
				d := r.desk(&cfg)
				pause := c.scope(r)
				pause.Kind, pause.ID, pause.Why = control.Pause, "1", "for the test"
				pause = d.write(pause)
				r.send(placed(3, 4)...)
				m := r.start(cfg) // paused from its first moment
				leattest.Eventually(t, "the group is there", m.Ready)
				m.awaitPartitions(t, 1)
				time.Sleep(500 * time.Millisecond)
				if n := done.len(); n != 0 {
					t.Fatalf("%d events were handled while the %s was paused", n, c.name)
				}
				if p := m.Stats().Partitions[0]; pause.Type == "" && !strings.Contains(p.Halted, "for the test") {
					t.Errorf("the partition says that it is halted by %q", p.Halted)
				}
				d.lift(pause)
				r.awaitCommitted(12)
				pause = d.write(pause) // and again, while it runs
				d.write(control.Record{Kind: control.Rate, Topic: r.topic.Name, Partition: control.All, Type: "test.order.placed.v1", PerSecond: 1e6})
				leattest.Eventually(t, "the pause is known, as what came after it", func() error {
					if rated.Load() == 0 {
						return errors.New("not yet")
					}
					return nil
				})
				r.send(placed(3, 1)...)
				time.Sleep(300 * time.Millisecond)
				if n := done.len(); n != 12 {
					t.Fatalf("%d events were handled, want the 12 from before the second pause", n)
				}
				d.lift(pause)
				r.awaitCommitted(15)
				if err := m.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAPausedHandlerLeavesTheOthersAlone(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		placedSeen, paidSeen := newLedger(), newLedger()
		cfg := r.config(consumer.On(r.topic, placedSeen.note), consumer.On(r.topic, paidSeen.notePaid))
		d := r.desk(&cfg)
		d.write(control.Record{Kind: control.Pause, Topic: r.topic.Name, Partition: control.All, Type: "test.order.placed.v1", ID: "1"})
		r.send(Placed{Key: "a", N: 0}, Paid{Key: "a", N: 1}, Paid{Key: "b", N: 0})
		m := r.start(cfg)
		paidSeen.await(t, 1)
		time.Sleep(300 * time.Millisecond)
		if got := paidSeen.byKey; len(got["a"]) != 0 || len(got["b"]) != 1 || placedSeen.len() != 0 {
			t.Errorf("handled: paid %v, placed %v; want b only: a's event waits behind the paused one of its key", got, placedSeen.byKey)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestADrainAnswersWhenNothingIsInHand(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		g := newGate(t)
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, holding(g, done)))
		d := r.desk(&cfg)
		r.send(placed(1, 3)...)
		m := r.start(cfg)
		leattest.Eventually(t, "an event is in hand", func() error {
			if m.Stats().InFlight != 1 {
				return errors.New("none")
			}
			return nil
		})
		drain := d.write(control.Record{Kind: control.Pause, Topic: r.topic.Name, Partition: 0, ID: "1", Drain: true})
		answered := func() (control.Record, bool) {
			s, err := d.log.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s.DrainedBy(drain, r.topic.Name, 0)
		}
		leattest.Eventually(t, "the partition is halted", func() error {
			if p := m.Stats().Partitions; len(p) != 1 || p[0].Halted == "" {
				return fmt.Errorf("%+v", p)
			}
			return nil
		})
		time.Sleep(300 * time.Millisecond)
		if a, told := answered(); told {
			t.Fatalf("drained at %d, with an event in hand", a.Offset)
		}
		g.open()
		leattest.Eventually(t, "drained", func() error {
			if a, told := answered(); !told || a.Offset != 1 {
				return fmt.Errorf("told %t, offset %d, want 1", told, a.Offset)
			}
			return nil
		})
		if n := done.len(); n != 1 {
			t.Errorf("%d events were handled, want the one that was in hand", n)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// counted waits until the group has handled n events of one key and committed to offset, and returns
// how often each was.
func (l *ledger) counted(r *rig, n int, offset int64) map[int]int {
	r.t.Helper()
	l.await(r.t, n)
	r.awaitCommitted(offset)
	time.Sleep(200 * time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	times := map[int]int{}
	for _, n := range l.byKey["k0"] {
		times[n]++
	}
	return times
}

func TestASeekIsCarriedOutOnce(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		d := r.desk(&cfg)
		r.send(placed(1, 10)...)
		m := r.start(cfg)
		done.counted(r, 10, 10)
		back := d.seek("back", 7)
		if a := d.answer(back); a.From != 10 || a.Offset != 7 {
			t.Errorf("the answer says from %d to %d, want from 10 to 7", a.From, a.Offset)
		}
		if got := done.counted(r, 13, 10); got[6] != 1 || got[7] != 2 || got[9] != 2 || len(got) != 10 {
			t.Errorf("times handled: %v, want 7, 8, 9 twice and the others once", got)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		m = r.start(cfg) // knows the seek and its answer from the topic
		r.send(placed(1, 1)...)
		if got := done.counted(r, 14, 11); got[7] != 2 {
			t.Errorf("times handled: %v: the seek was carried out again at the next start", got)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		r.send(placed(1, 3)...)
		d.answer2(t, d.seek("ahead", 13), func() { m = r.start(cfg) })
		if got := done.counted(r, 15, 14); got[2] != 2 || got[1] != 1 {
			t.Errorf("times handled: %v: after a seek ahead while nobody was there, only the last event was to be handled", got)
		}
		if old := outdated(t, d); len(old) != 0 {
			t.Errorf("answers to old seeks stay in the topic: %v", old)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// answer2 does something before it waits for the answer.
func (d *desk) answer2(t *testing.T, seek control.Record, first func()) {
	t.Helper()
	first()
	d.answer(seek)
}

func outdated(t *testing.T, d *desk) []control.Record {
	t.Helper()
	s, err := d.log.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Outdated(control.Record{Group: d.r.group, Topic: d.r.topic.Name, Partition: 0, ID: "ahead"})
}

// TestASeekIsCarriedOutOnceWhoeverDies cuts the owner off at each step: what the heir does must add up
// to one seek.
func TestASeekIsCarriedOutOnceWhoeverDies(t *testing.T) {
	for _, point := range []string{"control.seek-committed", "control.sought"} {
		t.Run(point, func(t *testing.T) {
			conform(t, 1, func(t *testing.T, r *rig) {
				done, g := newLedger(), newGate(t)
				cfg := r.config(consumer.On(r.topic, done.note))
				d := r.desk(&cfg)
				r.send(placed(1, 10)...)
				died, know := make(chan *link, 2), map[*link]*atomic.Int64{}
				var dead atomic.Bool
				for range 2 {
					l := newLink(r.b)
					mine := l.through(cfg)
					mine.Logger, know[l] = count(r.log, "rate set by the control topic")
					mine.Hook = func(at string) {
						if at == point && dead.CompareAndSwap(false, true) {
							l.sever()
							died <- l
							g.wait()
						}
					}
					r.start(mine)
				}
				done.counted(r, 10, 10)
				seek := d.seek("s", 7)
				d.write(control.Record{Kind: control.Rate, Topic: r.topic.Name, Partition: control.All, Type: "test.order.placed.v1", PerSecond: 1e6})
				owner := <-died
				delete(know, owner)
				for _, rated := range know {
					leattest.Eventually(t, "the heir knows of the seek, as of what came after it", func() error {
						if rated.Load() == 0 {
							return errors.New("not yet")
						}
						return nil
					})
				}
				r.die(owner)
				d.answer(seek)
				if got := done.counted(r, 13, 10); got[6] != 1 || got[7] != 2 || got[9] != 2 {
					t.Errorf("times handled: %v, want 7, 8, 9 twice and the others once", got)
				}
				g.open()
			})
		})
	}
}

func TestAGroupThatMayNotFollowTheControlTopicWorksAndSaysSo(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.b.Cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.b.Cluster.KeepControl()
			m := req.(*kmsg.MetadataRequest)
			if !slices.ContainsFunc(m.Topics, func(t kmsg.MetadataRequestTopic) bool { return t.Topic != nil && *t.Topic == "leat.control" }) {
				return nil, nil, false
			}
			resp := m.ResponseKind().(*kmsg.MetadataResponse)
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.ErrorCode = new("leat.control"), kerr.TopicAuthorizationFailed.Code
			resp.Topics = append(resp.Topics, topic)
			return resp, nil, true
		})
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		cfg.Control = control.Topic
		r.send(placed(1, 3)...)
		m := r.start(cfg)
		done.await(t, 3)
		if s := m.Stats().Control; !errors.Is(s.Err, kafka.ErrNotAllowed) {
			t.Errorf("the control topic is said to be %+v, want not allowed", s)
		}
		if err := m.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAGroupTellsHowFarItsInboxReaches(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		cfg := r.config(consumer.On(r.topic, newLedger().note))
		d := r.desk(&cfg)
		since := time.Now().Add(-time.Hour).UTC()
		cfg.Inbox = func(context.Context) (time.Time, time.Duration, error) { return since, time.Hour * 24, nil }
		m := r.start(cfg)
		leattest.Eventually(t, "the group tells", func() error {
			s, err := d.log.Read(t.Context())
			if err != nil {
				return err
			}
			if told, ok := s.InboxOf(r.group); !ok || !told.Since.Equal(since) || told.Keep != 24*time.Hour {
				return fmt.Errorf("%t %+v", ok, told)
			}
			return nil
		})
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// notePaid is note for the other event type.
func (l *ledger) notePaid(_ context.Context, e *leat.Event[Paid]) error {
	l.add(e.Key(), e.Data.N)
	return nil
}

// holding is a handler that waits for the gate.
func holding(g *gate, done *ledger) func(context.Context, *leat.Event[Placed]) error {
	return func(ctx context.Context, e *leat.Event[Placed]) error {
		g.wait()
		return done.note(ctx, e)
	}
}

// What waits in a retry topic belongs to its source: it stands still and is drained with it.
func TestAPauseHoldsWhatWaitsInRetryTopics(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		f := newFailing(map[string]int{"k0/0": 1})
		cfg := r.later(leat.RetryTopics{Delays: []time.Duration{2 * time.Second}}, f.handle)
		d := r.desk(&cfg)
		m := r.start(cfg)
		leattest.Eventually(t, "ready", m.Ready)
		drain := d.write(control.Record{Kind: control.Pause, Topic: r.topic.Name, Partition: control.All, ID: "1", Drain: true, Why: "for the test"})
		waits := r.topic.Name + "." + r.group + ".retry-1"
		leattest.Eventually(t, "all are halted", func() error {
			if n := len(m.Stats().Partitions); n != 2 {
				return fmt.Errorf("%d partitions", n)
			}
			for _, p := range m.Stats().Partitions {
				if !strings.Contains(p.Halted, "for the test") {
					return fmt.Errorf("%s is halted by %q", p.Topic, p.Halted)
				}
			}
			return nil
		})
		leattest.Eventually(t, "both are drained", func() error {
			s, err := d.log.Read(t.Context())
			if err != nil {
				return err
			}
			for _, topic := range []string{r.topic.Name, waits} {
				if _, told := s.DrainedBy(drain, topic, 0); !told {
					return fmt.Errorf("%s is not", topic)
				}
			}
			return nil
		})
		d.lift(drain)
		r.send(Placed{Key: "k0"})
		f.await(t, 1)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}
