package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
)

// see enters one record of a shop's topic.
func (b *logbook) see(w leat.Wire, prefix string, readers map[string][]reader, known map[string]bool) {
	topic := strings.TrimPrefix(w.Position().Topic, prefix)
	eventType := w.Attribute("type")
	if w.Header(headerRepeat) != nil {
		b.repeats++
	}
	switch marked := strings.HasPrefix(string(w.Key()), keyBad); {
	case eventType == "" || brokenEnvelope(w): // nobody can even tell what it is
		b.bad = append(b.bad, badAt{w.Position().String(), refusing(readers[topic], "")})
	case marked && known[topic+" "+eventType]: // whoever takes the type finds that it can't be read
		b.bad = append(b.bad, badAt{w.Position().String(), refusing(readers[topic], eventType)})
	case !known[topic+" "+eventType]:
		b.unknown++
	}
}

// brokenEnvelope tells structured mode that could not be parsed: it has no attributes to speak of.
func brokenEnvelope(w leat.Wire) bool {
	return strings.HasPrefix(string(w.Header(kafka.HeaderContentType)), "application/cloudevents") && w.Attribute("id") == ""
}

// refusing are the groups that have to refuse a record: all that read the topic, or those that take
// the event type.
func refusing(readers []reader, eventType string) []string {
	var groups []string
	for _, r := range readers {
		if eventType == "" || r.takes[eventType] {
			groups = append(groups, r.group)
		}
	}
	return groups
}

// readLetters reads the dead letters of every group on every topic, and folds those that are one: a
// kill between the dead letter and the offset's commit writes it twice.
func (b *logbook) readLetters(ctx context.Context, c *kafka.Client, prefix string, readers map[string][]reader) error {
	there, err := c.ListTopics(ctx)
	if err != nil {
		return err
	}
	exists := map[string]bool{}
	for _, t := range there {
		exists[t.Name] = true
	}
	var names []string
	for topic, groups := range readers {
		for _, r := range groups {
			if name := leat.DeadLetters(prefix+topic, prefix+r.group); exists[name] {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	seen := map[string]bool{}
	for w, err := range c.Tail(ctx, kafka.TailConfig{Topics: names}) {
		if err != nil {
			return fmt.Errorf("read the dead letters: %w", err)
		}
		letter, err := consumer.ParseDeadLetter(headersOf(w))
		if err != nil {
			return fmt.Errorf("read the dead letter %v: %w", w.Position(), err)
		}
		if seen[letter.ID()] {
			continue
		}
		seen[letter.ID()] = true
		group := strings.TrimPrefix(letter.Group, prefix)
		key := letterKey(group, letter.Source.String())
		b.letters[key]++
		b.reasons[key] = expected[letter.Reason]
	}
	return ctx.Err()
}

// readParked counts the events that came back from the park topics. The others are found otherwise:
// while one waits its group is behind, and one that was given up has a dead letter.
func (b *logbook) readParked(ctx context.Context, c *kafka.Client, prefix string, services []service.Config) error {
	var names []string
	for _, s := range services {
		for _, reads := range s.Manifest(prefix).Consumes {
			if reads.Park != "" {
				names = append(names, reads.Park)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	waits, back := map[string]bool{}, map[string]bool{} // by park partition and offset at the source
	for w, err := range c.Tail(ctx, kafka.TailConfig{Topics: names}) {
		if err != nil {
			return fmt.Errorf("read the park topics: %w", err)
		}
		r, err := park.Parse(w.Key(), headersOf(w))
		if err != nil {
			return fmt.Errorf("read the parked event %v: %w", w.Position(), err)
		}
		at := leat.Position{Topic: w.Position().Topic, Partition: w.Position().Partition, Offset: r.Offset}.String()
		switch r.Kind {
		case park.Park:
			waits[at] = true
		case park.Dead:
			delete(waits, at)
		case park.Fin:
			if waits[at] {
				back[at] = true
			}
		}
	}
	b.parked = len(back)
	return ctx.Err()
}

// expected are the reasons that a bad record's letter may have.
var expected = map[consumer.Reason]bool{
	consumer.ReasonNotAnEvent:  true,
	consumer.ReasonUndecodable: true,
	consumer.ReasonPermanent:   true, // it decodes, and says nothing sensible
}

func letterKey(group, at string) string { return group + " " + at }

func headersOf(w leat.Wire) []leat.Header {
	var headers []leat.Header
	for key, value := range w.Headers() {
		headers = append(headers, leat.Header{Key: key, Value: value})
	}
	return headers
}
