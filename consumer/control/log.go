package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// Log is the control topic on a cluster, and what has been read of it. It is made for one goroutine;
// Write alone may be called from several.
type Log struct {
	client *kafka.Client
	topic  string
	next   int64 // offset to read from
	state  State
}

// NewLog is the log of a topic, of which nothing has been read.
func NewLog(client *kafka.Client, topic string) *Log { return &Log{client: client, topic: topic} }

// Declare is how the topic is to be: one partition, so that all its records have one order, and the
// last record of each key kept for ever.
func Declare(topic string) leat.Topic {
	return leat.Topic{Name: topic, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}}
}

// Ensure makes the topic where it is missing. One that was made otherwise, so that it would forget
// commands or tell them in two orders, is an error.
func (l *Log) Ensure(ctx context.Context) error {
	plan, err := l.client.EnsureTopics(ctx, []leat.Topic{Declare(l.topic)})
	if err != nil {
		return fmt.Errorf("make the control topic: %w", err)
	}
	for _, d := range plan.Differ {
		if d.Name == "cleanup.policy" || d.Name == "partitions" {
			return fmt.Errorf("%w: %s of topic %s is %s, not %s: delete it (its commands are lost) and it is made anew", ErrUnfit, d.Name, l.topic, d.Have, d.Want)
		}
	}
	return nil
}

// ErrUnfit says that the control topic was made in a way that would lose commands or their order.
var ErrUnfit = errors.New("the control topic is not as it has to be")

// Read reads on to the end as it is at the time of the call, and returns the state, which stays the
// Log's.
func (l *Log) Read(ctx context.Context) (*State, error) {
	err := l.client.ReadPartition(ctx, l.topic, 0, l.next, func(w leat.Wire) error {
		l.apply(w)
		return nil
	})
	if err != nil {
		return &l.state, fmt.Errorf("read the control topic: %w", err)
	}
	return &l.state, nil
}

// followWait is how long the broker may hold a fetch that has nothing: few requests, no delay.
const followWait = 5 * time.Second

// Follow calls changed after each record that comes, until ctx ends or the topic can't be read.
func (l *Log) Follow(ctx context.Context, changed func(*State)) error {
	for w, err := range l.client.Tail(ctx, kafka.TailConfig{Topics: []string{l.topic}, Partitions: []int32{0}, From: kafka.FromOffset(l.next), Follow: true, Wait: followWait}) {
		if err != nil {
			return fmt.Errorf("follow the control topic: %w", err)
		}
		if l.apply(w) {
			changed(&l.state)
		}
	}
	return nil
}

// apply takes a record that is new.
func (l *Log) apply(w leat.Wire) bool {
	at := w.Position().Offset
	if at < l.next {
		return false
	}
	l.next = at + 1
	l.state.Apply(string(w.Key()), w.Value())
	return true
}

// State is what has been read.
func (l *Log) State() *State { return &l.state }

// Write appends records, and returns once all in-sync replicas have them. Those in lifted take away
// what has their key. A command that nobody would heed is refused ([ErrUnheeded]).
func (l *Log) Write(ctx context.Context, records, lifted []Record) error {
	var raws []kafka.Raw
	for _, r := range records {
		if err := r.Heeded(); err != nil {
			return err
		}
		value, err := r.Encode()
		if err != nil {
			return fmt.Errorf("write to the control topic: %w", err)
		}
		raws = append(raws, kafka.Raw{Topic: l.topic, Key: []byte(r.Key()), Value: value})
	}
	for _, r := range lifted {
		raws = append(raws, kafka.Raw{Topic: l.topic, Key: []byte(r.Key())})
	}
	if _, err := l.client.Write(ctx, raws...); err != nil {
		return fmt.Errorf("write to the control topic: %w", err)
	}
	return nil
}

// Find is the control topic that the members of a group follow, among the topics of a cluster: that
// whose prefix the group's name has, the longest where there are several. "" says that there is none.
func Find(topics []string, group string) string {
	best := ""
	for _, name := range topics {
		prefix, ok := strings.CutSuffix(name, Topic)
		if ok && strings.HasPrefix(group, prefix) && len(name) > len(best) {
			best = name
		}
	}
	return best
}
