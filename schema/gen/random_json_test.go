package gen_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// shape is a JSON Schema with a way to make documents of it.
type shape struct {
	schema any
	value  func(depth int) any
}

type obj = map[string]any

type jsonMaker struct {
	*rand.Rand
	definitions obj
	count       int
}

// randomJSON makes up a JSON Schema and documents that are valid by it.
func randomJSON(r *rand.Rand) (text string, docs [][]byte) {
	m := &jsonMaker{Rand: r, definitions: obj{}}
	root := m.object(3, "")
	s := root.schema.(obj)
	s["title"] = "shop.thing.seen.v1"
	s["definitions"] = m.definitions
	b, _ := json.Marshal(s)
	for range 4 {
		doc, _ := json.Marshal(root.value(5))
		docs = append(docs, doc)
	}
	return string(b), docs
}

func (m *jsonMaker) typ(depth int) shape {
	roll := m.IntN(12)
	if depth <= 0 {
		roll = m.IntN(6)
	}
	switch roll {
	case 0:
		return shape{obj{"type": "boolean"}, func(int) any { return m.IntN(2) == 0 }}
	case 1:
		return shape{obj{"type": "integer", "maximum": 100}, func(int) any { return m.IntN(200) - 100 }}
	case 2:
		return shape{obj{"type": "number", "description": "how much"}, func(int) any { return float64(m.IntN(100)) / 8 }}
	case 3:
		return shape{obj{"enum": []any{"a-b", "c", "a_b"}}, func(int) any { return []any{"a-b", "c", "a_b"}[m.IntN(3)] }}
	case 4:
		return shape{obj{"type": "string", "format": "date-time"}, func(int) any { return "2026-01-02T03:04:05.006Z" }}
	case 5:
		return shape{obj{"type": "string", "minLength": 1}, func(int) any { return fmt.Sprint("text", m.IntN(9)) }}
	case 6:
		each := m.typ(depth - 1)
		return shape{obj{"type": "array", "items": each.schema}, func(depth int) any {
			list := []any{}
			for range m.IntN(3) * min(1, max(0, depth)) {
				list = append(list, each.value(depth-1))
			}
			return list
		}}
	case 7:
		each := m.typ(depth - 1)
		return shape{obj{"type": "object", "additionalProperties": each.schema}, func(depth int) any {
			if depth > 0 && m.IntN(2) == 0 {
				return obj{"key": each.value(depth - 1)}
			}
			return obj{}
		}}
	case 8:
		some := m.typ(depth - 1)
		return shape{obj{"anyOf": []any{obj{"type": "null"}, some.schema}}, func(depth int) any {
			if depth > 0 && m.IntN(2) == 0 {
				return some.value(depth - 1)
			}
			return nil
		}}
	case 9:
		return m.union(depth)
	}
	o := m.object(depth-1, "")
	if m.IntN(2) == 0 {
		return o
	}
	return m.defined(o)
}

// defined puts a schema below the definitions.
func (m *jsonMaker) defined(s shape) shape {
	m.count++
	name := fmt.Sprintf("some_part%d", m.count)
	m.definitions[name] = s.schema
	return shape{obj{"$ref": "#/definitions/" + name}, s.value}
}

func (m *jsonMaker) union(depth int) shape {
	one, two := m.defined(m.object(depth-1, "one")), m.defined(m.object(depth-1, "two"))
	branches := []any{one.schema, two.schema, obj{"type": "string"}, obj{"type": "integer"}, obj{"type": "array", "items": obj{"type": "boolean"}}}
	return shape{obj{"oneOf": branches}, func(depth int) any {
		switch m.IntN(5) {
		case 0:
			return one.value(depth - 1)
		case 1:
			return two.value(depth - 1)
		case 2:
			return "text"
		case 3:
			return -12
		}
		return []any{true, false}
	}}
}

// object has properties, and a kind that tells it from others where one is given.
func (m *jsonMaker) object(depth int, kind string) shape {
	properties, required := obj{}, []string{}
	values := map[string]func(int) any{}
	if kind != "" {
		properties["kind"], required = obj{"const": kind}, append(required, "kind")
		values["kind"] = func(int) any { return kind }
	}
	must := map[string]bool{"kind": true}
	for i := range 1 + m.IntN(5) {
		name := []string{"a_b", "aB", "id", "x-y", "event_type"}[i]
		t := m.typ(depth - 1)
		properties[name], values[name] = t.schema, t.value
		if m.IntN(2) == 0 {
			required, must[name] = append(required, name), true
		}
	}
	s := obj{"type": "object", "properties": properties, "required": required}
	if m.IntN(2) == 0 {
		s["additionalProperties"] = false
	}
	return shape{s, func(depth int) any {
		v := obj{}
		for name, make := range values {
			optional := depth > 0 && m.IntN(2) == 0
			if !must[name] && !optional {
				continue
			}
			// A nullable property that may be absent is null or absent to Go: one of the two comes back.
			if some := make(depth - 1); some != nil || must[name] {
				v[name] = some
			}
		}
		return v
	}}
}
