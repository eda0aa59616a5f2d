package protobuf

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatdev/leat/schema"
)

// shape is a random message M: fields by number, each with a type, a label and perhaps a oneof.
type shape struct{ fields map[int]shapeField }

type shapeField struct{ typ, label, oneof string }

var shapeTypes = []string{
	"int32", "int64", "uint32", "uint64", "bool", "E", "sint32", "sint64", "string", "bytes", "fixed32", "sfixed32",
	"fixed64", "sfixed64", "float", "double", "N", "O", "map<string, int32>", "map<int64, N>",
}

func randomField(r *rand.Rand) shapeField {
	f := shapeField{typ: shapeTypes[r.IntN(len(shapeTypes))]}
	if strings.HasPrefix(f.typ, "map") {
		return f
	}
	switch r.IntN(5) {
	case 0:
		f.label = "optional"
	case 1:
		f.label = "repeated"
	case 2:
		f.oneof = []string{"x", "y"}[r.IntN(2)]
	}
	return f
}

func (s shape) text() string {
	var b strings.Builder
	b.WriteString("syntax = \"proto3\";\nmessage M {\n")
	oneofs := map[string]string{}
	for n := 1; n <= 6; n++ {
		f, is := s.fields[n]
		line := fmt.Sprintf("%s %s f%d = %d;\n", f.label, f.typ, n, n)
		switch {
		case !is:
		case f.oneof != "":
			oneofs[f.oneof] += line
		default:
			b.WriteString(line)
		}
	}
	for _, name := range []string{"x", "y"} {
		if oneofs[name] != "" {
			b.WriteString("oneof " + name + " {\n" + oneofs[name] + "}\n")
		}
	}
	b.WriteString("}\nmessage N { int32 a = 1; M m = 2; }\nmessage O { string a = 1; }\nenum E { Z = 0; Y = 1; }\n")
	return b.String()
}

func (s shape) mutated(r *rand.Rand) shape {
	c := shape{map[int]shapeField{}}
	for n, f := range s.fields {
		c.fields[n] = f
	}
	for range 1 + r.IntN(3) {
		n := 1 + r.IntN(6)
		f, is := c.fields[n]
		switch k := r.IntN(4); {
		case !is || k == 0:
			c.fields[n] = randomField(r)
		case k == 1:
			delete(c.fields, n)
		case k == 2:
			f.typ = shapeTypes[r.IntN(len(shapeTypes))]
			if strings.HasPrefix(f.typ, "map") {
				f = shapeField{typ: f.typ}
			}
			c.fields[n] = f
		default:
			f.label, f.oneof = "", []string{"", "x", "y"}[r.IntN(3)]
			if !strings.HasPrefix(f.typ, "map") {
				c.fields[n] = f
			}
		}
	}
	return c
}

// fill sets every field, of a oneof one, with values that every type of a group can hold: what is cut
// off by a narrower type is a matter of Lint.
func fill(m protoreflect.Message, r *rand.Rand, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if o := fd.ContainingOneof(); o != nil && m.WhichOneof(o) != nil {
			continue
		}
		switch {
		case fd.Message() != nil && !fd.IsMap() && depth > 2:
		case fd.IsMap():
			v := m.NewField(fd)
			value := v.Map().NewValue()
			if fd.MapValue().Message() == nil {
				value = scalar(fd.MapValue(), r)
			} else if depth < 2 {
				fill(value.Message(), r, depth+1)
			}
			v.Map().Set(scalar(fd.MapKey(), r).MapKey(), value)
			m.Set(fd, v)
		case fd.IsList():
			v := m.NewField(fd)
			e := v.List().NewElement()
			if fd.Message() == nil {
				e = scalar(fd, r)
			} else {
				fill(e.Message(), r, depth+1)
			}
			v.List().Append(e)
			m.Set(fd, v)
		case fd.Message() != nil:
			v := m.NewField(fd)
			fill(v.Message(), r, depth+1)
			m.Set(fd, v)
		default:
			m.Set(fd, scalar(fd, r))
		}
	}
}

