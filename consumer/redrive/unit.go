package redrive

import (
	"fmt"

	"github.com/leatdev/leat/consumer/park"
)

// unit is letters that go back together: one, or all of a held key.
type unit struct {
	letters []*Letter
	hold    park.Hold // the zero Hold: the key is not held
}

// place is a key of a partition.
type place struct {
	partition int32
	key       string
}

// units puts the letters of held keys together, those that the filter left out too: none of them may
// run before another one of its key that is older.
func (s *Story) units(letters []*Letter, holds map[place]park.Hold) (units []unit, err error) {
	seen := map[place]bool{}
	for _, l := range letters {
		at := place{l.Source.Partition, string(l.Key)}
		hold, held := holds[at]
		if l.Key == nil || !held {
			units = append(units, unit{letters: []*Letter{l}})
			continue
		}
		if seen[at] {
			continue
		}
		seen[at] = true
		u := unit{hold: hold}
		for _, other := range s.Letters() {
			if other.Open() && other.Key != nil && other.Source.Partition == at.partition && string(other.Key) == at.key && other.Source.Offset >= hold.First {
				u.letters = append(u.letters, other)
			}
		}
		if len(u.letters) != hold.Count {
			return nil, fmt.Errorf("%w: key %q on partition %d has %d open letters, and the hold has %d: look with leat dlq list, and try again", ErrHeld, at.key, at.partition, len(u.letters), hold.Count)
		}
		units = append(units, u)
	}
	return units, nil
}
