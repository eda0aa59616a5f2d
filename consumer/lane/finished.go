package lane

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"sort"
)

// MapLimit is how long the metadata of a committed offset may be in bytes: Kafka's own default of
// offset.metadata.max.bytes.
const MapLimit = 4096

// Finished is a set of records above a committed offset that are finished. The zero value is the
// empty set.
type Finished struct {
	base  int64
	epoch int32
	runs  []run // ascending, apart
}

// run is the offsets from.. to-1.
type run struct{ from, to int64 }

// An offset map is the base64 text of: magic "lt", version, codec, base (uvarint), epoch (varint), and the
// body. The codec is the smaller one: uvarints of (gap, length) for each run, or a bit for each offset
// from the base on, the lowest first.
const (
	mapMagic   = "lt"
	mapVersion = 1
	codecRuns  = 0
	codecBits  = 1
)

// Finished is the offset map of the partition: it tells a later owner which records above the low water
// are finished; "" where none is.
func (t *Tracker) Finished() string { return t.Snapshot().Text(math.MaxInt32) }

// FinishedNeeds bounds the length of Finished, in constant time.
func (t *Tracker) FinishedNeeds() int {
	if t.open == 0 {
		return 0
	}
	const head = 4 + 2*binary.MaxVarintLen64
	return base64.RawStdEncoding.EncodedLen(head + int(min((t.next-t.low.Offset+7)/8, math.MaxInt32)))
}

// Snapshot is what is finished above the low water. Offsets between two finished records have none: they
// count as finished.
func (t *Tracker) Snapshot() Finished {
	f := Finished{base: t.low.Offset}
	if t.open == 0 {
		return f
	}
	mask, n, was := uint64(len(t.ring)-1), 0, false
	for seq := t.first; seq < t.end; seq++ {
		if done := t.ring[seq&mask].done; done != was {
			n, was = n+1, done
		}
	}
	f.runs, was = make([]run, 0, (n+1)/2), false
	for seq := t.first; seq < t.end; seq++ {
		s := &t.ring[seq&mask]
		switch {
		case s.done && was:
			f.runs[len(f.runs)-1].to = s.offset + 1
		case s.done:
			f.runs = append(f.runs, run{s.offset, s.offset + 1})
		}
		if was = s.done; was {
			f.epoch = max(f.epoch, s.epoch)
		}
	}
	return f
}

// Join adds what an earlier map says of the offsets from the given one on, which have not been read yet.
func (f Finished) Join(earlier Finished, from int64) Finished {
	for _, r := range earlier.runs {
		if r.to <= from {
			continue
		}
		f.epoch = max(f.epoch, earlier.epoch)
		r.from = max(r.from, from)
		if last := len(f.runs) - 1; last >= 0 && f.runs[last].to == r.from {
			f.runs[last].to = r.to
		} else {
			f.runs = append(f.runs, r)
		}
	}
	return f
}

// Text is the map in at most limit bytes, or "". What does not fit is left out from the top: it comes
// again. Of the codecs it takes the one that holds more, or else is shorter.
func (f Finished) Text(limit int) string {
	if len(f.runs) == 0 {
		return ""
	}
	head := append([]byte(mapMagic), mapVersion, codecRuns)
	head = binary.AppendUvarint(head, uint64(f.base))
	head = binary.AppendVarint(head, int64(f.epoch))
	room := base64.RawStdEncoding.DecodedLen(limit) - len(head)
	body, held := f.asRuns(room)
	if held < f.Len(f.base) || (f.End()-f.base+7)/8 < int64(len(body)) {
		if bits, heldBits := f.asBits(room); heldBits >= held {
			head[3], body, held = codecBits, bits, heldBits
		}
	}
	if held == 0 {
		return ""
	}
	return base64.RawStdEncoding.EncodeToString(append(head, body...))
}