func scalar(fd protoreflect.FieldDescriptor, r *rand.Rand) protoreflect.Value {
	n := r.IntN(2)
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprint("s", n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(fmt.Append(nil, "s", n))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(n))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	}
	return protoreflect.ValueOfInt64(int64(n))
}

// plainly is a value without its type: 1 for 1, true and the enum's second value.
func plainly(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case fd.IsMap():
		s := ""
		v.Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
			s += plainly(fd.MapKey(), k.Value()) + ":" + plainlyOne(fd.MapValue(), e)
			return true
		})
		return s
	case fd.IsList(): // one element: as a reader of one value sees it
		if v.List().Len() == 0 {
			return ""
		}
		return plainlyOne(fd, v.List().Get(v.List().Len()-1))
	}
	return plainlyOne(fd, v)
}

func plainlyOne(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return map[bool]string{false: "0", true: "1"}[v.Bool()]
	case protoreflect.EnumKind:
		return fmt.Sprint(v.Enum())
	case protoreflect.BytesKind:
		return string(v.Bytes())
	case protoreflect.MessageKind:
		s := "{"
		for i := range v.Message().Descriptor().Fields().Len() {
			f := v.Message().Descriptor().Fields().Get(i)
			if f.Message() == nil && v.Message().Has(f) {
				s += fmt.Sprint(f.Number(), "=", plainly(f, v.Message().Get(f)), " ")
			}
		}
		return s + "}"
	}
	return v.String()
}

// What Compare calls compatible is read as it was written: for random pairs of schemas and a message
// of the old one, each field that both have holds the same value. Where Confluent's rules let more
// pass, and so these, TestWhatConfluentsRulesLetPass has it.
func TestCompatibleMeansReadAsWritten(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	pairs, compatible, fields := 3000, 0, 0
	if testing.Short() {
		pairs = 500
	}
	for range pairs {
		old := shape{map[int]shapeField{}}
		for n := 1; n <= 5; n++ {
			old.fields[n] = randomField(r)
		}
		next := old.mutated(r)
		writer, reader := mustParse(t, old.text()), mustParse(t, next.text())
		if len(Format.Compare(reader, writer, schema.Strict)) > 0 {
			continue
		}
		compatible++
		w, rd := newM(t, writer), newM(t, reader)
		fill(w, r, 0)
		data, err := proto.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(data, rd); err != nil {
			t.Fatalf("seed %d: %v\nold %s\nnew %s", seed, err, old.text(), next.text())
		}
		for n, f := range old.fields {
			g, is := next.fields[n]
			wf, rf := w.Descriptor().Fields().ByNumber(protoreflect.FieldNumber(n)), rd.Descriptor().Fields().ByNumber(protoreflect.FieldNumber(n))
			numbers := rf != nil && rf.Message() == nil && scalarGroup(rf.Kind()) != "string or bytes"
			if !is || numbers && f.label == "repeated" && g.label != "repeated" || !w.Has(wf) {
				continue // gone, or let pass: packed numbers for one number
			}
			fields++
			if got, want := plainly(rf, rd.Get(rf)), plainly(wf, w.Get(wf)); got != want {
				t.Errorf("seed %d: field %d read as %q, written as %q\nold %s\nnew %s", seed, n, got, want, old.text(), next.text())
			}
		}
	}
	t.Logf("seed %d: %d of %d pairs are compatible, %d fields read", seed, compatible, pairs, fields)
	if compatible < pairs/10 || fields < compatible {
		t.Error("too few pairs to mean anything")
	}
}

func newM(t *testing.T, s schema.Schema) *dynamicpb.Message {
	t.Helper()
	d, err := s.(*parsed).byName("M")
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewMessage(d)
}

