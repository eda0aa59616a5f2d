package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/leatdev/leat"
)

// The column attributes holds what a message has beside the table's own columns: a version, then
// (tag, length, bytes) for each attribute that is there. Rows outlive releases: tags are never
// reused, and a reader refuses what it does not know.
const attributesVersion = 1

const (
	tagSource        = 's'
	tagSubject       = 'j'
	tagTime          = 't' // nanoseconds since 1970, 8 bytes
	tagContentType   = 'c'
	tagDataSchema    = 'd'
	tagCorrelationID = 'o'
	tagCausationID   = 'u'
	tagTraceParent   = 'p'
	tagTraceState    = 'r'
	tagHeader        = 'h' // length of the name, name, value
	tagNullHeader    = 'n' // name of a header whose value is null
)

func appendAttributes(dst []byte, m *leat.Message) []byte {
	dst = append(dst, attributesVersion)
	text := func(tag byte, s string) {
		if s != "" {
			dst = append(binary.AppendUvarint(append(dst, tag), uint64(len(s))), s...)
		}
	}
	text(tagSource, m.Source)
	text(tagSubject, m.Subject)
	if !m.Time.IsZero() {
		dst = binary.BigEndian.AppendUint64(append(dst, tagTime, 8), uint64(m.Time.UnixNano()))
	}
	text(tagContentType, m.ContentType)
	text(tagDataSchema, m.DataSchema)
	text(tagCorrelationID, m.CorrelationID)
	text(tagCausationID, m.CausationID)
	text(tagTraceParent, m.TraceParent)
	text(tagTraceState, m.TraceState)
	for _, h := range m.Headers {
		if h.Value == nil {
			dst = binary.AppendUvarint(append(dst, tagNullHeader), uint64(len(h.Key)))
			dst = append(dst, h.Key...)
			continue
		}
		name := binary.AppendUvarint(nil, uint64(len(h.Key)))
		dst = binary.AppendUvarint(append(dst, tagHeader), uint64(len(name)+len(h.Key)+len(h.Value)))
		dst = append(append(append(dst, name...), h.Key...), h.Value...)
	}
	return dst
}

var errAttributes = errors.New("the outbox row's attributes are damaged")

// readAttributes sets on m what appendAttributes wrote. What m gets lies in the row's memory.
func readAttributes(s string, m *leat.Message) error {
	if len(s) == 0 {
		return errAttributes
	}
	if s[0] != attributesVersion {
		return fmt.Errorf("an outbox row of version %d: a newer release wrote it, this one reads version %d", s[0], attributesVersion)
	}
	for s = s[1:]; len(s) > 0; {
		tag := s[0]
		value, rest, ok := cutSized(s[1:])
		if !ok {
			return errAttributes
		}
		s = rest
		if err := setAttribute(m, tag, value); err != nil {
			return err
		}
	}
	return nil
}

func setAttribute(m *leat.Message, tag byte, value string) error {
	switch tag {
	case tagSource:
		m.Source = value
	case tagSubject:
		m.Subject = value
	case tagTime:
		if len(value) != 8 {
			return errAttributes
		}
		m.Time = time.Unix(0, int64(binary.BigEndian.Uint64(view(value)))).UTC()
	case tagContentType:
		m.ContentType = value
	case tagDataSchema:
		m.DataSchema = value
	case tagCorrelationID:
		m.CorrelationID = value
	case tagCausationID:
		m.CausationID = value
	case tagTraceParent:
		m.TraceParent = value
	case tagTraceState:
		m.TraceState = value
	case tagHeader:
		name, value, ok := cutSized(value)
		if !ok {
			return errAttributes
		}
		m.Headers = append(m.Headers, leat.Header{Key: name, Value: view(value)})
	case tagNullHeader:
		m.Headers = append(m.Headers, leat.Header{Key: value})
	default:
		return fmt.Errorf("an outbox row with the unknown attribute %q: a newer release wrote it", tag)
	}
	return nil
}

// view is the memory of s, to read only.
func view(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// cutSized cuts a length and as many bytes off the front of s.
func cutSized(s string) (value, rest string, ok bool) {
	var n uint64
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		n |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			s = s[i+1:]
			if n > uint64(len(s)) {
				return "", "", false
			}
			return s[:n], s[n:], true
		}
	}
	return "", "", false
}
