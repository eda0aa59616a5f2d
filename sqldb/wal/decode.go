package wal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Kind is what a Change says.
type Kind uint8

const (
	// Other is a change of no interest here: an update, a delete, a truncation, a type, an origin.
	Other Kind = iota
	// Begin opens a transaction; LSN is the place of its commit.
	Begin
	// Commit ends a transaction; End is the place to acknowledge once it is safe elsewhere.
	Commit
	// Insert is a new row of Table.
	Insert
	// Message is one of pg_logical_emit_message.
	Message
	// Relation describes a table before its first row.
	Relation
)

// Change is one message of the stream. Row and Content lie in the bytes that were decoded.
type Change struct {
	Kind          Kind
	LSN           LSN       // Begin and Commit: of the commit record; Message: its own
	End           LSN       // Commit: behind the transaction
	Time          time.Time // Begin and Commit: of the commit, by the server's clock
	XID           uint32    // Begin
	Table         *Table    // Insert and Relation
	Row           []Value   // Insert: one for each column of Table
	Transactional bool      // Message
	Prefix        string    // Message
	Content       []byte    // Message
}

// Table is a table as the stream describes it.
type Table struct {
	Schema, Name string
	Columns      []string
}

// Value is a column of a row.
type Value struct {
	Format byte // 'n' null, 't' text, 'b' binary
	Data   []byte
}

// Decoder decodes the messages of one stream; it remembers the tables.
type Decoder struct {
	tables map[uint32]*Table
}

// ErrMalformed says that a message of the stream is not one of pgoutput's, version 1.
var ErrMalformed = errors.New("a malformed message in the replication stream")

// Decode reads one message into c, and reuses the room of its Row.
func (d *Decoder) Decode(message []byte, c *Change) error {
	r := reader{rest: message}
	*c = Change{Row: c.Row[:0]}
	switch tag := r.byte(); tag {
	case 'B':
		c.Kind, c.LSN, c.Time, c.XID = Begin, LSN(r.uint64()), r.time(), r.uint32()
	case 'C':
		c.Kind = Commit
		r.byte()
		c.LSN, c.End, c.Time = LSN(r.uint64()), LSN(r.uint64()), r.time()
	case 'R':
		c.Kind, c.Table = Relation, d.relation(&r)
	case 'I':
		return d.insert(&r, c)
	case 'M':
		c.Kind, c.Transactional, c.LSN = Message, r.byte()&1 == 1, LSN(r.uint64())
		c.Prefix = r.text()
		c.Content = r.bytes(int64(r.uint32()))
	case 'U', 'D', 'T', 'Y', 'O':
		return nil
	default:
		return fmt.Errorf("%w: unknown kind %q", ErrMalformed, tag)
	}
	if r.short || len(r.rest) > 0 {
		return fmt.Errorf("%w: kind %q with %d bytes", ErrMalformed, message[:min(1, len(message))], len(message))
	}
	return nil
}

// relation reads a table and remembers it.
func (d *Decoder) relation(r *reader) *Table {
	id := r.uint32()
	t := &Table{Schema: r.text(), Name: r.text()}
	r.byte() // replica identity
	for range r.uint16() {
		r.byte() // flags
		t.Columns = append(t.Columns, r.text())
		r.uint32() // type
		r.uint32() // its modifier
		if r.short {
			return nil
		}
	}
	if d.tables == nil {
		d.tables = map[uint32]*Table{}
	}
	d.tables[id] = t
	return t
}

func (d *Decoder) insert(r *reader, c *Change) error {
	id := r.uint32()
	c.Kind, c.Table = Insert, d.tables[id]
	if c.Table == nil {
		return fmt.Errorf("%w: a row of table %d, which was not described", ErrMalformed, id)
	}
	isNew := r.byte() == 'N'
	for range r.uint16() {
		v := Value{Format: r.byte()}
		switch v.Format {
		case 'n':
		case 't', 'b':
			v.Data = r.bytes(int64(r.uint32()))
		default:
			r.short = true
		}
		if r.short {
			break
		}
		c.Row = append(c.Row, v)
	}
	if r.short || !isNew || len(r.rest) > 0 || len(c.Row) != len(c.Table.Columns) {
		return fmt.Errorf("%w: a row of %s.%s", ErrMalformed, c.Table.Schema, c.Table.Name)
	}
	return nil
}

// Int is the value of an integer column.
func (v Value) Int() (int64, error) {
	switch {
	case v.Format == 't':
		return strconv.ParseInt(string(v.Data), 10, 64)
	case v.Format == 'b' && len(v.Data) == 8:
		return int64(binary.BigEndian.Uint64(v.Data)), nil
	case v.Format == 'b' && len(v.Data) == 4:
		return int64(int32(binary.BigEndian.Uint32(v.Data))), nil
	case v.Format == 'b' && len(v.Data) == 2:
		return int64(int16(binary.BigEndian.Uint16(v.Data))), nil
	}
	return 0, fmt.Errorf("%w: %d bytes of format %q are no integer", ErrMalformed, len(v.Data), v.Format)
}

// Bool is the value of a boolean column.
func (v Value) Bool() (bool, error) {
	if len(v.Data) == 1 && (v.Format == 'b' || v.Format == 't') {
		return v.Data[0] == 1 || v.Data[0] == 't', nil
	}
	return false, fmt.Errorf("%w: %d bytes of format %q are no boolean", ErrMalformed, len(v.Data), v.Format)
}

// Bytes is a copy of the value of a bytea column, nil for null.
func (v Value) Bytes() ([]byte, error) {
	switch {
	case v.Format == 'n':
		return nil, nil
	case v.Format == 'b':
		return append([]byte{}, v.Data...), nil
	case v.Format == 't' && len(v.Data) >= 2 && v.Data[0] == '\\' && v.Data[1] == 'x':
		b, err := hex.AppendDecode([]byte{}, v.Data[2:])
		if err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: %d bytes of format %q are no bytea", ErrMalformed, len(v.Data), v.Format)
}

// Text is a copy of the value of a text column, "" for null.
func (v Value) Text() string { return string(v.Data) }

// reader cuts a message up. Once it is short, it stays so and gives zeros.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) bytes(n int64) []byte {
	if r.short || n > int64(len(r.rest)) {
		r.short = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text reads up to a zero byte.
func (r *reader) text() string {
	for i, b := range r.rest {
		if b == 0 {
			s := string(r.rest[:i])
			r.rest = r.rest[i+1:]
			return s
		}
	}
	r.short = true
	return ""
}

// time reads microseconds since 2000.
func (r *reader) time() time.Time {
	return time.UnixMicro(int64(r.uint64()) + sinceEpoch).UTC()
}

// sinceEpoch is PostgreSQL's epoch, 2000, in microseconds of Unix's.
const sinceEpoch = 946_684_800_000_000
