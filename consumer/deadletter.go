package consumer

import (
	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

// DeadLetter is the story of a record that its group could not handle.
type DeadLetter = letter.DeadLetter

// Reason says why a record went to the dead letters.
type Reason = letter.Reason

// The reasons.
const (
	ReasonNotAnEvent  = letter.ReasonNotAnEvent  // no event type, or a broken envelope
	ReasonUndecodable = letter.ReasonUndecodable // the data is not what its event type says
	ReasonPermanent   = letter.ReasonPermanent   // the handler said that no attempt can help
	ReasonExhausted   = letter.ReasonExhausted   // all attempts failed
	ReasonPanic       = letter.ReasonPanic       // the handler panicked, twice in a row
	ReasonUnhandled   = letter.ReasonUnhandled   // no handler of the type, and the group is strict
	ReasonUnsendable  = letter.ReasonUnsendable  // it never was a record: the service's outbox could not send it
	ReasonExpired     = letter.ReasonExpired     // Parking.MaxAge has passed since the first failure
	ReasonBlocked     = letter.ReasonBlocked     // its key is held by an earlier dead letter, or as full as it may be
)

// Names of the headers that tell a dead letter's story; package letter says what stands in them.
const (
	HeaderReason       = letter.HeaderReason
	HeaderError        = letter.HeaderError
	HeaderStack        = letter.HeaderStack
	HeaderTopic        = letter.HeaderTopic
	HeaderPartition    = letter.HeaderPartition
	HeaderOffset       = letter.HeaderOffset
	HeaderTimestamp    = letter.HeaderTimestamp
	HeaderGroup        = letter.HeaderGroup
	HeaderAttempts     = letter.HeaderAttempts
	HeaderFirstFailure = letter.HeaderFirstFailure
	HeaderLastFailure  = letter.HeaderLastFailure
	HeaderHandler      = letter.HeaderHandler
	HeaderVersion      = letter.HeaderVersion
	HeaderOmitted      = letter.HeaderOmitted
)

// ErrNotADeadLetter says that a record's headers don't tell a dead letter's story.
var ErrNotADeadLetter = letter.ErrNotADeadLetter

// ParseDeadLetter reads the story out of a record's headers. An error is an [ErrNotADeadLetter].
func ParseDeadLetter(headers []leat.Header) (DeadLetter, error) {
	return letter.ParseDeadLetter(headers)
}

// ParseSpringLetter reads a dead letter of Spring Kafka's, and the event's own headers. An error is an
// [ErrNotADeadLetter].
func ParseSpringLetter(headers []leat.Header) (d DeadLetter, own []leat.Header, err error) {
	return letter.ParseSpring(headers)
}

// FoldDeadLetters drops the letters that repeat an earlier one of the same [DeadLetter.ID].
func FoldDeadLetters(letters []DeadLetter) []DeadLetter { return letter.FoldDeadLetters(letters) }

// HeaderRetry is the header, the last of its record, that makes a record of a retry topic an event that
// waits to be tried again.
const HeaderRetry = letter.HeaderRetry

// HeaderReturned is the header, the last of its record, that makes a record of a redrive topic
// ([leat.RedriveTopic]) an event that came back: its [Returned] as text.
const HeaderReturned = letter.HeaderReturned

// Returned says where an event lay that came back by a redrive topic.
type Returned = letter.Returned

// ParseReturned reads it out of a record's headers; false says that the record is none that came back.
func ParseReturned(headers []leat.Header) (Returned, bool) { return letter.ParseReturned(headers) }
