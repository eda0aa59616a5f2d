package leat

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// NewID is a fresh UUID version 7 (RFC 9562) for the current time. Ids of one millisecond are not
// ordered among each other.
func NewID() string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand aborts the process instead
	return UUIDv7(time.Now(), random)
}

// UUIDv7 is the UUID version 7 (RFC 9562, section 5.7) of a time and ten random bytes.
func UUIDv7(t time.Time, random [10]byte) string {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], uint64(t.UnixMilli())<<16)
	copy(u[6:], random[:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], u[0:4])
	hex.Encode(s[9:13], u[4:6])
	hex.Encode(s[14:18], u[6:8])
	hex.Encode(s[19:23], u[8:10])
	hex.Encode(s[24:36], u[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
