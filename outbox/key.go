package outbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// key is what an event is in leat_inbox_key, the inbox on PostgreSQL. A UUID of version 7 or 4 stays what
// it is, so that those of 7 come one after the other in the index; its last eight bytes are turned about by
// the group and the source, so that no two ids of a source have one key, and those of two sources by the
// chance alone that two random ids are equal. Any other id is ten bytes of a hash of all three behind six
// that put places on a topic, and what else ends with a number, side by side. leat_inbox_id is the same in
// SQL.
type key = [16]byte

// keyer makes the keys of one group. It is for one goroutine at a time.
type keyer struct {
	name   []byte // group, source and id, each but the last behind its length
	group  int    // bytes of name that are the group's
	source string // the last one, and its turn
	turn   uint64 // 0: none yet
}

func newKeyer(group string) *keyer {
	name := binary.BigEndian.AppendUint32(make([]byte, 0, 128), uint32(len(group)))
	name = append(name, group...)
	return &keyer{name: name, group: len(name)}
}

func (k *keyer) of(source, id string) (of key) {
	if !parseRandom(&of, id) {
		return k.hashed(source, id)
	}
	if k.turn == 0 || k.source != source {
		hash := sha256.Sum256(k.named(source, ""))
		k.source, k.turn = source, binary.BigEndian.Uint64(hash[:8])
	}
	binary.BigEndian.PutUint64(of[8:], binary.BigEndian.Uint64(of[8:])^k.turn)
	return of
}

func (k *keyer) hashed(source, id string) (of key) {
	name := k.named(source, id)
	number, digits := numberOf(id)
	hash, stem := sha256.Sum256(name), sha256.Sum256(name[:len(name)-digits])
	copy(of[:6], stem[:])
	if digits > 0 {
		number >>= 5
		of[3], of[4], of[5] = byte(number>>16), byte(number>>8), byte(number)
	}
	copy(of[6:], hash[22:])
	return of
}

// named is the three as one, in a way that tells them apart.
func (k *keyer) named(source, id string) []byte {
	k.name = binary.BigEndian.AppendUint32(k.name[:k.group], uint32(len(source)))
	k.name = append(append(k.name, source...), id...)
	return k.name
}

// parseRandom reads an id that is a UUID with random bits, in lower case: in upper case it is another id.
func parseRandom(into *key, id string) bool {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '4' && id[14] != '7' || id[18] != '-' || id[23] != '-' {
		return false
	}
	at := 0
	for i := range into {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			at++
		}
		high, low := hexes[id[at]], hexes[id[at+1]]
		if high|low > 15 {
			return false
		}
		into[i], at = high<<4|low, at+2
	}
	return true
}

// hexes are the values of hexadecimal digits, 255 of what is none.
var hexes = func() (of [256]byte) {
	for c := range of {
		switch {
		case c >= '0' && c <= '9':
			of[c] = byte(c - '0')
		case c >= 'a' && c <= 'f':
			of[c] = byte(c - 'a' + 10)
		default:
			of[c] = 255
		}
	}
	return of
}()

// numberOf is the number that an id ends with, of 18 digits at most, as a place on a topic does, and how
// many digits that are.
func numberOf(id string) (number uint64, digits int) {
	for power := uint64(1); digits < len(id) && digits < 18; power *= 10 {
		c := id[len(id)-1-digits]
		if c < '0' || c > '9' {
			break
		}
		number += uint64(c-'0') * power
		digits++
	}
	return number, digits
}
