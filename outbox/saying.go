package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leatdev/leat"
)

// A saying is an event in the write-ahead log, where mode message has it in place of a row: a version,
// then the columns that a row has, each with its length plus one, or 0 for null. The log outlives
// releases: a reader refuses what it does not know.
const sayingVersion = 1

func appendSaying(dst []byte, m *leat.Message) []byte {
	dst = append(dst, sayingVersion)
	column := func(b []byte, null bool) {
		if null {
			dst = append(dst, 0)
			return
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(b))+1), b...)
	}
	column(view(m.Topic), false)
	column(m.Key, m.Key == nil)
	column(view(m.ID), false)
	column(view(m.Type), false)
	column(appendAttributes(nil, m), false)
	column(m.Data, m.Data == nil)
	return dst
}

var errSaying = errors.New("an event in the write-ahead log is damaged")

// readSaying sets on m what appendSaying wrote. What m gets lies in the memory of s.
func readSaying(s string, m *leat.Message) error {
	if len(s) == 0 {
		return errSaying
	}
	if s[0] != sayingVersion {
		return fmt.Errorf("an event in the write-ahead log of version %d: a newer release wrote it, this one reads version %d", s[0], sayingVersion)
	}
	s = s[1:]
	var column [6]string
	var there [6]bool
	for i := range column {
		n, size := binary.Uvarint(view(s))
		if size <= 0 || n > uint64(len(s)-size)+1 {
			return errSaying
		}
		s = s[size:]
		if n > 0 {
			column[i], there[i], s = s[:n-1], true, s[n-1:]
		}
	}
	if len(s) > 0 || !there[0] || !there[2] || !there[3] || !there[4] {
		return errSaying
	}
	m.Topic, m.ID, m.Type = column[0], column[2], column[3]
	if there[1] {
		m.Key = view(column[1])
	}
	if there[5] {
		m.Data = view(column[5])
	}
	return readAttributes(column[4], m)
}
