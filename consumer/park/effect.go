package park

// Act is what an [Effect] asks of the shell. Effects are done in their order; none is waited for.
type Act uint8

// The acts.
const (
	// Append writes Effect.Record to the park partition, in the order of the effects. Where its kind
	// carries the event, that is the source record (Event.At < 0), or what the park record at
	// Event.At carries. The record comes back by [Core.Apply] when it is read; a failed one means
	// [Core.ProduceFailed].
	Append Act = iota + 1
	// Run runs the handler on Event; its end is told by [Core.Result].
	Run
	// Due says that Event is the next parked one of its key, and Event.Past what it has behind it.
	// When its time has come, [Core.Attempt] is to be called. It replaces an earlier Due of the key.
	Due
	// Next lets the lane of the source event Event go on: the key's next event may be given to
	// [Core.Source]. The event itself is kept until its Settle.
	Next
	// Settle says that the source offset may pass the source event Event: it took effect, or the park
	// partition has it.
	Settle
	// Letter writes the dead letter of Event; [Core.LetterWritten] when it is there. Event.Decided is
	// the park offset of the Dead record, with the story; the event itself is the source record in
	// hand (At < 0) or what the park record at Event.At carries.
	Letter
	// Begin says that the partition is ours and all is read: raise the fence in the database, then call
	// [Core.Begin].
	Begin
	// Stop says that a newer owner has marked the partition, with the epoch Effect.Record.Epoch. The
	// core does nothing any more. An owner that is the rightful one all the same (the group was made
	// anew and its epochs began at 1) claims an epoch above that one and begins with a new core.
	Stop
)

var actNames = [...]string{
	Append: "append", Run: "run", Due: "due", Next: "next", Settle: "settle", Letter: "letter",
	Begin: "begin", Stop: "stop",
}

// String is the act's word.
func (a Act) String() string {
	if a == 0 || int(a) >= len(actNames) {
		return "unknown"
	}
	return actNames[a]
}

// Event names an event, and where it is.
type Event struct {
	Key     Key
	Offset  int64 // in the source partition
	Round   int32
	Parked  bool  // it is in the park partition's queue; else it comes straight from the source
	At      int64 // offset of the park record that carries it; -1: it is the source record
	Decided int64 // Letter: offset of the Dead record
	Hold    int64 // Letter: the hold it belongs to; 0: none
	Blocked bool  // Letter: it did not fail itself, the hold blocks it
	Past    Past
}

// Effect is one thing that the shell has to do.
type Effect struct {
	Do     Act
	Event  Event
	Record Record // Append, Stop
}

// Outcome is how an attempt on an event ended.
type Outcome uint8

// The outcomes.
const (
	Done   Outcome = iota + 1 // it took effect, or was passed over by rule
	Retry                     // later: a direct event is parked, a parked one waits for its next Due
	GiveUp                    // no attempt can help any more: the dead letters
)
