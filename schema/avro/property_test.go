package avro_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	twmb "github.com/twmb/avro"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](),
	reflect.TypeFor[[]byte](), reflect.TypeFor[Code](), reflect.TypeFor[UUID](), reflect.TypeFor[Euro](), reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	reflect.TypeFor[netip.Addr](), reflect.TypeFor[Status](), reflect.TypeFor[Level](), reflect.TypeFor[Node](), reflect.TypeFor[[4]byte](), reflect.TypeFor[map[string]string](),
}

func randomType(r *rand.Rand, depth int) reflect.Type {
	if depth > 0 {
		switch r.IntN(7) {
		case 0:
			return randomStruct(r, depth-1)
		case 1:
			return reflect.SliceOf(randomType(r, depth-1))
		case 2:
			return reflect.MapOf(reflect.TypeFor[string](), randomType(r, depth-1))
		case 3:
			if t := randomType(r, depth-1); t.Kind() != reflect.Pointer {
				return reflect.PointerTo(t)
			}
		case 4:
			if t := randomType(r, depth-1); t != reflect.TypeFor[uint8]() {
				return reflect.ArrayOf(r.IntN(3), t)
			}
		}
	}
	return leaves[r.IntN(len(leaves))]
}

func randomStruct(r *rand.Rand, depth int) reflect.Type {
	var fields []reflect.StructField
	for i := range r.IntN(6) {
		tag := fmt.Sprintf(`json:"f%d%s"`, i, []string{"", ",omitempty", ",omitzero"}[r.IntN(3)])
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: randomType(r, depth), Tag: reflect.StructTag(tag)})
	}
	return reflect.StructOf(fields)
}

// fill makes a random value. Maps have one entry at most: other writers have no order of keys.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.UnixMicro(r.Int64N(4e15) - 2e15).UTC()
		return
	case *netip.Addr:
		*x = netip.AddrFrom4([4]byte{byte(r.Uint32()), 1, 2, 3})
		return
	case *Euro:
		x.Decimal = schema.NewDecimal(r.Int64N(2e12)-1e12, 2)
		return
	case *Status:
		*x = Status(x.Symbols()[r.IntN(3)])
		return
	case *Level:
		*x = Level(r.IntN(2))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(r.Uint64())
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{0, 1.5, -2.25, math.Copysign(0, -1), math.Inf(1), 1e30, r.Float64()}[r.IntN(7)])
	case reflect.String:
		v.SetString([]string{"", "x", "\u00e4\u4e16", "with \"quotes\"", "longer than it was before"}[r.IntN(5)])
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(r, v.Field(i), depth-1)
			}
		}
	case reflect.Pointer:
		if depth > 0 && r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth-1)
		}
	case reflect.Slice:
		if depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		if depth > 0 && r.IntN(2) == 0 {
			item := reflect.New(v.Type().Elem()).Elem()
			fill(r, item, depth-1)
			v.SetMapIndex(reflect.ValueOf("key"), item)
		}
	}
}

func derive(t testing.TB, typ reflect.Type) string {
	t.Helper()
	text, _, err := avro.Format.Derive(typ, "test.random.v1")
	if err != nil {
		t.Fatalf("%v: %v", typ, err)
	}
	return text
}

// Whatever struct the schema is derived from: it is one to this package and to another
// implementation, values come back as they were, the other implementation writes the same bytes of
// what it has read, and so does the way through JSON.
func TestRandomStructsComeBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		typ := randomStruct(r, 3)
		text := derive(t, typ)
		s := parse(t, text)
		other, err := twmb.Parse(text)
		if err != nil {
			t.Fatalf("seed %d: twmb: %v\n%s", seed, err, text)
		}
		zero := reflect.New(typ).Elem().Interface()
		w, rd := writer(t, zero, text), reader(t, zero, text, text)
		for range 5 {
			v := reflect.New(typ)
			fill(r, v.Elem(), 4)
			data := encode(t, w, v.Interface())
			back := reflect.New(typ)
			if err := rd.Decode(data, back.Interface()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if diff := cmp.Diff(v.Interface(), back.Interface(), alike); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
			var any any
			if rest, err := other.Decode(data, &any); err != nil || len(rest) > 0 {
				t.Fatalf("seed %d: twmb: %v, %d bytes left\n%s", seed, err, len(rest), text)
			}
			if again, err := other.Encode(any); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("seed %d: twmb writes % x %v, not % x\n%s", seed, again, err, data, text)
			}
			doc, err := avro.Format.ToJSON(s, nil, data)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := avro.Format.FromJSON(s, nil, doc); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("seed %d: JSON %s comes back as % x %v, not % x\n%s", seed, doc, again, err, data, text)
			}
		}
	}
}

