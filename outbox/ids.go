package outbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// span is a run of ids without a gap, both ends included.
type span struct{ from, to int64 }

// ids is an exact set of row ids: ascending runs that neither touch nor overlap. A gap in it is an
// id that was not taken, and whose row may still come: it is never bridged.
type ids []span

// add puts in id, which is above all that are in.
func (s ids) add(id int64) ids {
	if n := len(s); n > 0 && s[n-1].to == id-1 {
		s[n-1].to = id
		return s
	}
	return append(s, span{id, id})
}

func (s ids) count() (n int64) {
	for _, r := range s {
		n += r.to - r.from + 1
	}
	return n
}

// above is how many of the ids are above floor.
func (s ids) above(floor int64) (n int64) {
	for i := len(s) - 1; i >= 0 && s[i].to > floor; i-- {
		n += s[i].to - max(s[i].from, floor+1) + 1
	}
	return n
}

// has says whether id is in.
func (s ids) has(id int64) bool {
	i, found := slices.BinarySearchFunc(s, id, func(r span, id int64) int { return cmp.Compare(r.from, id) })
	return found || i > 0 && s[i-1].to >= id
}

// String is "1-40,43,45-50".
func (s ids) String() string {
	var b []byte
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, r.from, 10)
		if r.to > r.from {
			b = strconv.AppendInt(append(b, '-'), r.to, 10)
		}
	}
	return string(b)
}

var errIDs = errors.New("not a list of ids")

func parseIDs(text string) (ids, error) {
	if text == "" {
		return nil, nil
	}
	var s ids
	for part := range strings.SplitSeq(text, ",") {
		lo, hi, isRun := strings.Cut(part, "-")
		from, err := strconv.ParseInt(lo, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %q", errIDs, part)
		}
		to := from
		if isRun {
			if to, err = strconv.ParseInt(hi, 10, 64); err != nil {
				return nil, fmt.Errorf("%w: %q", errIDs, part)
			}
		}
		if from < 1 || to < from || len(s) > 0 && from <= s[len(s)-1].to {
			return nil, fmt.Errorf("%w: %q is not above what is before it", errIDs, part)
		}
		s = append(s, span{from, to})
	}
	return s, nil
}

// MarshalJSON writes the list as one string.
func (s ids) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *ids) UnmarshalJSON(data []byte) (err error) {
	var text string
	if err = json.Unmarshal(data, &text); err != nil {
		return err
	}
	*s, err = parseIDs(text)
	return err
}
