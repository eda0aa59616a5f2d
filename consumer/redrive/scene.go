package redrive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

// Read folds the dead letters of a group and topic, and looks for what became of those that went back.
func Read(ctx context.Context, client *kafka.Client, group, topic string) (*Story, error) {
	s, err := open(ctx, client, group, topic)
	if err != nil {
		return nil, err
	}
	return &s.story, s.read(ctx)
}

// scene is what is known of a group's dead letters of a topic and of the events that went back. It
// reads on from where it has read to.
type scene struct {
	client *kafka.Client
	group  string
	topic  string
	story  Story
	parked []*park.Fold // by partition; none where there is no park topic
	back   map[leat.Position]returned
	done   map[int32]int64 // the group's offsets in the redrive topic
	next   map[string][]int64
}

// returned is where an event lies in the redrive topic, since when, and in which round.
type returned struct {
	at    leat.Position
	since time.Time // in whole milliseconds
	round int32
}

// open finds the topics.
func open(ctx context.Context, client *kafka.Client, group, topic string) (*scene, error) {
	letters, parked, returns := leat.DeadLetters(topic, group), leat.ParkTopic(topic, group), leat.RedriveTopic(topic, group)
	states, err := client.TopicStates(ctx, letters, parked, returns)
	if err != nil {
		return nil, err
	}
	if _, exists := states[letters]; !exists {
		return nil, fmt.Errorf("read dead letters: topic %s: %w: no group of that name has dead-lettered anything of %s; see: leat dlq list, leat group list", letters, kafka.ErrNoTopic, topic)
	}
	s := &scene{client: client, group: group, topic: topic, back: map[leat.Position]returned{}, next: map[string][]int64{}}
	for _, name := range []string{letters, parked, returns} {
		s.next[name] = make([]int64, states[name].Partitions)
	}
	for range states[parked].Partitions {
		s.parked = append(s.parked, park.NewFold(0, 0))
	}
	return s, nil
}

// read reads on. What became of an event is read before its letters: one that it ended with is there.
func (s *scene) read(ctx context.Context) error {
	err := s.each(ctx, leat.ParkTopic(s.topic, s.group), func(w leat.Wire) error {
		at := w.Position()
		rec, err := park.Parse(w.Key(), headersOf(w))
		if errors.Is(err, park.ErrForeign) {
			return nil
		}
		if err == nil {
			s.parked[at.Partition].Apply(rec, at.Offset)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read what is parked: %w", err)
	}
	if err := s.readReturns(ctx); err != nil {
		return err
	}
	err = s.each(ctx, leat.DeadLetters(s.topic, s.group), func(w leat.Wire) error {
		s.story.Apply(w.Position(), w.Key(), w.Value(), headersOf(w))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	for _, l := range s.story.letters {
		l.seen = s.standing(l)
	}
	return nil
}

// readReturns reads what went back by the redrive topic, and how far the group has come.
func (s *scene) readReturns(ctx context.Context) (err error) {
	name := leat.RedriveTopic(s.topic, s.group)
	if len(s.next[name]) == 0 {
		return nil
	}
	if s.done, err = s.client.Committed(ctx, s.group, name); err != nil {
		return fmt.Errorf("look for what came back: %w", err)
	}
	err = s.each(ctx, name, func(w leat.Wire) error {
		if r, ok := consumer.ParseReturned(headersOf(w)); ok && r.Round >= s.back[r.Source].round {
			s.back[r.Source] = returned{w.Position(), w.Timestamp(), r.Round}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for what came back: %w", err)
	}
	return nil
}

// each calls fn for the records of a topic that are new.
func (s *scene) each(ctx context.Context, topic string, fn func(leat.Wire) error) error {
	for p, from := range s.next[topic] {
		err := s.client.ReadPartition(ctx, topic, int32(p), from, func(w leat.Wire) error {
			s.next[topic][p] = w.Position().Offset + 1
			return fn(w)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// standing is what has become of a letter's event in its newest round.
func (s *scene) standing(l *Letter) park.Standing {
	p := int(l.Source.Partition)
	if r := s.back[l.Source]; r.round > 0 && r.round >= l.Rounds {
		return s.returned(l, r)
	}
	if l.Rounds == 0 || p < 0 || p >= len(s.parked) {
		return park.Unknown
	}
	now, round := s.parked[p].Standing(park.KeyOf(l.Key, l.Source.Offset), l.Source.Offset)
	if round < l.Rounds {
		return park.Unknown
	}
	return now
}

// returned is what has become of an event in the redrive topic. It has ended when the group has
// committed an offset behind it; its dead letter was written before. Without transactions that letter
// may even stand before the note that it went back: then the times tell.
func (s *scene) returned(l *Letter, r returned) park.Standing {
	if r.round > l.Rounds {
		l.unnoted(r)
	}
	switch {
	case s.done[r.at.Partition] <= r.at.Offset:
		return park.Waits
	case l.open, l.state != Done && s.client.Embedded() && l.LastFailure.After(l.wentBack):
		return park.Failed
	}
	return park.Handled
}

// unnoted takes the record itself for the note, which is missing where a tool without transactions was
// killed.
func (l *Letter) unnoted(r returned) {
	l.Rounds, l.wentBack, l.state, l.open = r.round, r.since, Gone, !l.LastFailure.Before(r.since)
}

// holds are the keys that are held.
func (s *scene) holds() map[place]park.Hold {
	held := map[place]park.Hold{}
	for p, fold := range s.parked {
		for _, k := range fold.Keys() {
			if k.Hold.ID != 0 {
				held[place{int32(p), string(k.Key.Bytes())}] = k.Hold
			}
		}
	}
	return held
}

func headersOf(w leat.Wire) (headers []leat.Header) {
	for key, value := range w.Headers() {
		headers = append(headers, leat.Header{Key: key, Value: value})
	}
	return headers
}
