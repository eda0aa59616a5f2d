package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"unsafe"

	"github.com/leatdev/leat/schema"
)

// decodeFunc reads into the value at p, which is of the Go type that the plan was made for, and zero.
type decodeFunc func(d *decoder, p unsafe.Pointer) error

// decoder is data with how much of it is read.
type decoder struct {
	data  []byte
	at    int
	text  string // a copy of data, of which strings are parts; made with the first of them
	depth int    // records around it
	empty int    // items that took no bytes
}

// maxEmpty is how many items of lists and maps may take no bytes: nothing else bounds their number.
const maxEmpty = 1 << 16

var (
	errShort = errors.New("the data ends in the middle")
	errLong  = errors.New("a number of more than 64 bits")
)

func (d *decoder) left() int { return len(d.data) - d.at }

func (d *decoder) finished() error {
	if d.left() > 0 {
		return fmt.Errorf("%d bytes are left over: the data was written by another schema", d.left())
	}
	return nil
}

func (d *decoder) long() (int64, error) {
	if d.at < len(d.data) && d.data[d.at] < 0x80 {
		b := d.data[d.at]
		d.at++
		return int64(b>>1) ^ -int64(b&1), nil
	}
	n, size := binary.Varint(d.data[d.at:])
	switch {
	case size == 0:
		return 0, errShort
	case size < 0:
		return 0, errLong
	}
	d.at += size
	return n, nil
}

func (d *decoder) int() (int64, error) {
	n, err := d.long()
	if err == nil && n != int64(int32(n)) {
		err = fmt.Errorf("%d is no int of 32 bits", n)
	}
	return n, err
}

// take is the next n bytes: a part of the data, not a copy.
func (d *decoder) take(n int) ([]byte, error) {
	if n > d.left() {
		return nil, errShort
	}
	d.at += n
	return d.data[d.at-n : d.at], nil
}

// bytes is what a length goes before: a part of the data, not a copy.
func (d *decoder) bytes() ([]byte, error) {
	n, err := d.long()
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, fmt.Errorf("a length of %d", n)
	case n > int64(d.left()):
		return nil, errShort
	}
	return d.take(int(n))
}

// maxShared is how much data strings may share the memory of: a single one of them holds on to all.
const maxShared = 4096

// string is what a length goes before, as a copy. The strings of an event are cut out of one.
func (d *decoder) string() (string, error) {
	b, err := d.bytes()
	switch {
	case err != nil || len(b) == 0:
		return "", err
	case len(d.data) > maxShared:
		return string(b), nil
	case d.text == "":
		d.text = string(d.data)
	}
	return d.text[d.at-len(b) : d.at], nil
}

func (d *decoder) float() (float32, error) {
	b, err := d.take(4)
	if err != nil {
		return 0, err
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
}

func (d *decoder) double() (float64, error) {
	b, err := d.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

// block reads the head of a block of a list or a map: how many items follow, 0 at the end. least is
// what an item takes at least; a number that the data can't hold is refused before room is made.
func (d *decoder) block(least int) (int, error) {
	n, err := d.long()
	if err != nil || n == 0 {
		return 0, err
	}
	if n < 0 {
		if n == math.MinInt64 {
			return 0, fmt.Errorf("a block of %d items", n)
		}
		n = -n
		size, err := d.long()
		if err != nil {
			return 0, err
		}
		if size < 0 || size > int64(d.left()) {
			return 0, fmt.Errorf("a block of %d bytes, with %d left", size, d.left())
		}
	}
	if least > 0 {
		if n > int64(d.left()/least) {
			return 0, fmt.Errorf("%d items, with %d bytes left: %w", n, d.left(), errShort)
		}
		return int(n), nil
	}
	if n > int64(maxEmpty-d.empty) {
		return 0, fmt.Errorf("%d items that take no bytes: at most %d are read", n, maxEmpty)
	}
	d.empty += int(n)
	return int(n), nil
}

func (d *decoder) branch(of int) (int, error) {
	n, err := d.long()
	if err == nil && (n < 0 || n >= int64(of)) {
		err = fmt.Errorf("branch %d of a union of %d", n, of)
	}
	return int(n), err
}

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxNesting {
		return errDeep
	}
	return nil
}

// size is the fewest bytes that a value of a type takes.
func size(n *node) int { return sizeOf(n, nil) }

func sizeOf(n *node, above []*node) int {
	switch n.kind {
	case kindNull:
		return 0
	case kindFloat:
		return 4
	case kindDouble:
		return 8
	case kindFixed:
		return n.size
	case kindRecord:
		for _, a := range above {
			if a == n {
				return 0 // counted further out
			}
		}
		sum := 0
		for _, f := range n.fields {
			sum += sizeOf(f.typ, append(above, n))
		}
		return sum
	}
	return 1 // a union's branch, a list's end, a number, a length
}

type readerOf struct {
	t        reflect.Type // never a pointer
	name     string
	decode   decodeFunc
	decoders sync.Pool
}

func newReader(t reflect.Type, w, r *node) (schema.Reader, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	res := &resolution{root: t}
	decode, err := res.decoder(w, r, t, place{path: nameOf(t)})
	if err != nil {
		return nil, fmt.Errorf("read %s by the schema %s as it was written by %s: %w", t, r.fullName(), w.fullName(), err)
	}
	rd := &readerOf{t: t, name: r.fullName(), decode: decode}
	rd.decoders.New = func() any { return new(decoder) }
	return rd, nil
}

// Decode reads data into v, a pointer to a value of the reader's type, or to a pointer to one.
// Nothing of what v held before remains, and nothing that it holds then is part of data.
func (r *readerOf) Decode(data []byte, v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && !rv.IsNil() && rv.Type().Elem().Kind() == reflect.Pointer && rv.Type().Elem().Elem() == r.t {
		rv.Elem().Set(reflect.New(r.t))
		rv = rv.Elem()
	}
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Type().Elem() != r.t {
		return fmt.Errorf("read %s from Avro: into a %T, the reader is for *%s", r.name, v, r.t)
	}
	rv = rv.Elem()
	rv.SetZero()
	d := r.decoders.Get().(*decoder)
	*d = decoder{data: data}
	err := r.decode(d, rv.Addr().UnsafePointer())
	if err == nil {
		err = d.finished()
	}
	d.data, d.text = nil, ""
	r.decoders.Put(d)
	if err != nil {
		return fmt.Errorf("read %s from Avro: %w", r.name, err)
	}
	return nil
}
