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
	decoders sync.Map // reflect.Type -> bool: by the standard library
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

// Decode reads data into v, a pointer.
func (c *jsonCodec) Decode(data []byte, k *leat.Kind, v any) error {
	unmarshal := jsonv1.Unmarshal
	if c.standardOnly(reflect.TypeOf(v)) {
		unmarshal = stdjson.Unmarshal
	}
	if err := unmarshal(data, v); err != nil {
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

// standardOnly says whether the type holds a json.Number, which the other engine does not know.
func (c *jsonCodec) standardOnly(t reflect.Type) bool {
	if t == nil {
		return true
	}
	if only, ok := c.decoders.Load(t); ok {
		return only.(bool)
	}
	only := holds(t, map[reflect.Type]bool{}, func(t reflect.Type) bool { return t == numberType })
	c.decoders.Store(t, only)
	return only
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