// asRuns also tells how many offsets it holds.
func (f Finished) asRuns(room int) (body []byte, held int64) {
	at := f.base
	for _, r := range f.runs {
		var pair [2 * binary.MaxVarintLen64]byte
		n := binary.PutUvarint(pair[:], uint64(r.from-at))
		n += binary.PutUvarint(pair[n:], uint64(r.to-r.from))
		if len(body)+n > room {
			break
		}
		body = append(body, pair[:n]...)
		held += r.to - r.from
		at = r.to
	}
	return body, held
}

func (f Finished) asBits(room int) (body []byte, held int64) {
	size := min((f.runs[len(f.runs)-1].to-f.base+7)/8, int64(max(room, 0)))
	body = make([]byte, size)
	for _, r := range f.runs {
		for at := r.from - f.base; at < min(r.to-f.base, 8*size); at++ {
			body[at/8] |= 1 << (at % 8)
			held++
		}
	}
	for len(body) > 0 && body[len(body)-1] == 0 {
		body = body[:len(body)-1]
	}
	return body, held
}

// ParseFinished reads the metadata of the committed offset low. Metadata that is somebody else's, damaged,
// or of another offset says nothing: false.
func ParseFinished(metadata string, low int64) (Finished, bool) {
	raw, err := base64.RawStdEncoding.DecodeString(metadata)
	if err != nil || len(raw) < 4 || string(raw[:2]) != mapMagic || raw[2] != mapVersion || low < 0 {
		return Finished{}, false
	}
	codec, body := raw[3], raw[4:]
	at, n := binary.Uvarint(body)
	if n <= 0 || at != uint64(low) {
		return Finished{}, false
	}
	body = body[n:]
	epoch, n := binary.Varint(body)
	if n <= 0 || int64(int32(epoch)) != epoch {
		return Finished{}, false
	}
	f := Finished{base: low, epoch: int32(epoch)}
	switch {
	case codec == codecRuns && f.readRuns(body[n:]):
	case codec == codecBits:
		f.readBits(body[n:])
	default:
		return Finished{}, false
	}
	return f, true
}

func (f *Finished) readRuns(body []byte) bool {
	at := uint64(f.base)
	for len(body) > 0 {
		gap, n := binary.Uvarint(body)
		if n <= 0 || gap == 0 && len(f.runs) > 0 || gap > math.MaxInt64-at {
			return false
		}
		at += gap
		length, m := binary.Uvarint(body[n:])
		if m <= 0 || length == 0 || length > math.MaxInt64-at {
			return false
		}
		f.runs = append(f.runs, run{int64(at), int64(at + length)})
		at += length
		body = body[n+m:]
	}
	return true
}

// Empty says whether nothing is finished.
func (f Finished) Empty() bool { return len(f.runs) == 0 }

func (f *Finished) readBits(body []byte) {
	for i, b := range body {
		for bit := range 8 {
			if b&(1<<bit) == 0 {
				continue
			}
			at := f.base + int64(8*i+bit)
			if last := len(f.runs) - 1; last >= 0 && f.runs[last].to == at {
				f.runs[last].to++
			} else {
				f.runs = append(f.runs, run{at, at + 1})
			}
		}
	}
}

// Has says whether the record at the offset is finished. A record of a leader epoch that began after the
// map was made is another than the one that was finished there: an unclean election has cut off the log,
// and its offsets were used again.
func (f Finished) Has(offset int64, epoch int32) bool {
	if epoch > f.epoch {
		return false
	}
	i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].to > offset })
	return i < len(f.runs) && f.runs[i].from <= offset
}

// Epoch is the highest leader epoch of a record that Has may know.
func (f Finished) Epoch() int32 { return f.epoch }

// End is the offset above the last finished one; 0 of the empty set.
func (f Finished) End() int64 {
	if len(f.runs) == 0 {
		return 0
	}
	return f.runs[len(f.runs)-1].to
}

// Len is how many offsets from the given one on are in the set, those that have no record included.
func (f Finished) Len(from int64) (n int64) {
	for _, r := range f.runs {
		n += max(0, r.to-max(r.from, from))
	}
	return n
}
