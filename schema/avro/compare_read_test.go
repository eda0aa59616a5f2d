package avro_test

import (
	"fmt"
	"strings"
	"testing"

	twmb "github.com/twmb/avro"
)

// datum makes up a value of a type, false where that would have no end.
func (g *generator) datum(s *spec, types map[string]*spec, depth int) (any, bool) {
	if depth > 12 {
		return nil, false
	}
	switch s.kind {
	case "null":
		return nil, true
	case "boolean":
		return g.chance(50), true
	case "int":
		return int32(g.IntN(1000) - 500), true
	case "long":
		return int64(g.IntN(1000) - 500), true
	case "float":
		return float32(g.IntN(100)) / 4, true
	case "double":
		return float64(g.IntN(100)) / 4, true
	case "bytes":
		return []byte("bytes"), true
	case "string":
		return "text", true
	case "fixed":
		return []byte(strings.Repeat("x", s.size)), true
	case "enum":
		return g.pick(s.symbols...), true
	case "ref":
		return g.datum(types[s.name], types, depth+1)
	case "array":
		item, ok := g.datum(s.elem, types, depth+1)
		return []any{item}, ok
	case "map":
		item, ok := g.datum(s.elem, types, depth+1)
		return map[string]any{"k": item}, ok
	case "union":
		if len(s.branches) == 0 {
			return nil, false
		}
		i := g.IntN(len(s.branches))
		for depth > 6 && i > 0 && s.branches[i].kind != "null" {
			i--
		}
		return g.datum(s.branches[i], types, depth+1)
	}
	m := map[string]any{}
	for _, f := range s.fields {
		v, ok := g.datum(f.typ, types, depth+1)
		if !ok {
			return nil, false
		}
		m[f.name] = v
	}
	return m, true
}

// wider tells where twmb reads what Java's rules find fault with: a field that has no default and may
// be null is null to it. It is the only place that is known.
func wider(findings []string, failed error) bool {
	for _, f := range findings {
		if !strings.HasPrefix(f, "READER_FIELD_MISSING_DEFAULT_VALUE") {
			return false
		}
	}
	return failed == nil
}

// TestCompatibleMeansReadable reads random data through pairs of schemas with another implementation:
// what is compatible reads all of it, what is not comes with a datum that can't be read.
func TestCompatibleMeansReadable(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(2500) {
		g := newGenerator(seed)
		g.plain = true
		w := g.record(3, "")
		r := w.clone()
		for range 1 + g.IntN(2) {
			g.mutate(r)
		}
		if g.chance(50) {
			r, w = w, r
		}
		by, err := twmb.Parse(w.text())
		into, err2 := twmb.Parse(r.text())
		if err != nil || err2 != nil {
			seen["not read by twmb"]++
			continue
		}
		types := map[string]*spec{}
		w.walk(func(s *spec) {
			if s.kind != "ref" && s.name != "" {
				types[s.full()] = s
			}
		})
		findings := found(t, r.text(), w.text())
		failed, ok := readAll(g, w, types, by, into)
		switch {
		case !ok:
			seen["no data"]++
		case (len(findings) == 0) == (failed == nil):
			seen[fmt.Sprintf("compatible: %v", failed == nil)]++
		case wider(findings, failed):
			seen["an optional field without a default"]++
		default:
			t.Fatalf("seed %d:\nreader: %s\nwriter: %s\nfindings: %v\nreading: %v", seed, r.text(), w.text(), findings, failed)
		}
	}
	t.Log(seen)
	if seen["compatible: true"] < 500 || seen["compatible: false"] < 500 {
		t.Errorf("one-sided: %v", seen)
	}
}

// readAll writes data by one schema and reads it into the other, up to the first that can't be read.
func readAll(g *generator, w *spec, types map[string]*spec, by, into *twmb.Schema) (failed error, written bool) {
	through, err := twmb.Resolve(by, into)
	for range 4 {
		v, ok := g.datum(w, types, 0)
		if !ok {
			continue
		}
		data, encodeErr := by.Encode(v)
		if encodeErr != nil {
			continue
		}
		written = true
		if err != nil {
			return err, true
		}
		var out any
		if _, err := through.Decode(data, &out); err != nil {
			return err, true
		}
	}
	return nil, written
}
