package redrive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
)

// Adoptable reads the dead letters that Spring Kafka has written to a topic for a group, and returns, in
// the order of their source, those that the group has no letter of yet. passed is how many records were
// passed over: of other groups, or none of Spring's dead letters.
func Adoptable(ctx context.Context, client *kafka.Client, group, from string) (letters []*Letter, passed int, err error) {
	found := map[string]*Letter{}
	for w, err := range client.Tail(ctx, kafka.TailConfig{Topics: []string{from}}) {
		if err != nil {
			return nil, 0, err
		}
		d, own, err := consumer.ParseSpringLetter(headersOf(w))
		if d.Group = cmp.Or(d.Group, group); err != nil || d.Group != group {
			passed++
			continue
		}
		d.LastFailure = w.Timestamp()
		found[d.ID()] = &Letter{DeadLetter: d, At: w.Position(), Key: w.Key(), Value: w.Value(), Headers: own, Copies: 1, open: true}
	}
	if ctx.Err() != nil {
		return nil, 0, fmt.Errorf("read dead letters of Spring's: %w", ctx.Err())
	}
	for topic, of := range bySource(found) {
		story, err := Read(ctx, client, group, topic)
		if err != nil && !errors.Is(err, kafka.ErrNoTopic) {
			return nil, 0, err
		}
		letters = append(letters, story.without(of)...)
	}
	slices.SortFunc(letters, func(a, b *Letter) int {
		return cmp.Or(strings.Compare(a.Source.Topic, b.Source.Topic), cmp.Compare(a.Source.Partition, b.Source.Partition), cmp.Compare(a.Source.Offset, b.Source.Offset))
	})
	return letters, passed, nil
}

func bySource(letters map[string]*Letter) map[string][]*Letter {
	topics := map[string][]*Letter{}
	for _, l := range letters {
		topics[l.Source.Topic] = append(topics[l.Source.Topic], l)
	}
	return topics
}

// without leaves out the letters that the story has; a nil Story has none.
func (s *Story) without(letters []*Letter) []*Letter {
	return slices.DeleteFunc(letters, func(l *Letter) bool { return s != nil && s.letters[l.ID()] != nil })
}

// Adopt writes letters that [Adoptable] has found, of one source, the job's topic, as dead letters of the
// group, each once, however often it is done. The event is as it was at its source.
func (j Job) Adopt(ctx context.Context, letters []*Letter) (written int, err error) {
	topics, err := j.Client.DeadLetterTopics(ctx, j.Group, j.Topic)
	if err != nil {
		return 0, err
	}
	if _, err := j.Client.EnsureTopics(ctx, topics); err != nil {
		return 0, fmt.Errorf("make the dead-letter topic: %w", err)
	}
	err = j.fenced(ctx, func(j Job, ctx context.Context, step stepFunc) error {
		story, err := Read(ctx, j.Client, j.Group, j.Topic)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(story.without(slices.Clone(letters)), perStep) {
			var raws []kafka.Raw
			for _, l := range some {
				raws = append(raws, kafka.Raw{
					Topic: leat.DeadLetters(j.Topic, j.Group), Partition: l.Source.Partition, Key: l.Key, Value: l.Value,
					Headers: append(slices.Clone(l.Headers), l.DeadLetter.Headers()...),
				})
			}
			if err := step(ctx, nil, raws); err != nil {
				return fmt.Errorf("%w; run the same command again for the rest", err)
			}
			written += len(some)
		}
		return nil
	})
	return written, err
}
