package redrive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

// ErrNotParked says that a group has no park topic for the topic.
var ErrNotParked = errors.New("the group does not park the topic: nothing would read what is given back")

// ErrHeld says that a held key is not ready: its letters go back all together, and some are not there.
var ErrHeld = errors.New("not all letters of the held key can go back")

// perStep is how many letters one transaction takes.
const perStep = 100

// Read folds the dead letters of a group and topic.
func Read(ctx context.Context, client *kafka.Client, group, topic string) (*Story, error) {
	name := leat.DeadLetters(topic, group)
	states, err := client.TopicStates(ctx, name)
	if err != nil {
		return nil, err
	}
	state, exists := states[name]
	if !exists {
		return nil, fmt.Errorf("read dead letters: topic %s: %w", name, kafka.ErrNoTopic)
	}
	s := &Story{}
	for p := range int32(state.Partitions) {
		if err := client.ReadPartition(ctx, name, p, 0, s.take); err != nil {
			return nil, fmt.Errorf("read dead letters: %w", err)
		}
	}
	return s, nil
}

func (s *Story) take(w leat.Wire) error {
	s.Apply(w.Position(), w.Key(), w.Value(), headersOf(w))
	return nil
}

func headersOf(w leat.Wire) (headers []leat.Header) {
	for key, value := range w.Headers() {
		headers = append(headers, leat.Header{Key: key, Value: value})
	}
	return headers
}

// Job is what to do with which letters of a group and topic.
type Job struct {
	Client *kafka.Client
	Group  string
	Topic  string
	Filter Filter
	Rounds int32 // MaxRounds, or otherwise
	Limit  int   // letters; 0: all
	Act    Act
	Edit   *Edit // with Redriven, and a filter that takes that letter alone; nil: events go back as they are
	By     string
	Why    string
	Hook   func(point string) // called between the steps, for tests; nil: nothing
}

// Run does it, and returns how many letters it has dealt with. It plans anew from what the topic says
// once it has fenced every other tool off.
func (j Job) Run(ctx context.Context) (done int, err error) {
	if err := j.parked(ctx); err != nil {
		return 0, err
	}
	return j.fenced(ctx, Job.write)
}

// stepFunc writes the first records and then the others, together where there are transactions.
type stepFunc func(ctx context.Context, first, then []kafka.Raw) error

