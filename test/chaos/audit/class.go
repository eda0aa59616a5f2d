package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Class is a kind of fault.
type Class string

// Faults of what was written.
const (
	Lost         Class = "lost"          // a write that was acknowledged, or read, is not in the log
	HiddenCommit Class = "hidden-commit" // a committed transaction is in the log and read_committed does not show it
	Duplicate    Class = "duplicate"     // one record stands twice in the committed log
	Torn         Class = "torn"          // of one transaction a part is visible and a part is not
	SendOrder    Class = "send-order"    // a producer's records of one key lie in another order
	OffsetReuse  Class = "offset-reuse"  // one offset was two records
	StuckLSO     Class = "stuck-lso"     // a transaction is open though nobody works any more
	Watermark    Class = "watermark"     // a high watermark went back
)

// Faults of what was read.
const (
	AbortedRead      Class = "aborted-read"      // read_committed showed what was aborted
	PrecommittedRead Class = "precommitted-read" // read_committed showed what had not asked to be committed
	PollOrder        Class = "poll-order"        // a reader was given a partition's records in another order, or twice
	PollSkip         Class = "poll-skip"         // a reader was not given a record, but later ones
	Unseen           Class = "unseen"            // a reader was not given the end of a partition
)

// Faults of groups.
const (
	DoubledEffect Class = "doubled-effect" // an event took effect twice
	EffectOrder   Class = "effect-order"   // two events of a key took effect in another order than they lie
	OffsetAhead   Class = "offset-ahead"   // a group's offset is past an event that had no effect and has no letter
	PhantomEffect Class = "phantom-effect" // an effect of an event that is not committed where the effect says it lies
	OffsetBack    Class = "offset-back"    // a group's committed offset went back
	Lagging       Class = "lagging"        // a group has not read its topics to the end
	LetterClass   Class = "letter"         // an event has a dead letter that should have none, or an effect as well, or two that differ
	LetterMissing Class = "letter-missing" // a record that nobody can handle has no dead letter
)

// Faults of the shop.
const (
	OrderLost     Class = "order-lost"     // an order that was accepted is not there, or nobody placed one that is
	OrderOpen     Class = "order-open"     // an order, a charge or a notice has not ended
	OutboxStuck   Class = "outbox-stuck"   // an event has not left its outbox
	OutboxLost    Class = "outbox-lost"    // the tables say that an event was published, and it is on no topic
	OutboxPhantom Class = "outbox-phantom" // an event is on a topic, and the tables say that it can't be
	Money         Class = "money"          // what is held is not the total of the completed orders
	Stock         Class = "stock"          // what is out of stock is not what was shipped
	Growth        Class = "growth"         // a process holds far more memory, goroutines or files than before the load
)

// Finding is one fault.
type Finding struct {
	Class Class  `json:"class"`
	Text  string `json:"text"` // what and where
}

func (f Finding) String() string { return string(f.Class) + ": " + f.Text }

// Report is what an audit came to.
type Report struct {
	Lines   int64 `json:"lines"`   // of history
	Writes  int64 `json:"writes"`  // records that actors wrote
	Reads   int64 `json:"reads"`   // records that readers were given
	Records int64 `json:"records"` // in the final committed log
	Effects int64 `json:"effects"` // of groups
	Letters int64 `json:"letters"` // dead letters
	Orders  int64 `json:"orders"`  // in the final tables

	// Findings are at most 20 of each class; Counts has all of them.
	Findings []Finding     `json:"findings,omitempty"`
	Counts   map[Class]int `json:"counts,omitempty"`
}

// Live says that all that was found may still mend itself: work that is not finished yet, or that went
// on while the final state was read.
func (r *Report) Live() bool {
	for class := range r.Counts {
		switch class {
		case Unseen, StuckLSO, Lagging, OffsetAhead, PhantomEffect, LetterMissing:
		case OrderOpen, OutboxStuck, OutboxLost, Money, Stock:
		default:
			return false
		}
	}
	return len(r.Counts) > 0
}

const mostOfAClass = 20

func (r *Report) find(class Class, format string, args ...any) {
	r.Counts[class]++
	if r.Counts[class] <= mostOfAClass {
		r.Findings = append(r.Findings, Finding{class, fmt.Sprintf(format, args...)})
	}
}

// Classes are the classes that were found, sorted.
func (r *Report) Classes() []Class { return slices.Sorted(maps.Keys(r.Counts)) }

func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Class, b.Class) })
}