// The list of what Confluent's rules let pass although a reader gets another value than was written.
// Lint names every one of them.
func TestWhatConfluentsRulesLetPass(t *testing.T) {
	t.Parallel()
	head := `syntax = "proto3"; message M { `
	for name, c := range map[string]struct{ old, next, doc, got, lint string }{
		"renumbered":         {"int32 a = 1; }", "int32 a = 2; }", `{"a":7}`, `{}`, "FIELD_RENUMBERED"},
		"names swapped":      {"int32 a = 1; int32 b = 2; }", "int32 b = 1; int32 a = 2; }", `{"a":7}`, `{"b":7}`, "FIELD_RENUMBERED"},
		"renamed":            {"int32 euro = 1; }", "int32 cents = 1; }", `{"euro":7}`, `{"cents":7}`, "FIELD_RENAMED"},
		"narrowed":           {"int64 a = 1; }", "int32 a = 1; }", `{"a":"4294967297"}`, `{"a":1}`, "FIELD_TYPE_CHANGED"},
		"sign":               {"int64 a = 1; }", "uint64 a = 1; }", `{"a":"-1"}`, `{"a":"18446744073709551615"}`, "FIELD_TYPE_CHANGED"},
		"number to bool":     {"int32 a = 1; }", "bool a = 1; }", `{"a":7}`, `{"a":true}`, "FIELD_TYPE_CHANGED"},
		"packed list to one": {"repeated int32 a = 1; }", "int32 a = 1; }", `{"a":[7]}`, `{}`, "FIELD_LABEL_CHANGED"},
		"texts to one":       {"repeated string a = 1; }", "optional string a = 1; }", `{"a":["x","y"]}`, `{"a":"y"}`, "FIELD_LABEL_CHANGED"},
		"reserved, used":     {"reserved 1; int32 b = 2; }", "int32 a = 1; int32 b = 2; }", `{"b":7}`, `{"b":7}`, "RESERVED_REUSED"},
		"reserved name used": {"reserved \"a\"; int32 b = 2; }", "int32 a = 1; int32 b = 2; }", `{"b":7}`, `{"b":7}`, "RESERVED_REUSED"},
		"not reserved":       {"reserved 4 to max; int32 b = 2; }", "reserved 4 to 9, 11 to max; int32 c = 10; int32 b = 2; }", `{"b":7}`, `{"b":7}`, "RESERVED_REUSED"},
		"reservation gone":   {"reserved 4 to 9; int32 b = 2; }", "reserved 4 to 6, 8; int32 b = 2; }", `{"b":7}`, `{"b":7}`, "RESERVATION_DROPPED"},
		"removed":            {"int32 a = 1; }", "}", `{"a":7}`, `{}`, "FIELD_REMOVED_NOT_RESERVED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, next := mustParse(t, head+c.old), mustParse(t, head+c.next)
			if found := Format.Compare(next, old, schema.Strict); len(found) > 0 {
				t.Fatalf("no longer let pass: %v", found)
			}
			data, err := Format.FromJSON(old, nil, []byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Format.ToJSON(next, nil, data); err != nil || string(got) != c.got {
				t.Errorf("%s is read as %s, %v; want %s", c.doc, got, err, c.got)
			}
			if found := Lint(old, old); len(found) > 0 {
				t.Errorf("of no change: %v", found)
			}
			if got := strings.Join(kinds(Lint(old, next)), " "); !strings.HasPrefix(got, c.lint+" ") {
				t.Errorf("lint says %q, not %s", got, c.lint)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	for _, v := range verdicts(f)[:20] {
		f.Add(v.Old, v.New)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := Format.Parse(a, nil)
		if err != nil {
			return
		}
		y, err := Format.Parse(b, nil)
		if err != nil {
			return
		}
		Format.Compare(x, y, schema.Strict)
		Lint(x, y)
		Format.Compare(y, x, schema.Strict)
		Lint(y, x)
		if found := Format.Compare(x, x, schema.Strict); len(found) > 0 {
			t.Errorf("not compatible with itself: %v", found)
		}
	})
}
