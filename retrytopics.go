package leat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// RetryTopics is what happens to an event of a handler without order ([Unordered]) whose inline attempts
// are used up: it moves to a topic of its group, waits there, is tried once more, and moves on to the
// next, at last to the dead letters. Nothing waits for it meanwhile, the later events of its key neither.
// The zero value is Delays of 10 s, 1 min and 10 min.
type RetryTopics struct {
	// Delays are the waits before the attempts from the retry topics: one attempt each. Nil: 10 s, 1
	// min, 10 min.
	Delays []time.Duration
	// Spring, where set, gives topics, groups and headers as Spring Kafka's @RetryableTopic has them, so
	// that what waits there can change hands in both directions; nil: leat's own.
	Spring *SpringRetries
}

// SpringRetries names retry topics as Spring Kafka does: the source topic and a suffix. Each is read by
// a group of its own, the group and the same suffix.
type SpringRetries struct {
	// Suffixes are those of the delays, for example -retry-0, -retry-1; the last may repeat. Nil: what
	// Spring makes of the delays unless it is told otherwise, -retry-1000 for one second, or -retry where
	// there is one topic.
	Suffixes []string
}

// RetryTier is one stop of an event on its way.
type RetryTier struct {
	Topic string
	Group string // that reads it
	Delay time.Duration
}

// Tiers are the stops of a group's events of a topic, in order. With Spring's names the last ones may
// be one topic.
func (r RetryTopics) Tiers(topic, group string) []RetryTier {
	r = r.WithDefaults()
	tiers := make([]RetryTier, len(r.Delays))
	for i, d := range r.Delays {
		if r.Spring != nil {
			tiers[i] = RetryTier{topic + r.Spring.Suffixes[i], group + r.Spring.Suffixes[i], d}
		} else {
			tiers[i] = RetryTier{fmt.Sprintf("%s.%s.retry-%d", topic, group, i+1), group, d}
		}
	}
	return tiers
}

// WithDefaults fills what is zero.
func (r RetryTopics) WithDefaults() RetryTopics {
	if r.Delays == nil {
		r.Delays = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}
	}
	if r.Spring != nil && r.Spring.Suffixes == nil {
		r.Spring = &SpringRetries{Suffixes: springSuffixes(r.Delays)}
	}
	return r
}

// springSuffixes are the suffixes by delay, with one topic for the equal ones at the end.
func springSuffixes(delays []time.Duration) []string {
	first := len(delays) - 1
	for first > 0 && delays[first-1] == delays[len(delays)-1] {
		first--
	}
	suffixes := make([]string, len(delays))
	for i, d := range delays {
		if suffixes[i] = "-retry"; first > 0 {
			suffixes[i] += "-" + strconv.FormatInt(d.Milliseconds(), 10)
		}
	}
	return suffixes
}

// Validate reports impossible values.
func (r RetryTopics) Validate() error {
	var errs []error
	if r.Delays != nil && len(r.Delays) == 0 {
		errs = append(errs, errors.New("retry topics: Delays is empty: name one, or leave the option out"))
	}
	for i, d := range r.Delays {
		if d < time.Millisecond {
			errs = append(errs, fmt.Errorf("retry topics: delay %d is %v, want at least 1 ms", i+1, d))
		}
	}
	if r.Spring == nil || len(errs) > 0 {
		return errors.Join(errs...)
	}
	r = r.WithDefaults()
	if len(r.Spring.Suffixes) != len(r.Delays) {
		return fmt.Errorf("retry topics: %d suffixes for %d delays", len(r.Spring.Suffixes), len(r.Delays))
	}
	runs := slices.Compact(slices.Clone(r.Spring.Suffixes))
	slices.Sort(runs)
	if len(slices.Compact(runs)) != len(slices.Compact(slices.Clone(r.Spring.Suffixes))) || slices.Contains(r.Spring.Suffixes, "") {
		errs = append(errs, fmt.Errorf("retry topics: suffixes %q: none may be empty, or come back after another", r.Spring.Suffixes))
	}
	return errors.Join(errs...)
}
