package schema

import (
	stdjson "encoding/json"
	"fmt"
	"reflect"
	"sync"

	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/leatdev/leat"
)

// JSON is JSON as encoding/json writes and reads it.
var JSON leat.Codec = new(jsonCodec)

// jsonCodec keeps the plan of each type that it has met. There are as many as event types.
type jsonCodec struct {
	plans    sync.Map // reflect.Type -> *plan
	decoders sync.Map // reflect.Type of a pointer -> *decoder
}

// ContentType is application/json.
func (*jsonCodec) ContentType(*leat.Kind) string { return "application/json" }

// Append appends v as JSON.
func (c *jsonCodec) Append(dst []byte, k *leat.Kind, v any) ([]byte, error) {
	if v == nil {
		return append(dst, "null"...), nil
	}
	from := len(dst)
	out, err := c.planOf(reflect.TypeOf(v)).append(dst, v)
	if err == nil {
		return out, nil
	}
	// The plan only says that it can't: the standard library says why, or can after all.
	data, err := stdjson.Marshal(v)
	if err != nil {
		return dst[:from], fmt.Errorf("encode %s as JSON: %w", k.Type, err)
	}
	return append(dst[:from], data...), nil
}

// decoder is how one type is read.
type decoder struct {
	reading   *reading // nil: not the quick way
	unmarshal func(data []byte, v any) error
}

// Decode reads data into v, a pointer.
func (c *jsonCodec) Decode(data []byte, k *leat.Kind, v any) error {
	d := c.decoderOf(reflect.TypeOf(v))
	if d.reading != nil {
		// What v holds already would be merged with data.
		if to := reflect.ValueOf(v); !to.IsNil() && to.Elem().IsZero() && d.reading.into(data, to) {
			return nil
		}
	}
	if err := d.unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %s from JSON: %w", k.Type, err)
	}
	return nil
}

func (c *jsonCodec) planOf(t reflect.Type) *plan {
	if p, ok := c.plans.Load(t); ok {
		return p.(*plan)
	}
	p, _ := c.plans.LoadOrStore(t, newPlan(t))
	return p.(*plan)
}

func (c *jsonCodec) decoderOf(t reflect.Type) *decoder {
	if d, ok := c.decoders.Load(t); ok {
		return d.(*decoder)
	}
	d := &decoder{unmarshal: jsonv1.Unmarshal}
	switch {
	case t == nil || holds(t, map[reflect.Type]bool{}, func(t reflect.Type) bool { return t == numberType }):
		d.unmarshal = stdjson.Unmarshal // the other engine does not know json.Number
	case t.Kind() == reflect.Pointer:
		d.reading = newReading(t.Elem())
	}
	c.decoders.Store(t, d)
	return d
}

// holds walks a type with all that it is made of.
func holds(t reflect.Type, seen map[reflect.Type]bool, is func(reflect.Type) bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if is(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return holds(t.Elem(), seen, is)
	case reflect.Map:
		return holds(t.Key(), seen, is) || holds(t.Elem(), seen, is)
	case reflect.Struct:
		for i := range t.NumField() {
			if holds(t.Field(i).Type, seen, is) {
				return true
			}
		}
	}
	return false
}
