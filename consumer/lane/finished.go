package lane

import (
	"encoding/base64"
	"encoding/binary"
	"sort"
	"strings"
)

// Finished is what of a partition is finished above the group's offset, as it travels in the metadata
// of a commit. The zero Finished is nothing.
type Finished struct{ ends []int64 } // odd: where a finished run begins; even: where it ends

// finishedMagic begins the metadata.
const finishedMagic = "leat-finished-1:"

// The two ways to write the same down; the shorter one is taken. Few and long runs go by their lengths,
// many short ones by a bit each, so that a window of n offsets never takes more than n/8 bytes.
const (
	asRuns byte = 'r'
	asBits byte = 'b'
)

// Finished writes down which records above the low water are finished: "" where none is. What lies
// between two records, where there is none, goes with the record before it.
func (t *Tracker) Finished() string {
	ends := t.finishedRuns()
	if len(ends) == 0 {
		return ""
	}
	low := t.low.Offset
	runs := []byte{asRuns}
	runs = binary.AppendUvarint(runs, uint64(low))
	from := low
	for _, end := range ends {
		runs = binary.AppendUvarint(runs, uint64(end-from))
		from = end
	}
	if n := (from-low)/8 + 12; n < int64(len(runs)) {
		runs = bits(low, ends)
	}
	return finishedMagic + base64.RawStdEncoding.EncodeToString(runs)
}

func bits(low int64, ends []int64) []byte {
	b := binary.AppendUvarint([]byte{asBits}, uint64(low))
	head := len(b)
	b = append(b, make([]byte, (ends[len(ends)-1]-low+7)/8)...)
	for i := 0; i < len(ends); i += 2 {
		for o := ends[i] - low; o < ends[i+1]-low; o++ {
			b[head+int(o/8)] |= 1 << (o % 8)
		}
	}
	return b
}

// finishedRuns are beginning and end of each run of finished records above the low water.
func (t *Tracker) finishedRuns() (ends []int64) {
	was := false
	for seq := t.first; seq < t.end; seq++ {
		s := &t.ring[seq&uint64(len(t.ring)-1)]
		if s.done != was {
			ends = append(ends, s.offset)
			was = s.done
		}
	}
	if was {
		ends = append(ends, t.next)
	}
	return ends
}

// ParseFinished reads what [Tracker.Finished] wrote for a low water. Metadata that says something else,
// or speaks of another low water, says nothing: false.
func ParseFinished(metadata string, low int64) (Finished, bool) {
	text, ours := strings.CutPrefix(metadata, finishedMagic)
	if !ours {
		return Finished{}, false
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || low < 0 {
		return Finished{}, false
	}
	kind, b := b[0], b[1:]
	base, n := binary.Uvarint(b)
	if n <= 0 || base != uint64(low) {
		return Finished{}, false
	}
	switch kind {
	case asRuns:
		return parseRuns(b[n:], low)
	case asBits:
		return parseBits(b[n:], low), true
	}
	return Finished{}, false
}

func parseRuns(b []byte, at int64) (f Finished, ok bool) {
	for len(b) > 0 {
		length, n := binary.Uvarint(b)
		if n <= 0 || length == 0 || length > uint64(1)<<62 || at+int64(length) < at {
			return Finished{}, false
		}
		at += int64(length)
		f.ends = append(f.ends, at)
		b = b[n:]
	}
	return f, len(f.ends)%2 == 0
}

func parseBits(b []byte, low int64) (f Finished) {
	was := false
	for o := range int64(len(b)) * 8 {
		if is := b[o/8]&(1<<(o%8)) != 0; is != was {
			f.ends = append(f.ends, low+o)
			was = is
		}
	}
	if was {
		f.ends = append(f.ends, low+int64(len(b))*8)
	}
	return f
}

// Has says whether the record at the offset is finished.
func (f Finished) Has(offset int64) bool {
	i := sort.Search(len(f.ends), func(i int) bool { return f.ends[i] > offset })
	return i%2 == 1
}

// Empty says whether nothing is.
func (f Finished) Empty() bool { return len(f.ends) == 0 }
