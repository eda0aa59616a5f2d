package schema

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"sync"

	"github.com/leatdev/leat"
)

// Decode reads data with or without the prefix form.
func (c *Codec) Decode(data []byte, k *leat.Kind, v any) error { return c.decode(nil, data, k, v) }

// DecodeWire reads a record's data by the schema that its frame names.
func (c *Codec) DecodeWire(w leat.Wire, k *leat.Kind, v any) error {
	return c.decode(w.Header(HeaderValueSchema), w.Value(), k, v)
}

func (c *Codec) decode(header, data []byte, k *leat.Kind, v any) error {
	if !IsFramed(header, data) {
		if err := c.framedOnly(reflect.TypeOf(v).Elem()); err != nil {
			return err
		}
		return JSON.Decode(data, k, v) // also of a topic that came to its encoding later
	}
	frame, head, body, err := ReadFrame(header, data)
	if err != nil {
		return err
	}
	if c.cfg.Registry == nil {
		return fmt.Errorf("the data is written by %v, and there is no schema registry: set its URL (--registry-url, LEAT_REGISTRY_URL)", frame)
	}
	t := reflect.TypeOf(v)
	key := readerKey{frame: frame, of: t, kind: k.Type}
	if r, ok := c.readers.Load(key); ok {
		return c.read(r.(*reader), head, body, k, v)
	}
	r, err := c.newReader(frame, k, t)
	if err != nil {
		return err
	}
	c.readers.Store(key, r)
	return c.read(r, head, body, k, v)
}

type readerKey struct {
	frame Frame
	of    reflect.Type
	kind  string
}

// reader reads the data of one writer's schema into one Go type. A Protobuf file holds several
// messages: one Reader for each index.
type reader struct {
	format  Format
	name    string
	own     Schema
	writer  Schema
	of      reflect.Type
	one     Reader // of a language without indexes
	indexed sync.Map
}

func (c *Codec) newReader(frame Frame, k *leat.Kind, t reflect.Type) (*reader, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Wait)
	defer cancel()
	got, s, err := c.known.find(ctx, frame)
	if err != nil {
		return nil, err
	}
	f := c.formats[got.Type]
	if f == nil {
		return nil, fmt.Errorf("%v is a schema of type %s, and this codec has no such format", frame, got.Type)
	}
	var own Schema // that the reader reads by
	if !isDynamic(f, t.Elem()) {
		kind := *k
		if typeOf(kind.Encoding) != f.Type() {
			kind.Schema = "" // written by hand for another language
		}
		if _, own, err = c.contract(f, &kind, t.Elem()); err != nil {
			return nil, fmt.Errorf("read %v as %v: %w", frame, t.Elem(), err)
		}
	}
	r := &reader{format: f, name: frame.String(), own: own, writer: s, of: t.Elem()}
	if got.Type != Protobuf {
		if r.one, err = f.Reader(r.of, own, s, nil); err != nil {
			return nil, fmt.Errorf("read %v as %v: %w", frame, t.Elem(), err)
		}
	}
	return r, nil
}

func (c *Codec) read(r *reader, head, body []byte, k *leat.Kind, v any) (err error) {
	one := r.one
	if one == nil {
		if one, body, err = r.byIndex(head, body); err != nil {
			return fmt.Errorf("decode %s by %s: %w", k.Type, r.name, err)
		}
	}
	if err := one.Decode(body, v); err != nil {
		return fmt.Errorf("decode %s by %s: %w", k.Type, r.name, err)
	}
	return nil
}

// messageIndex is the place of the Protobuf message that the data names: behind the GUID where a
// header carries the frame, else before the data.
func messageIndex(head, body []byte) (index []int, rest []byte, err error) {
	if head == nil {
		return SplitIndex(body)
	}
	index, _, err = SplitIndex(head)
	return index, body, err
}

// byIndex finds the reader of the message that the data names.
func (r *reader) byIndex(head, body []byte) (Reader, []byte, error) {
	index, body, err := messageIndex(head, body)
	if err != nil {
		return nil, nil, err
	}
	var room [64]byte
	key := room[:0]
	for _, i := range index {
		key = binary.AppendUvarint(key, uint64(i))
	}
	if one, ok := r.indexed.Load(string(key)); ok {
		return one.(Reader), body, nil
	}
	one, err := r.format.Reader(r.of, r.own, r.writer, index)
	if err == nil {
		r.indexed.Store(string(key), one)
	}
	return one, body, err
}
