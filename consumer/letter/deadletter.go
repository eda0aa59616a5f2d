package letter

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat"
)

// ErrNotADeadLetter says that a record's headers don't tell a dead letter's story.
var ErrNotADeadLetter = errors.New("not a dead letter")

// Reason says why a record went to the dead letters.
type Reason string

// The reasons.
const (
	ReasonNotAnEvent  Reason = "not-an-event" // no event type, or a broken envelope
	ReasonUndecodable Reason = "undecodable"  // the data is not what its event type says
	ReasonPermanent   Reason = "permanent"    // the handler said that no attempt can help
	ReasonExhausted   Reason = "exhausted"    // all attempts failed
	ReasonPanic       Reason = "panic"        // the handler panicked, twice in a row
	ReasonUnhandled   Reason = "unhandled"    // no handler of the type, and the group is strict
	ReasonUnsendable  Reason = "unsendable"   // it never was a record: the service's outbox could not send it
	ReasonExpired     Reason = "expired"      // Parking.MaxAge has passed since the first failure
	ReasonBlocked     Reason = "blocked"      // its key is held by an earlier dead letter, or as full as it may be
)

// Names of the headers that tell a dead letter's story. All values are text. A dead letter keeps the
// source record's key, value and headers; these come behind them, so the last of a name counts.
const (
	HeaderReason       = "leat-reason"
	HeaderError        = "leat-error"
	HeaderStack        = "leat-stack"
	HeaderTopic        = "leat-source-topic"
	HeaderPartition    = "leat-source-partition"
	HeaderOffset       = "leat-source-offset"
	HeaderTimestamp    = "leat-source-timestamp" // RFC 3339, UTC
	HeaderGroup        = "leat-group"
	HeaderAttempts     = "leat-attempts"
	HeaderFirstFailure = "leat-first-failure" // RFC 3339, UTC
	HeaderLastFailure  = "leat-last-failure"  // RFC 3339, UTC
	HeaderHandler      = "leat-handler"       // event type of the handler
	HeaderVersion      = "leat-version"       // version of the service's program
	HeaderOmitted      = "leat-omitted"       // what was left out for size: stack, error, value
)

// Limits of what a dead letter tells, in bytes: of the error, and of a panic's stack.
const (
	MaxError = 1 << 10
	MaxStack = 8 << 10
)

// DeadLetter is the story of a record that its group could not handle. A record has at most one per
// group that counts: after a crash at a bad moment there may be two, and readers fold them by
// [DeadLetter.ID].
type DeadLetter struct {
	Source       leat.Position // where the record lies; unsendable: partition -1, row of the outbox
	Timestamp    time.Time     // the record's own timestamp
	Group        string        // the group that could not handle it
	Reason       Reason
	Error        string // the last error, at most 1 KiB
	Stack        string // of a panic, at most 8 KiB
	Attempts     int    // 0: it never got to a handler
	FirstFailure time.Time
	LastFailure  time.Time
	Handler      string   // event type of the handler, "" where it never got to one
	Version      string   // version of the program, "" where unknown
	Omitted      []string // what had to be left out for size: "stack", "error", "value"
}

// ID names what the letter is about: group and source coordinate. Two letters with the same ID are
// one.
func (d *DeadLetter) ID() string { return d.Group + ":" + d.Source.String() }

// Headers are the headers that tell the story, to be put behind the source record's own.
func (d *DeadLetter) Headers() []leat.Header {
	hs := make([]leat.Header, 0, 14)
	add := func(key, value string) {
		if value != "" {
			hs = append(hs, leat.Header{Key: key, Value: []byte(value)})
		}
	}
	add(HeaderReason, string(d.Reason))
	add(HeaderError, Clip(d.Error, MaxError))
	add(HeaderStack, Clip(d.Stack, MaxStack))
	add(HeaderTopic, d.Source.Topic)
	add(HeaderPartition, strconv.Itoa(int(d.Source.Partition)))
	add(HeaderOffset, strconv.FormatInt(d.Source.Offset, 10))
	add(HeaderTimestamp, Stamp(d.Timestamp))
	add(HeaderGroup, d.Group)
	add(HeaderAttempts, strconv.Itoa(d.Attempts))
	add(HeaderFirstFailure, Stamp(d.FirstFailure))
	add(HeaderLastFailure, Stamp(d.LastFailure))
	add(HeaderHandler, d.Handler)
	add(HeaderVersion, d.Version)
	add(HeaderOmitted, strings.Join(d.Omitted, ","))
	return hs
}

// ParseDeadLetter reads the story out of a record's headers. An error is an [ErrNotADeadLetter].
func ParseDeadLetter(headers []leat.Header) (DeadLetter, error) {
	last := make(map[string]string, 14)
	for _, h := range headers {
		if strings.HasPrefix(h.Key, "leat-") {
			last[h.Key] = string(h.Value)
		}
	}
	p := letterParser{last: last}
	d := DeadLetter{
		Source: leat.Position{
			Topic:     p.required(HeaderTopic),
			Partition: int32(p.number(HeaderPartition, 32, -1)),
			Offset:    p.number(HeaderOffset, 64, 0),
		},
		Timestamp:    p.time(HeaderTimestamp),
		Group:        p.required(HeaderGroup),
		Reason:       Reason(p.required(HeaderReason)),
		Error:        last[HeaderError],
		Stack:        last[HeaderStack],
		Attempts:     int(p.number(HeaderAttempts, 32, 0)),
		FirstFailure: p.time(HeaderFirstFailure),
		LastFailure:  p.time(HeaderLastFailure),
		Handler:      last[HeaderHandler],
		Version:      last[HeaderVersion],
	}
	if s := last[HeaderOmitted]; s != "" {
		d.Omitted = strings.Split(s, ",")
	}
	if p.err != nil {
		return DeadLetter{}, p.err
	}
	return d, nil
}

// FoldDeadLetters drops the letters that repeat an earlier one of the same [DeadLetter.ID].
func FoldDeadLetters(letters []DeadLetter) []DeadLetter {
	seen := make(map[string]bool, len(letters))
	return slices.DeleteFunc(slices.Clone(letters), func(d DeadLetter) bool {
		id := d.ID()
		dup := seen[id]
		seen[id] = true
		return dup
	})
}

// letterParser keeps the first thing that was wrong.
type letterParser struct {
	last map[string]string
	err  error
}

func (p *letterParser) fail(header, problem string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: header %s %s", ErrNotADeadLetter, header, problem)
	}
}

func (p *letterParser) required(header string) string {
	s := p.last[header]
	if s == "" {
		p.fail(header, "is missing")
	}
	return s
}

func (p *letterParser) number(header string, bits int, least int64) int64 {
	s := p.required(header)
	n, err := strconv.ParseInt(s, 10, bits)
	if s != "" && (err != nil || n < least) {
		p.fail(header, fmt.Sprintf("is %q, want a number", Clip(s, 40)))
	}
	return n
}

func (p *letterParser) time(header string) time.Time {
	s := p.last[header]
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		p.fail(header, fmt.Sprintf("is %q, want a time as of RFC 3339", Clip(s, 40)))
	}
	return t.UTC()
}

// Stamp is a time as headers tell it, "" for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Clip cuts s to n bytes at most without splitting a character, and replaces what is no UTF-8: the
// headers are for people.
func Clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const mark = "..."
	cut := n - len(mark)
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + mark
}