// fenced does it once every other tool is fenced off.
func (j Job) fenced(ctx context.Context, do func(Job, context.Context, stepFunc) (int, error)) (int, error) {
	if j.Hook == nil {
		j.Hook = func(string) {}
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
	tx, err := kafka.OpenTransactor(ctx, j.Client.Config(), kafka.TransactorConfig{ID: "leat-redrive." + j.Group + "." + j.Topic})
	if err != nil {
		return 0, fmt.Errorf("redrive: %w", err)
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

// parked says whether somebody will read what goes back.
func (j Job) parked(ctx context.Context) error {
	if j.Act != Redriven {
		return nil
	}
	name := leat.ParkTopic(j.Topic, j.Group)
	states, err := j.Client.TopicStates(ctx, name)
	if err != nil {
		return err
	}
	if _, exists := states[name]; !exists {
		return fmt.Errorf("%w (there is no topic %s): give a handler of the topic consumer.Park, start the service, and redrive then", ErrNotParked, name)
	}
	return nil
}

func (j Job) write(ctx context.Context, step stepFunc) (done int, err error) {
	story, err := Read(ctx, j.Client, j.Group, j.Topic)
	if err != nil {
		return 0, err
	}
	var holds map[place]park.Hold
	if j.Act == Redriven {
		if holds, err = j.holds(ctx); err != nil {
			return 0, err
		}
	}
	letters := story.Plan(j.Filter, j.Rounds).Letters
	if err := j.Edit.fits(letters); err != nil {
		return 0, err
	}
	units, err := story.units(letters, holds)
	if err != nil {
		return 0, err
	}
	for len(units) > 0 && ctx.Err() == nil && (j.Limit == 0 || done < j.Limit) {
		var first, then []kafka.Raw
		n := 0
		for len(units) > 0 && n < perStep && (j.Limit == 0 || done+n < j.Limit) {
			for _, l := range units[0].letters {
				note, err := j.note(l)
				if err != nil {
					return done, err
				}
				then = append(then, note)
				if j.Act == Redriven {
					first = append(first, j.back(l, units[0].hold))
				}
			}
			if h := units[0].hold; h.ID != 0 {
				first = append(first, j.release(units[0].letters[0], h))
			}
			n += len(units[0].letters)
			units = units[1:]
		}
		if err := step(ctx, first, then); err != nil {
			return done, fmt.Errorf("redrive: %w; what was done is noted: run the same command again for the rest", err)
		}
		j.Hook("redrive.committed")
		done += n
	}
	return done, ctx.Err()
}

// unit is letters that go back together: one, or all of a held key.
type unit struct {
	letters []*Letter
	hold    park.Hold // the zero Hold: the key is not held
}

// place is a key of a partition.
type place struct {
	partition int32
	key       string
}

// units puts the letters of held keys together, those that the filter left out too: none of them may
// run before another one of its key that is older.
func (s *Story) units(letters []*Letter, holds map[place]park.Hold) (units []unit, err error) {
	seen := map[place]bool{}
	for _, l := range letters {
		at := place{l.Source.Partition, string(l.Key)}
		hold, held := holds[at]
		if l.Key == nil || !held {
			units = append(units, unit{letters: []*Letter{l}})
			continue
		}
		if seen[at] {
			continue
		}
		seen[at] = true
		u := unit{hold: hold}
		for _, other := range s.Letters() {
			if other.open && other.Key != nil && other.Source.Partition == at.partition && string(other.Key) == at.key && other.Source.Offset >= hold.First {
				u.letters = append(u.letters, other)
			}
		}
		if len(u.letters) != hold.Count {
			return nil, fmt.Errorf("%w: key %q on partition %d has %d open letters, and the hold has %d: look with leat dlq list, and try again", ErrHeld, at.key, at.partition, len(u.letters), hold.Count)
		}
		units = append(units, u)
	}
	return units, nil
}

// holds are the keys that are held, by the group's park topic.
func (j Job) holds(ctx context.Context) (map[place]park.Hold, error) {
	name := leat.ParkTopic(j.Topic, j.Group)
	states, err := j.Client.TopicStates(ctx, name)
	if err != nil {
		return nil, err
	}
	held := map[place]park.Hold{}
	for p := range int32(states[name].Partitions) {
		fold := park.NewFold(0, 0)
		err := j.Client.ReadPartition(ctx, name, p, 0, func(w leat.Wire) error {
			rec, err := park.Parse(w.Key(), headersOf(w))
			if errors.Is(err, park.ErrForeign) {
				return nil
			}
			if err == nil {
				fold.Apply(rec, w.Position().Offset)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read what is parked: %w", err)
		}
		for _, k := range fold.Keys() {
			if k.Hold.ID != 0 {
				held[place{p, string(k.Key.Bytes())}] = k.Hold
			}
		}
	}
	return held, nil
}

// back is the record that gives a letter's event back to the group.
func (j Job) back(l *Letter, hold park.Hold) kafka.Raw {
	rec := park.Record{Kind: park.Redrive, Key: park.KeyOf(l.Key, l.Source.Offset), Offset: l.Source.Offset, Round: l.Rounds + 1}
	if hold.ID != 0 {
		rec.Kind, rec.Hold = park.Stage, hold.ID
	}
	value, headers := j.Edit.event(l)
	headers = append(headers,
		leat.Header{Key: consumer.HeaderTimestamp, Value: []byte(l.Timestamp.UTC().Format(time.RFC3339Nano))}, rec.Header())
	return kafka.Raw{Topic: leat.ParkTopic(j.Topic, j.Group), Partition: l.Source.Partition, Key: l.Key, Value: value, Headers: headers}
}

// release is the record that lets a held key go on, if the hold still has as many letters as were seen.
func (j Job) release(l *Letter, hold park.Hold) kafka.Raw {
	rec := park.Record{Kind: park.Release, Key: park.KeyOf(l.Key, l.Source.Offset), Hold: hold.ID, Count: hold.Count}
	return kafka.Raw{Topic: leat.ParkTopic(j.Topic, j.Group), Partition: l.Source.Partition, Key: l.Key, Headers: []leat.Header{rec.Header()}}
}

func (j Job) note(l *Letter) (kafka.Raw, error) {
	n := Note{
		Version: 1, Act: j.Act, Group: l.Group, Topic: l.Source.Topic, Partition: l.Source.Partition, Offset: l.Source.Offset,
		By: j.By, Why: j.Why, At: time.Now().UTC(),
	}
	if j.Act == Redriven {
		n.Round, n.Edited = l.Rounds+1, j.Edit.digest(l)
	}
	text, err := json.Marshal(n)
	if err != nil {
		return kafka.Raw{}, fmt.Errorf("write a note: %w", err)
	}
	return kafka.Raw{
		Topic: l.At.Topic, Partition: l.At.Partition, Key: l.Key,
		Headers: []leat.Header{{Key: HeaderNote, Value: text}},
	}, nil
}
