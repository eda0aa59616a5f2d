// Package letter is the form of what a group writes of an event that it could not handle.
//
// # What
//
// [DeadLetter] is the story of such an event, told in headers behind the record's own: by dead letters
// (<topic>.<group>.dlq), by the records of retry topics, which say besides when the event is due
// ([HeaderRetry]), and by what the park topic knows of events that were given up. [Returned] says where an
// event lay that came back by a redrive topic.
//
// # Use
//
//	d, err := letter.ParseDeadLetter(headers)
//	all = letter.FoldDeadLetters(all) // one per event and group
//
// Package consumer has the same names.
//
// # Guarantees
//
// What is written is read back; the headers are listed in docs/reference/headers.md and do not change.
//
// # Failure
//
// Headers that tell no story are [ErrNotADeadLetter], with the header that is wrong.
//
// # Test
//
// The headers are a golden list; what is read is fuzzed.
package letter
