package park

// Standing is what has become of an event, as far as its park partition tells.
type Standing uint8

// The standings.
const (
	Unknown Standing = iota // the partition tells nothing of it
	Waits                   // it is to run, runs, or its dead letter is being written
	Staged                  // it is to run when its key is released
	Failed                  // it was given up, and its dead letter is written
	Handled                 // it took effect
)

// Standing says what has become of an event, by its source offset, and in which round.
func (f *Fold) Standing(key Key, offset int64) (Standing, int32) {
	if k := f.keys[key]; k != nil && k.hold != nil {
		for _, s := range k.hold.staged {
			if s.offset == offset {
				return Staged, s.round
			}
		}
	}
	e := f.entries[offset]
	switch {
	case e == nil || e.key != key:
		return Unknown, 0
	case e.state != finished:
		return Waits, e.round
	case e.failed:
		return Failed, e.round
	}
	return Handled, e.round
}
