package outbox

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"github.com/leatdev/leat"
)

// room is the memory of the events of one batch, one piece in place of eight for each event. It is
// used again for the batch after the next: nothing of an event may be kept that long, but for its
// topic, type, source and content type, which are few and kept for good.
type room struct {
	bytes []byte
	names map[string]string
}

// maxNames bounds what is kept for good: more than that are no names.
const maxNames = 10_000

func (o *room) empty() {
	o.bytes = o.bytes[:0]
	if o.names == nil || len(o.names) > maxNames {
		o.names = map[string]string{}
	}
}

var errRow = errors.New("the columns of the outbox's table are not those that were asked for")

// take reads the columns of rowColumns, and of unflushed, as PostgreSQL sends them.
func (o *room) take(columns [][]byte, r *row, m *leat.Message, log *string) error {
	if len(columns) == 10 {
		if target := columns[9]; target != nil && *log == "" {
			*log = string(target)
		}
		columns = columns[:9]
	}
	if len(columns) != 9 || len(columns[0]) != 8 || len(columns[1]) != 1 || len(columns[8]) != 1 {
		return errRow
	}
	r.id, r.skip, r.kept = int64(binary.BigEndian.Uint64(columns[0])), columns[1][0] != 0, columns[8][0] != 0
	columns = columns[:8]
	need := 0
	for _, c := range columns[2:] {
		need += len(c)
	}
	if cap(o.bytes)-len(o.bytes) < need { // what was taken stays where it is
		o.bytes = make([]byte, 0, max(2*cap(o.bytes), need, 64<<10))
	}
	m.Topic, m.Type = o.name(columns[2]), o.name(columns[5])
	m.Key, m.ID, m.Data = o.copy(columns[3]), text(o.copy(columns[4])), o.copy(columns[7])
	if err := readAttributes(text(o.copy(columns[6])), m); err != nil {
		return err
	}
	m.Source, m.ContentType = o.name(view(m.Source)), o.name(view(m.ContentType))
	return nil
}

// copy copies a column, for which there is room.
func (o *room) copy(column []byte) []byte {
	if column == nil {
		return nil
	}
	at := len(o.bytes)
	o.bytes = append(o.bytes, column...)
	return o.bytes[at:len(o.bytes):len(o.bytes)]
}

// name is a string of its own with these bytes, the same one each time.
func (o *room) name(b []byte) string {
	if s, ok := o.names[string(b)]; ok {
		return s
	}
	s := string(b)
	o.names[s] = s
	return s
}

// text is a string in the memory of b.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
