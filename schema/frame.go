package schema

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Names of the record headers that carry a schema's GUID in the header form.
const (
	HeaderKeySchema   = "__key_schema_id"
	HeaderValueSchema = "__value_schema_id"
)

const (
	magicPrefix = 0 // before data: id, 4 bytes big-endian
	magicHeader = 1 // in a record header: GUID, 16 bytes
	prefixSize  = 5
	headerSize  = 17
	maxIndex    = 64 // depth of nested Protobuf messages
)

// GUID names a schema in all registries: the MD5 of its text and what belongs to it.
type GUID [16]byte

// String is the GUID as a UUID is written.
func (g GUID) String() string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ParseGUID reads what String writes.
func ParseGUID(text string) (g GUID, err error) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return g, fmt.Errorf("%q is no GUID", text)
	}
	if _, err := hex.Decode(g[:], []byte(text[:8]+text[9:13]+text[14:18]+text[19:23]+text[24:])); err != nil {
		return g, fmt.Errorf("%q is no GUID: %w", text, err)
	}
	return g, nil
}

// Frame says by which schema data was written. It is read from Confluent's wire format, in either
// form: five bytes before the data, or a record header.
type Frame struct {
	ID     int32 // in the prefix form
	GUID   GUID  // in the header form
	Header bool  // the header form
}

// String names the schema for people.
func (f Frame) String() string {
	if f.Header {
		return "schema " + f.GUID.String()
	}
	return fmt.Sprintf("schema %d", f.ID)
}

// AppendPrefix appends the prefix form of the frame of id.
func AppendPrefix(dst []byte, id int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, magicPrefix), uint32(id))
}

// AppendHeader appends what the record header holds for guid and, of a Protobuf schema, the index.
func AppendHeader(dst []byte, guid GUID, index []int) []byte {
	dst = append(append(dst, magicHeader), guid[:]...)
	if index != nil {
		dst = AppendIndex(dst, index)
	}
	return dst
}

var errNoFrame = errors.New("the data is not framed: it begins neither with a schema's id (magic byte 0) nor does the record have the header " + HeaderValueSchema)

// ReadFrame reads the frame of a record: header is the value of its schema header, nil where there
// is none. head is what follows the GUID in the header, body the data after the prefix. Where the
// schema is Protobuf, SplitIndex reads the message's index off head or body.
func ReadFrame(header, data []byte) (f Frame, head, body []byte, err error) {
	if header != nil {
		if len(header) < headerSize || header[0] != magicHeader {
			return f, nil, nil, fmt.Errorf("the schema header holds %d bytes that are no magic byte 1 and GUID", len(header))
		}
		f.Header = true
		copy(f.GUID[:], header[1:headerSize])
		return f, header[headerSize:], data, nil
	}
	if len(data) < prefixSize || data[0] != magicPrefix {
		return f, nil, nil, errNoFrame
	}
	id := binary.BigEndian.Uint32(data[1:prefixSize])
	if id > 1<<31-1 {
		return f, nil, nil, fmt.Errorf("the data names the schema id %d, which no registry gives", id)
	}
	f.ID = int32(id)
	return f, nil, data[prefixSize:], nil
}

// IsFramed says whether the data of a record begins with a schema's id, or its header names one.
// Text of JSON never begins with the magic byte.
func IsFramed(header, data []byte) bool {
	return header != nil || len(data) >= prefixSize && data[0] == magicPrefix
}

// AppendIndex appends the place of a Protobuf message in its file: the count and the indexes as
// zigzag varints, and one zero byte for the first message.
func AppendIndex(dst []byte, index []int) []byte {
	if len(index) == 1 && index[0] == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(index)))
	for _, i := range index {
		dst = binary.AppendVarint(dst, int64(i))
	}
	return dst
}

// SplitIndex cuts a message's index off the front of data.
func SplitIndex(data []byte) (index []int, rest []byte, err error) {
	n, data, err := splitVarint(data)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 {
		return firstMessage, data, nil
	}
	if n < 0 || n > maxIndex {
		return nil, nil, fmt.Errorf("the data names a Protobuf message %d levels deep, want 1 to %d", n, maxIndex)
	}
	index = make([]int, n)
	for i := range index {
		var at int64
		if at, data, err = splitVarint(data); err != nil {
			return nil, nil, err
		}
		if at < 0 || at > 1<<20 {
			return nil, nil, fmt.Errorf("the data names the Protobuf message at %d, want 0 to %d", at, 1<<20)
		}
		index[i] = int(at)
	}
	return index, data, nil
}

var firstMessage = []int{0}

func splitVarint(data []byte) (int64, []byte, error) {
	v, n := binary.Varint(data)
	if n <= 0 {
		return 0, nil, errors.New("the index of the Protobuf message is cut off")
	}
	return v, data[n:], nil
}