// evolve is the next version of a struct: fields dropped, added, wider, in another order.
func evolve(r *rand.Rand, t reflect.Type) reflect.Type {
	wider := map[reflect.Type][]reflect.Type{
		reflect.TypeFor[int32]():   {reflect.TypeFor[int64](), reflect.TypeFor[float32](), reflect.TypeFor[float64]()},
		reflect.TypeFor[int64]():   {reflect.TypeFor[float64]()},
		reflect.TypeFor[float32](): {reflect.TypeFor[float64]()},
		reflect.TypeFor[string]():  {reflect.TypeFor[[]byte]()},
		reflect.TypeFor[[]byte]():  {reflect.TypeFor[string]()},
	}
	var fields []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		if to := wider[f.Type]; to != nil && r.IntN(2) == 0 {
			f.Type = to[r.IntN(len(to))]
		}
		if f.Type.Kind() == reflect.Struct && f.Type.Name() == "" {
			f.Type = evolve(r, f.Type)
		}
		if k := f.Type.Kind(); k != reflect.Pointer && k != reflect.Map && r.IntN(4) == 0 {
			f.Type = reflect.PointerTo(f.Type) // now optional
		}
		if r.IntN(4) > 0 {
			fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag})
		}
	}
	for i, add := range []reflect.StructField{
		{Type: reflect.TypeFor[*string](), Tag: `json:"n0"`},
		{Type: reflect.TypeFor[string](), Tag: `json:"n1" default:"new"`},
		{Type: reflect.TypeFor[Euro](), Tag: `json:"n2" default:"12.50"`},
		{Type: reflect.TypeFor[[]int64](), Tag: `json:"n3" default:"[1,2]"`},
		{Type: reflect.TypeFor[time.Time](), Tag: `json:"n4" default:"2026-01-02T03:04:05Z"`},
		{Type: reflect.TypeFor[Status](), Tag: `json:"n5" default:"SENT"`},
	} {
		if add.Name = fmt.Sprintf("N%d", i); r.IntN(3) == 0 {
			fields = append(fields, add)
		}
	}
	r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return reflect.StructOf(fields)
}

// What a later version makes of an earlier one's data is what another implementation makes of it.
func TestResolutionAgreesWithAnotherImplementation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		old := randomStruct(r, 2)
		next := evolve(r, old)
		was, is := derive(t, old), derive(t, next)
		written, _ := twmb.Parse(was)
		read, err := twmb.Parse(is)
		if err != nil {
			t.Fatalf("seed %d: twmb: %v\n%s", seed, err, is)
		}
		other, err := twmb.Resolve(written, read)
		if err != nil {
			t.Fatalf("seed %d: twmb: %v\n%s\n%s", seed, err, was, is)
		}
		if diff := avro.Format.Compare(parse(t, is), parse(t, was), schema.Strict); len(diff) > 0 {
			t.Fatalf("seed %d: not compatible: %v\n%s\n%s", seed, diff, was, is)
		}
		w, w2 := writer(t, reflect.New(old).Elem().Interface(), was), writer(t, reflect.New(next).Elem().Interface(), is)
		rd := reader(t, reflect.New(next).Elem().Interface(), is, was)
		for range 5 {
			v, got := reflect.New(old), reflect.New(next)
			fill(r, v.Elem(), 4)
			data := encode(t, w, v.Interface())
			if err := rd.Decode(data, got.Interface()); err != nil {
				t.Fatalf("seed %d: %v\n%s\n%s", seed, err, was, is)
			}
			var any any
			if _, err := other.Decode(data, &any); err != nil {
				t.Fatalf("seed %d: twmb: %v", seed, err)
			}
			want, err := read.Encode(any)
			if err != nil {
				t.Fatalf("seed %d: twmb: %v", seed, err)
			}
			if have := encode(t, w2, got.Interface()); !bytes.Equal(have, want) {
				t.Fatalf("seed %d: % x, twmb % x\n%s\n%s\n%+v\n%+v", seed, have, want, was, is, v.Elem().Interface(), got.Elem().Interface())
			}
		}
	}
}
