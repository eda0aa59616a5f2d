package schema

import (
	"fmt"
	"strings"
)

// Level says which earlier versions of a subject a new one has to get along with, and how.
type Level string

// The levels, by the names that registries give them.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD"            // the new one reads what the latest wrote; what registries mean where nothing is set
	BackwardTransitive Level = "BACKWARD_TRANSITIVE" // ... what all wrote
	Forward            Level = "FORWARD"             // the latest reads what the new one writes
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"  // ... all read
	Full               Level = "FULL"                // both
	FullTransitive     Level = "FULL_TRANSITIVE"
)

// ParseLevel reads a level in any case.
func ParseLevel(text string) (Level, error) {
	switch l := Level(strings.ToUpper(text)); l {
	case None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive:
		return l, nil
	}
	return "", fmt.Errorf("compatibility level %q is not known: take one of NONE, BACKWARD, FORWARD, FULL, or one of the last three with _TRANSITIVE", text)
}

// Transitive says whether the level looks at all versions, not at the latest alone.
func (l Level) Transitive() bool { return strings.HasSuffix(string(l), "_TRANSITIVE") }

func (l Level) backward() bool {
	return l == Backward || l == BackwardTransitive || l == Full || l == FullTransitive
}

func (l Level) forward() bool {
	return l == Forward || l == ForwardTransitive || l == Full || l == FullTransitive
}

// TypeChanged is the rule that a subject keeps to one schema language, by its name in a Difference.
const TypeChanged = "SCHEMA_TYPE_CHANGED"

// Check judges a new schema against the live versions of its subject, newest first. It stops at the
// first that the new one does not get along with: against is its index in live, why the reasons, the
// new schema as reader before the new schema as writer, each message with the right one called new.
// against is -1 where all is well.
func Check(lang Language, level Level, policy Policy, next Schema, live []Schema) (against int, why []Difference) {
	if !level.backward() && !level.forward() {
		return -1, nil
	}
	if !level.Transitive() {
		live = live[:min(1, len(live))]
	}
	for i, old := range live {
		if next.Type() != old.Type() {
			return i, []Difference{typeChanged(next, old)}
		}
		if level.backward() {
			why = append(why, lang.Compare(next, old, policy)...)
		}
		if level.forward() {
			for _, d := range lang.Compare(old, next, policy) {
				d.Message = swapped.Replace(d.Message)
				why = append(why, d)
			}
		}
		if len(why) > 0 {
			return i, why
		}
	}
	return -1, nil
}

// swapped turns a message about the new schema as reader into one about the old one.
var swapped = strings.NewReplacer("new schema", "old schema", "old schema", "new schema")

func typeChanged(next, old Schema) Difference {
	return Difference{
		Kind: TypeChanged, Path: "/",
		Message: "Incompatible because of different schema type",
		Breaks:  fmt.Sprintf("readers of %s can't read %s at all", old.Type(), next.Type()),
		Mend:    "register the new schema under a subject, and on a topic, of its own",
	}
}
