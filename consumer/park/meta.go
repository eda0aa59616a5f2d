package park

import (
	"fmt"
	"strconv"
	"strings"
)

// Meta is the metadata of a park partition's committed offset.
type Meta struct {
	Claimed int64 // the highest epoch that an owner has claimed, before it wrote its marker
	AtLow   int64 // the epoch in force at the committed offset; 0: none yet
}

const metaPrefix = "leat-park/1 "

// String is the form in which it is committed.
func (m Meta) String() string {
	return metaPrefix + strconv.FormatInt(m.Claimed, 10) + " " + strconv.FormatInt(m.AtLow, 10)
}

// ParseMeta reads a commit's metadata. [ErrForeign]: it was lost, or somebody else committed; the
// park partition is to be read from its first offset on, with the zero Meta. [ErrMalformed]: it is of
// a newer version, or broken; the partition has to stop.
func ParseMeta(s string) (Meta, error) {
	rest, ours := strings.CutPrefix(s, metaPrefix)
	if !ours {
		if strings.HasPrefix(s, "leat-park/") {
			return Meta{}, fmt.Errorf("%w: metadata %.80q: unknown version: run the newer program", ErrMalformed, s)
		}
		return Meta{}, fmt.Errorf("%w: metadata %.80q", ErrForeign, s)
	}
	claimed, at, _ := strings.Cut(rest, " ")
	var m Meta
	m.Claimed, _ = strconv.ParseInt(claimed, 10, 64)
	m.AtLow, _ = strconv.ParseInt(at, 10, 64)
	if m.Claimed < 0 || m.AtLow < 0 || m.AtLow > m.Claimed || m.String() != s {
		return Meta{}, fmt.Errorf("%w: metadata %.80q", ErrMalformed, s)
	}
	return m, nil
}
