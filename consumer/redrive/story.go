package redrive

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
)

// HeaderNote is the header, the last of its record, that makes a record of a dead-letter topic a note
// about a letter. Its value is a [Note] as JSON.
const HeaderNote = "leat-note"

// Act is what was done with a letter.
type Act string

// The acts.
const (
	Redriven  Act = "redriven"  // its event was given back to the group
	Discarded Act = "discarded" // somebody has decided that nothing is to be done
)

// Note says what was done with a letter.
type Note struct {
	Version   int       `json:"v"`
	Act       Act       `json:"act"`
	Group     string    `json:"group"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`           // of the event at its source
	Round     int32     `json:"round,omitempty"`  // of Redriven: which redrive of the event
	Edited    string    `json:"edited,omitempty"` // of Redriven: digest of the payload that went back in place of the letter's
	By        string    `json:"by,omitempty"`
	Why       string    `json:"why,omitempty"`
	At        time.Time `json:"at,omitzero"`
}

// ParseNote reads a note out of a record's headers; false says that there is none.
func ParseNote(headers []leat.Header) (Note, bool) {
	if len(headers) == 0 || headers[len(headers)-1].Key != HeaderNote {
		return Note{}, false
	}
	var n Note
	err := json.Unmarshal(headers[len(headers)-1].Value, &n)
	return n, err == nil && n.Version == 1 && n.Offset >= 0 && n.Round >= 0
}

// Letter is a dead letter, with all that happened to it since.
type Letter struct {
	consumer.DeadLetter
	At      leat.Position // of its newest copy
	Key     []byte
	Value   []byte
	Headers []leat.Header // the event's own
	Copies  int
	Rounds  int32  // how often it was redriven
	Notes   []Note // oldest first
	open    bool
}

// Open says whether nothing was done with the letter since it was last written.
func (l *Letter) Open() bool { return l.open }

// State is open, or the last act; a letter that came back after a redrive is open again.
func (l *Letter) State() string {
	if l.open || len(l.Notes) == 0 {
		return "open"
	}
	return string(l.Notes[len(l.Notes)-1].Act)
}

// Story is the fold of a dead-letter topic.
type Story struct {
	letters map[string]*Letter
}

// Apply takes the next record of a partition.
func (s *Story) Apply(at leat.Position, key, value []byte, headers []leat.Header) {
	if s.letters == nil {
		s.letters = map[string]*Letter{}
	}
	if n, ok := ParseNote(headers); ok {
		d := consumer.DeadLetter{Group: n.Group, Source: leat.Position{Topic: n.Topic, Partition: n.Partition, Offset: n.Offset}}
		if l := s.letters[d.ID()]; l != nil {
			l.Notes, l.open = append(l.Notes, n), false
			l.Rounds = max(l.Rounds, n.Round)
		}
		return
	}
	d, err := consumer.ParseDeadLetter(headers)
	if err != nil {
		return
	}
	l := s.letters[d.ID()]
	if l == nil {
		l = &Letter{}
		s.letters[d.ID()] = l
	}
	l.DeadLetter, l.At, l.Key, l.Value, l.open = d, at, key, value, true
	l.Headers = own(headers)
	l.Copies++
}

// own are the headers before the story, which begins with the reason.
func own(headers []leat.Header) []leat.Header {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == consumer.HeaderReason {
			return headers[:i:i]
		}
	}
	return headers
}

// Letters are all letters in the order of their source.
func (s *Story) Letters() []*Letter {
	var all []*Letter
	for _, l := range s.letters {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *Letter) int {
		return cmp.Or(strings.Compare(a.Source.Topic, b.Source.Topic), cmp.Compare(a.Source.Partition, b.Source.Partition),
			cmp.Compare(a.Source.Offset, b.Source.Offset), strings.Compare(a.Group, b.Group))
	})
	return all
}

// Filter chooses letters; what is zero chooses all.
type Filter struct {
	Key    []byte // nil: any
	Reason consumer.Reason
	Error  *regexp.Regexp
	Since  time.Time // last failure
	Until  time.Time
	Source *leat.Position
}

func (f Filter) takes(l *Letter) bool {
	return (f.Key == nil || l.Key != nil && string(f.Key) == string(l.Key)) &&
		(f.Reason == "" || f.Reason == l.Reason) &&
		(f.Error == nil || f.Error.MatchString(l.Error)) &&
		(f.Since.IsZero() || !l.LastFailure.Before(f.Since)) &&
		(f.Until.IsZero() || l.LastFailure.Before(f.Until)) &&
		(f.Source == nil || *f.Source == l.Source)
}

// MaxRounds is how often an event may be redriven unless somebody says otherwise.
const MaxRounds = 3

// Plan is what is to be done, in this order, and what is not.
type Plan struct {
	Letters []*Letter
	Refused []Refusal
}

// Refusal is a letter that the filter takes, and why it is left alone.
type Refusal struct {
	*Letter
	Why string
}

// Plan chooses the open letters that the filter takes, in the order of their source, and refuses those
// whose event can't be given back, or came back rounds times.
func (s *Story) Plan(f Filter, rounds int32) (p Plan) {
	for _, l := range s.Letters() {
		switch {
		case !l.open || !f.takes(l):
		case slices.Contains(l.Omitted, "value"):
			p.Refused = append(p.Refused, Refusal{l, "its payload was left out for size"})
		case l.Rounds >= rounds:
			p.Refused = append(p.Refused, Refusal{l, fmt.Sprintf("it was redriven %d times already", l.Rounds)})
		default:
			p.Letters = append(p.Letters, l)
		}
	}
	return p
}
