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
	"github.com/leatdev/leat/consumer/park"
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
	Released  Act = "released"  // its key went on without it; the letter stays open
	Handled   Act = "handled"   // the outcome of a redrive: its event took effect
)

// Note says what was done with a letter.
type Note struct {
	Version   int       `json:"v"`
	Act       Act       `json:"act"`
	Group     string    `json:"group"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`           // of the event at its source
	Round     int32     `json:"round,omitempty"`  // of Redriven and Handled: which redrive of the event
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

	open  bool          // nothing was done since it was last written
	state State         // where it is not open
	seen  park.Standing // of the event in its newest round, where that was looked for

	wentBack time.Time // by the newest note that says so
}

// State is what has become of a letter.
type State string

// The states. A letter that is open, or dead again, can be dealt with.
const (
	Open      State = "open"
	Waiting   State = "waiting"    // redriven, and its event has not ended yet
	Done      State = "handled"    // redriven, and its event took effect
	DeadAgain State = "dead-again" // redriven, and its event came back
	Dropped   State = "discarded"
	Gone      State = "redriven" // and nobody can tell what became of its event
)

// State says what has become of the letter.
func (l *Letter) State() State {
	switch {
	case l.dropped():
		return Dropped
	case l.Open() && l.tried() > 0:
		return DeadAgain
	case l.Open():
		return Open
	case l.seen == park.Handled:
		return Done
	case l.seen != park.Unknown:
		return Waiting
	}
	return l.state
}

// Open says whether something is to be done about the letter: nothing was since it was last written,
// or what was did not come about. A copy of it that a crash has left is none that came back.
func (l *Letter) Open() bool {
	if l.dropped() {
		return false
	}
	switch l.seen {
	case park.Staged, park.Failed:
		return true // the release was refused; it came back, maybe before it was noted that it went
	case park.Waits, park.Handled:
		return false
	}
	return l.open
}

// dropped says whether the newest word is that nothing is to be done, also where its event came back.
func (l *Letter) dropped() bool { return !l.open && l.state == Dropped }

// tried is how often the event ran again.
func (l *Letter) tried() int32 {
	if l.seen == park.Staged {
		return l.Rounds - 1
	}
	return l.Rounds
}

// take puts a note to the letter.
func (l *Letter) take(n Note) {
	l.Notes = append(l.Notes, n)
	l.Rounds = max(l.Rounds, n.Round)
	switch n.Act {
	case Redriven:
		l.open, l.state, l.wentBack = false, Gone, n.At
	case Discarded:
		l.open, l.state = false, Dropped
	case Handled:
		if n.Round == l.Rounds && l.state != Dropped {
			l.open, l.state = false, Done
		}
	}
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
			l.take(n)
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
	Key       []byte // nil: any
	Reason    consumer.Reason
	Error     *regexp.Regexp
	Since     time.Time // last failure
	Until     time.Time
	Source    *leat.Position
	Partition *int32 // of the source
	From      int64  // offset at the source
	To        int64  // the first offset that is left out; 0: none is
}

func (f Filter) takes(l *Letter) bool {
	return (f.Key == nil || l.Key != nil && string(f.Key) == string(l.Key)) &&
		(f.Reason == "" || f.Reason == l.Reason) &&
		(f.Error == nil || f.Error.MatchString(l.Error)) &&
		(f.Since.IsZero() || !l.LastFailure.Before(f.Since)) &&
		(f.Until.IsZero() || l.LastFailure.Before(f.Until)) &&
		(f.Source == nil || *f.Source == l.Source) &&
		(f.Partition == nil || *f.Partition == l.Source.Partition) &&
		f.From <= l.Source.Offset && (f.To == 0 || l.Source.Offset < f.To)
}

// MaxRounds is how often an event may be redriven unless somebody says otherwise.
const MaxRounds = 3

// Guard says which letters are not given back, though a filter takes them.
type Guard struct {
	// Rounds is how often an event may be redriven; 0: MaxRounds.
	Rounds int32
	// Known is how far back the group's inbox knows what it has handled: an attempt before it may have
	// taken effect without anybody knowing, as where a commit's answer was lost. Zero: nobody asks.
	Known time.Time
}

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

// Plan chooses the open letters that the filter takes, in the order of their source. Of those whose
// event is to go back it refuses what the guard refuses, and what is no event.
func (s *Story) Plan(act Act, f Filter, g Guard) (p Plan) {
	for _, l := range s.Letters() {
		if !l.Open() || !f.takes(l) {
			continue
		}
		if why := g.refuses(l); act == Redriven && why != "" {
			p.Refused = append(p.Refused, Refusal{l, why})
		} else {
			p.Letters = append(p.Letters, l)
		}
	}
	return p
}

// refuses says why a letter's event can't go back; "" where it can.
func (g Guard) refuses(l *Letter) string {
	tried := l.FirstFailure
	if tried.IsZero() {
		tried = l.Timestamp
	}
	switch {
	case l.Source.Partition < 0:
		return "it never left its service, which alone can send it: see leat outbox parked, and leat outbox unpark"
	case slices.Contains(l.Omitted, "value"):
		return "its payload was left out for size"
	case l.tried() >= cmp.Or(g.Rounds, MaxRounds):
		return fmt.Sprintf("it was redriven %d times already", l.tried())
	case l.Attempts > 0 && tried.Before(g.Known):
		return "it was first tried before what the group's inbox remembers: with --repeat it goes back all the same"
	}
	return ""
}
