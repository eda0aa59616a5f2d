package gen_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// avroMaker makes up Avro schemas.
type avroMaker struct {
	*rand.Rand
	names []string // that can be referred to
	count int
}

func randomAvro(r *rand.Rand) string {
	m := &avroMaker{Rand: r}
	return m.record(3, "shop.thing.seen.v"+fmt.Sprint(1+r.IntN(2)))
}

func (m *avroMaker) pick(all ...string) string { return all[m.IntN(len(all))] }

func (m *avroMaker) name() string {
	m.count++
	name := fmt.Sprintf("%s%d", m.pick("Part", "sub_part", "x", "URLOf"), m.count)
	if m.IntN(4) == 0 {
		return "other.place." + name
	}
	return "shop.thing.seen." + name
}

func (m *avroMaker) record(depth int, full string) string {
	var fields []string
	for i := range 1 + m.IntN(6) {
		f := fmt.Sprintf(`"name":"%s%d"`, m.pick("a_field", "bField", "id", "event_type"), i)
		if i == 0 && m.IntN(8) == 0 {
			f = `"name":"event_type"`
		}
		typ, fallback := m.typ(depth, full)
		f += `,"type":` + typ
		if fallback != "" && (m.IntN(3) == 0 || fallback == "null" && m.IntN(20) > 0) {
			f += `,"default":` + fallback
		}
		if m.IntN(5) == 0 {
			f += `,"doc":` + m.pick(`"what it is"`, `"two\nlines, a `+"`"+` and a \"quote\""`, `""`)
		}
		if m.IntN(8) == 0 {
			f += fmt.Sprintf(`,"aliases":["old%d","older%d"]`, i, i)
		}
		if m.IntN(60) == 0 {
			f += `,"order":"descending"`
		}
		fields = append(fields, "{"+f+"}")
	}
	extra := ""
	if m.IntN(5) == 0 {
		extra = `,"doc":"a thing"`
	}
	if m.IntN(60) == 0 {
		extra += `,"aliases":["Old"]`
	}
	m.names = append(m.names, full)
	return fmt.Sprintf(`{"type":"record","name":%q%s,"fields":[%s]}`, full, extra, strings.Join(fields, ","))
}

var avroLeaves = [][2]string{
	{`"boolean"`, "true"},
	{`"int"`, "-7"},
	{`"long"`, "9007199254740993"},
	{`"float"`, "1.5"},
	{`"double"`, "2.5"},
	{`"string"`, `"EUR"`},
	{`"bytes"`, `"\u00ff\u0000a"`},
	{`{"type":"long","logicalType":"timestamp-micros"}`, "0"},
	{`{"type":"long","logicalType":"timestamp-millis"}`, "7"},
	{`{"type":"int","logicalType":"date"}`, "1"},
	{`{"type":"long","logicalType":"local-timestamp-micros"}`, "7"},
	{`{"type":"string","logicalType":"uuid"}`, ""},
	{`{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}`, `"\u00ff"`},
	{`{"type":"bytes","logicalType":"decimal","precision":6,"scale":0}`, `"\u0001\u0000"`},
}

// typ is a type, and a default of it, "" where there is none at hand.
func (m *avroMaker) typ(depth int, around string) (text, fallback string) {
	roll := m.IntN(100)
	if depth == 0 && roll >= 55 {
		roll %= 55
	}
	switch {
	case roll < 50:
		l := avroLeaves[m.IntN(len(avroLeaves))]
		return l[0], l[1]
	case roll < 54 && len(m.names) > 0:
		return `"` + m.pick(m.names...) + `"`, ""
	case roll < 55:
		odd := m.IntN(40)
		if odd == 0 {
			return `{"type":"int","logicalType":"time-millis"}`, "1"
		}
		return `"string"`, `"null"`
	case roll < 62:
		name := m.name()
		defer func() { m.names = append(m.names, name) }()
		word := ""
		if m.IntN(2) == 0 {
			word = `,"default":"B"`
		}
		return fmt.Sprintf(`{"type":"enum","name":%q,"symbols":["A","B","b_c"]%s}`, name, word), `"A"`
	case roll < 66:
		name := m.name()
		defer func() { m.names = append(m.names, name) }()
		return fmt.Sprintf(`{"type":"fixed","name":%q,"size":3}`, name), `"a\u00feb"`
	case roll < 73:
		t, _ := m.typ(depth-1, around)
		return `{"type":"array","items":` + t + `}`, "[]"
	case roll < 78:
		t, _ := m.typ(depth-1, around)
		return `{"type":"map","values":` + t + `}`, "{}"
	case roll < 86:
		return m.optional(depth, around)
	case roll < 93:
		return m.union(depth)
	}
	return m.record(depth-1, m.name()), ""
}

func (m *avroMaker) optional(depth int, around string) (text, fallback string) {
	known := len(m.names)
	t, f := m.typ(depth-1, around)
	for strings.HasPrefix(t, "[") {
		m.names = m.names[:known]
		t, f = m.typ(depth-1, around)
	}
	switch m.IntN(8) {
	case 0:
		return fmt.Sprintf(`["null",%q]`, around), "null"
	case 1:
		return "[" + t + `,"null"]`, f
	}
	return `["null",` + t + "]", "null"
}

