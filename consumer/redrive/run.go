package redrive

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// ErrHeld says that a held key is not ready: its letters go back all together, and some are not there.
var ErrHeld = errors.New("not all letters of the held key can go back")

// ErrCanary says that events came back which went first, so that the others were left where they are.
var ErrCanary = errors.New("the first events came back, and the rest was left alone")

// ErrShareGroup says that a group is a share group: it has no way by which events come back to it alone.
var ErrShareGroup = errors.New("a share group takes no events back: discard its letters (leat dlq discard), or send the events anew (leat send), to every group that reads the topic")

// Possible says why letters can't go back to a group at all; nil where they can, as far as anybody knows.
func Possible(ctx context.Context, client *kafka.Client, group string) error {
	share, err := client.IsShareGroup(ctx, group)
	if err == nil && share {
		err = ErrShareGroup
	}
	if err != nil {
		return fmt.Errorf("redrive to %s: %w", group, err)
	}
	return nil
}

// Job is what to do with which letters of a group and topic.
type Job struct {
	Client *kafka.Client
	Group  string
	Topic  string
	Filter Filter
	Guard  Guard
	Limit  int     // letters; 0: all
	Canary int     // with Redriven: so many letters go back first, and the rest when the events of all of them took effect; 0: none
	Rate   float64 // letters a second, about; 0: as fast as it goes
	Wait   bool    // with Redriven: until the events of all have ended
	Act    Act     // Redriven or Discarded
	Edit   *Edit   // with Redriven, and a filter that takes that letter alone; nil: events go back as they are
	By     string
	Why    string
	Told   func(Tally)        // called as it goes on; nil: nothing
	Hook   func(point string) // called between the steps, for tests; nil: nothing
}

// Tally is how far a job has come.
type Tally struct {
	Of      int // letters to be dealt with, about: a held key goes back whole
	Done    int // redriven or discarded
	Handled int // redriven, and the event took effect; known where somebody waits
	Again   int // redriven, and the event came back; likewise
}

// Run does it. It plans anew from what the topics say once it has fenced every other tool off, notes
// what became of events that went back earlier, and reads back that a held key has gone on.
func (j Job) Run(ctx context.Context) (Tally, error) {
	var tally Tally
	if err := j.way(ctx); err != nil {
		return tally, err
	}
	err := j.fenced(ctx, func(j Job, ctx context.Context, step stepFunc) (err error) {
		s, err := open(ctx, j.Client, j.Group, j.Topic)
		if err != nil {
			return err
		}
		t := trip{Job: j, scene: s, step: step}
		err = t.run(ctx)
		tally = t.tally
		return err
	})
	return tally, err
}

// stepFunc writes the first records and then the others, together where there are transactions.
type stepFunc func(ctx context.Context, first, then []kafka.Raw) error

// fenced does it once every other tool is fenced off.
func (j Job) fenced(ctx context.Context, do func(Job, context.Context, stepFunc) error) error {
	if j.Hook == nil {
		j.Hook = func(string) {}
	}
	if j.Told == nil {
		j.Told = func(Tally) {}
	}
	if j.Client.Embedded() {
		return do(j, ctx, func(ctx context.Context, first, then []kafka.Raw) error {
			if _, err := j.Client.Write(ctx, first...); err != nil {
				return err
			}
			j.Hook("redrive.appended")
			_, err := j.Client.Write(ctx, then...)
			return err
		})
	}
	tx, err := kafka.OpenTransactor(ctx, j.Client.Config(), kafka.TransactorConfig{ID: TransactionalID(j.Group, j.Topic)})
	if err != nil {
		return fmt.Errorf("redrive: %w", err)
	}
	defer tx.Close()
	return do(j, ctx, func(ctx context.Context, first, then []kafka.Raw) error {
		if err := tx.Begin(); err != nil {
			return err
		}
		if err := tx.Produce(ctx, nil, append(first, then...)...); err != nil {
			return err
		}
		j.Hook("redrive.appended")
		return tx.Commit(ctx)
	})
}

// TransactionalID is the one under which letters of a group and topic are dealt with.
func TransactionalID(group, topic string) string { return "leat-redrive." + group + "." + topic }

// way makes the redrive topic, where the group does not park the topic and nothing went back yet: as
// the topic of the letters is.
func (j Job) way(ctx context.Context) error {
	if j.Act != Redriven {
		return nil
	}
	if err := Possible(ctx, j.Client, j.Group); err != nil {
		return err
	}
	letters, parked, returns := leat.DeadLetters(j.Topic, j.Group), leat.ParkTopic(j.Topic, j.Group), leat.RedriveTopic(j.Topic, j.Group)
	states, err := j.Client.TopicStates(ctx, letters, parked, returns)
	if err != nil {
		return err
	}
	like, exists := states[letters]
	if !exists {
		return fmt.Errorf("redrive: topic %s: %w", letters, kafka.ErrNoTopic)
	}
	if states[parked].Partitions+states[returns].Partitions > 0 {
		return nil
	}
	topic := leat.Topic{Name: returns, Partitions: like.Partitions, Config: map[string]string{}}
	for _, name := range []string{"cleanup.policy", "max.message.bytes", "message.timestamp.type", "retention.ms", "retention.bytes"} {
		if value := like.Config[name]; value != "" {
			topic.Config[name] = value
		}
	}
	if _, err := j.Client.EnsureTopics(ctx, []leat.Topic{topic}); err != nil {
		return fmt.Errorf("make the redrive topic: %w", err)
	}
	return nil
}
