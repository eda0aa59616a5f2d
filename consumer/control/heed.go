package control

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrUnheeded says that no member would heed a command.
var ErrUnheeded = errors.New("no member of the group would heed it")

// SourceOf is the topic whose events wait in topic, where topic is one that the group has for itself:
// its park topic, redrive topic, a retry topic or the dead letters, by leat's names for them.
func SourceOf(group, topic string) (source string, own bool) {
	head, last, _ := cutLast(topic, ".")
	source, own = strings.CutSuffix(head, "."+group)
	if !own || source == "" {
		return topic, false
	}
	switch number, tier := strings.CutPrefix(last, "retry-"); {
	case last == "park", last == "redrive", last == "dlq":
		return source, true
	case tier:
		n, err := strconv.Atoi(number)
		if err == nil && n > 0 {
			return source, true
		}
	}
	return topic, false
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Heeded is nil for what the members of the group heed, as far as the names tell, or says what to name
// instead. They halt and slow down what a topic's events are, wherever these wait; and where a park
// partition goes on is its owner's decision, told nowhere else.
func (r Record) Heeded() error {
	source, own := SourceOf(r.Group, r.Topic)
	if !own {
		return nil
	}
	switch r.Kind {
	case Pause, Rate:
		return fmt.Errorf("%w: %s holds events of %s: name that, and they stand still or slow down wherever they wait", ErrUnheeded, r.Topic, source)
	case Seek:
		if strings.HasSuffix(r.Topic, ".park") || strings.HasSuffix(r.Topic, ".dlq") {
			return fmt.Errorf("%w: %s is read by its owner's own rules: seek in %s; what is parked is tried by itself, and dead letters go back by leat dlq redrive", ErrUnheeded, r.Topic, source)
		}
	}
	return nil
}