func (m *avroMaker) union(depth int) (text, fallback string) {
	if m.IntN(2) == 0 {
		text = "[" + m.record(depth-1, m.name()) + "," + m.record(depth-1, m.name()) + "]"
	} else {
		text = `["long","int",{"type":"string","logicalType":"uuid"},"boolean",{"type":"bytes","logicalType":"decimal","precision":9,"scale":3},"double","float",` + m.record(0, m.name()) + "]"
		fallback = "4"
	}
	if m.IntN(2) == 0 {
		return `["null",` + text[1:], "null"
	}
	return text, fallback
}

// randomData makes up data of a schema. Maps have one entry at most: other writers have no order.
func randomData(r *rand.Rand, text string) []byte {
	var root any
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		panic(err)
	}
	w := &dataMaker{Rand: r, names: map[string]any{}}
	w.write(root, "", 6)
	return w.out
}

type dataMaker struct {
	*rand.Rand
	names map[string]any
	out   []byte
}

func (w *dataMaker) long(n int64)  { w.out = binary.AppendVarint(w.out, n) }
func (w *dataMaker) text(s string) { w.long(int64(len(s))); w.out = append(w.out, s...) }

func (w *dataMaker) write(t any, space string, depth int) {
	switch t := t.(type) {
	case string:
		if named, ok := w.names[t]; ok {
			w.write(named, space, depth)
		} else if named, ok := w.names[space+"."+t]; ok {
			w.write(named, space, depth)
		} else {
			w.word(t, nil, space, depth)
		}
	case []any:
		i := w.IntN(len(t))
		if depth <= 0 {
			for j, b := range t {
				if b == "null" {
					i = j
				}
			}
		}
		w.visitAll(t, space)
		w.long(int64(i))
		w.write(t[i], space, depth-1)
	case map[string]any:
		w.word(t["type"].(string), t, space, depth)
	}
}

// visitAll learns the names of branches that are not written.
func (w *dataMaker) visitAll(branches []any, space string) {
	had := w.out
	for _, b := range branches {
		w.out = nil
		if m, ok := b.(map[string]any); ok && w.names[fullName(m, space)] == nil {
			w.learn(m, space)
		}
	}
	w.out = had
}

// learn notes all names below a type.
func (w *dataMaker) learn(t any, space string) {
	switch t := t.(type) {
	case []any:
		for _, b := range t {
			w.learn(b, space)
		}
	case map[string]any:
		if t["name"] != nil && t["type"] != nil {
			full := fullName(t, space)
			w.names[full] = t
			space = full[:max(0, strings.LastIndexByte(full, '.'))]
		}
		w.learn(t["items"], space)
		w.learn(t["values"], space)
		if fields, ok := t["fields"].([]any); ok {
			for _, f := range fields {
				w.learn(f.(map[string]any)["type"], space)
			}
		}
	}
}

// fullName is the name of a definition: that of the place where it was met first.
func fullName(t map[string]any, space string) (full string) {
	if full, ok := t["full"].(string); ok {
		return full
	}
	defer func() { t["full"] = full }()
	name, _ := t["name"].(string)
	if ns, ok := t["namespace"].(string); ok {
		space = ns
	}
	if strings.Contains(name, ".") || space == "" {
		return name
	}
	return space + "." + name
}

func (w *dataMaker) word(word string, t map[string]any, space string, depth int) {
	logical, _ := t["logicalType"].(string)
	switch word {
	case "null":
	case "boolean":
		w.out = append(w.out, byte(w.IntN(2)))
	case "int", "long":
		n := w.Int64N(80_000_000) - 40_000_000
		if logical == "date" {
			n %= 40_000
		} else if logical == "time-millis" || logical == "time-micros" {
			n = max(n, -n)
		}
		w.long(n)
	case "float":
		w.out = binary.LittleEndian.AppendUint32(w.out, math.Float32bits(float32(w.IntN(1000))/8))
	case "double":
		w.out = binary.LittleEndian.AppendUint64(w.out, math.Float64bits(float64(w.IntN(1000))/8))
	case "bytes", "string":
		switch logical {
		case "decimal":
			w.text(string([]byte{byte(w.IntN(127) + 1), byte(w.IntN(256))}))
		case "uuid":
			w.text(fmt.Sprintf("%08x-0000-4000-8000-%012x", w.Uint32(), w.Uint32()))
		default:
			w.text([]string{"", "x", "longer text"}[w.IntN(3)])
		}
	case "fixed":
		w.names[fullName(t, space)] = t
		if logical == "decimal" {
			w.out = append(w.out, 0, 0, byte(w.IntN(256)), 7)
			return
		}
		w.out = append(w.out, "fixed bytes of some length"[:int(t["size"].(float64))]...)
	case "enum":
		w.names[fullName(t, space)] = t
		w.long(int64(w.IntN(len(t["symbols"].([]any)))))
	case "array":
		w.learn(t["items"], space)
		w.many(t["items"], space, depth, 2, false)
	case "map":
		w.learn(t["values"], space)
		w.many(t["values"], space, depth, 1, true)
	case "record", "error":
		full := fullName(t, space)
		w.names[full] = t
		space = full[:max(0, strings.LastIndexByte(full, '.'))]
		for _, f := range t["fields"].([]any) {
			w.write(f.(map[string]any)["type"], space, depth-1)
		}
	}
}

func (w *dataMaker) many(t any, space string, depth, most int, keys bool) {
	n := w.IntN(most + 1)
	if depth <= 0 {
		n = 0
	}
	if n > 0 {
		w.long(int64(n))
		for range n {
			if keys {
				w.text("key")
			}
			w.write(t, space, depth-1)
		}
	}
	w.long(0)
}
