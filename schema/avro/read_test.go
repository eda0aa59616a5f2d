package avro_test

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

func record(fields string) string {
	return `{"type":"record","name":"r","fields":[` + fields + `]}`
}

// resolve writes v by its own schema and reads it as a T by another.
func resolve[T any](t *testing.T, v any, read, written string) (got T, err error) {
	t.Helper()
	data := encode(t, writer(t, v, written), v)
	r, err := avro.Format.Reader(reflect.TypeFor[T](), parse(t, read), parse(t, written), nil)
	if err != nil {
		return got, err
	}
	return got, r.Decode(data, &got)
}

// A reader's schema is another version than the writer's: what the two make of it.
func TestReaderAndWriterDiffer(t *testing.T) {
	t.Parallel()
	type number[T any] struct {
		N T `json:"n"`
	}
	wrote := func(typ string) string { return record(`{"name":"n","type":` + typ + `}`) }
	same := func(name string, got, want any, err error) {
		t.Helper()
		if err != nil || !cmp.Equal(got, want, alike) {
			t.Errorf("%s: %+v %v, want %+v", name, got, err, want)
		}
	}
	a, err := resolve[number[float64]](t, number[int64]{7}, wrote(`"double"`), wrote(`"long"`))
	same("long to double", a, number[float64]{7}, err)
	b, err := resolve[number[[]byte]](t, number[string]{"x"}, wrote(`"bytes"`), wrote(`"string"`))
	same("string to bytes", b, number[[]byte]{[]byte("x")}, err)
	c, err := resolve[number[*int64]](t, number[int32]{-4}, wrote(`["null","long"]`), wrote(`"int"`))
	same("int to an optional long", c, number[*int64]{ptr(int64(-4))}, err)
	d, err := resolve[number[int64]](t, number[*int64]{ptr(int64(5))}, wrote(`"long"`), wrote(`["null","long"]`))
	same("an optional long that is there", d, number[int64]{5}, err)
	if _, err := resolve[number[int64]](t, number[*int64]{}, wrote(`"long"`), wrote(`["null","long"]`)); err == nil || !strings.Contains(err.Error(), "n: ") {
		t.Errorf("null as a long: %v", err)
	}
	e, err := resolve[struct {
		M int `json:"m"`
	}](t, number[int64]{6}, record(`{"name":"m","type":"long","aliases":["n"]}`), wrote(`"long"`))
	same("alias", e.M, 6, err)
	f, err := resolve[number[Status]](t, number[string]{"GONE"}, wrote(`{"type":"enum","name":"s","symbols":["NEW","PAID"],"default":"NEW"}`), wrote(`{"type":"enum","name":"s","symbols":["GONE","NEW"]}`))
	same("symbol without a name here", f, number[Status]{"NEW"}, err)
	if _, err := resolve[number[string]](t, number[string]{"GONE"}, wrote(`{"type":"enum","name":"s","symbols":["NEW"]}`), wrote(`{"type":"enum","name":"s","symbols":["GONE"]}`)); err == nil || !strings.Contains(err.Error(), `n: the symbol "GONE" is not known here (NEW)`) {
		t.Error(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	g, err := resolve[number[time.Time]](t, number[time.Time]{at}, wrote(`{"type":"long","logicalType":"timestamp-micros"}`), wrote(`{"type":"long","logicalType":"timestamp-millis"}`))
	same("millis as micros", g, number[time.Time]{at}, err)
	cents := func(scale string) string {
		return wrote(`{"type":"bytes","logicalType":"decimal","precision":10,"scale":` + scale + `}`)
	}
	h, err := resolve[number[schema.Decimal]](t, number[schema.Decimal]{schema.NewDecimal(150, 2)}, cents("4"), cents("2"))
	same("decimal of another scale", h.N.String(), "1.5000", err)
	h, err = resolve[number[schema.Decimal]](t, number[schema.Decimal]{schema.NewDecimal(155, 2)}, cents("1"), cents("2"))
	same("decimal of too small a scale keeps its digits", h.N.String(), "1.55", err)
	if _, err := resolve[struct {
		N int64 `json:"n"`
		M int64 `json:"m"`
	}](t, number[int64]{1}, record(`{"name":"n","type":"long"},{"name":"m","type":"long"}`), wrote(`"long"`)); err == nil || !strings.Contains(err.Error(), ".m: the writer's schema has no such field, and the reader's gives it no default") {
		t.Error(err)
	}
	if _, err := resolve[number[int32]](t, number[int64]{1 << 40}, wrote(`"long"`), wrote(`"long"`)); err == nil || !strings.Contains(err.Error(), "n: 1099511627776 does not fit into int32") {
		t.Error(err)
	}
}

// Fields that nobody wants are passed over, whatever they are.
func TestUnwantedFieldsAreSkipped(t *testing.T) {
	t.Parallel()
	text := derivedEvent(t)
	data := encode(t, writer(t, Event{}, text), fullEvent())
	type last struct {
		Retry *int64 `json:"retry"`
	}
	var got last
	if err := reader(t, got, record(`{"name":"retry","type":["null","long"]}`), text).Decode(data, &got); err != nil || *got.Retry != -1 {
		t.Error(got, err)
	}
	// By the reader's schema the fields are known, and the struct still does not have them.
	if err := reader(t, got, text, text).Decode(data, &got); err != nil || *got.Retry != -1 {
		t.Error(got, err)
	}
}

func lies() map[string][]byte {
	huge := binary.AppendVarint(nil, math.MaxInt64/2)
	return map[string][]byte{
		"string": huge, "negative": binary.AppendVarint(nil, -5), "many": append(binary.AppendVarint(nil, 1<<40), 0),
		"block": append(binary.AppendVarint(binary.AppendVarint(nil, -1<<40), 1<<40), 0), "min": binary.AppendVarint(nil, math.MinInt64),
		"varint": {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, "short": {2}, "empty": {},
		"millions": append(binary.AppendVarint(nil, 1<<22), 0),
	}
}

// A length that lies costs no memory and ends in an error. Not parallel: memory is counted for the whole
// process.
func TestLyingLengthsAreRefused(t *testing.T) {
	type empty struct{}
	type r[T any] struct {
		N T `json:"n"`
	}
	for _, c := range []struct {
		v    any
		text string
	}{
		{r[string]{}, `"string"`},
		{r[[]byte]{}, `"bytes"`},
		{r[[]int64]{}, `{"type":"array","items":"long"}`},
		{r[map[string]string]{}, `{"type":"map","values":"string"}`},
		{r[map[string]int]{}, `{"type":"map","values":"long"}`},
		{r[[]empty]{}, `{"type":"array","items":{"type":"record","name":"e","fields":[]}}`},
		{r[[]string]{}, `{"type":"array","items":"string"}`},
		{struct{}{}, `{"type":"array","items":{"type":"record","name":"e","fields":[]}}`},
		{struct{}{}, `{"type":"map","values":"bytes"}`},
		{r[[2]int64]{}, `{"type":"array","items":"long"}`},
	} {
		text := record(`{"name":"n","type":` + c.text + `}`)
		rd := reader(t, c.v, text, text)
		for name, data := range lies() {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := rd.Decode(data, reflect.New(reflect.TypeOf(c.v)).Interface())
			_, jsonErr := avro.Format.ToJSON(parse(t, text), nil, data)
			runtime.ReadMemStats(&after)
			if err == nil || jsonErr == nil {
				t.Errorf("%s in %s was read: %v %v", name, c.text, err, jsonErr)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
				t.Errorf("%s in %s took %d bytes", name, c.text, grown)
			}
		}
	}
}

// Data that nests for ever is refused before it fills the stack.
func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	text := record(`{"name":"next","type":["null","r"],"default":null}`)
	type r struct {
		Next *r `json:"next"`
	}
	data := []byte(strings.Repeat("\x02", 1_000_000) + "\x00")
	err := reader(t, r{}, text, text).Decode(data, new(r))
	if err == nil || !strings.Contains(err.Error(), "nest more than 10000 deep") {
		t.Error(err)
	}
	if err := reader(t, struct{}{}, text, text).Decode(data, new(struct{})); err == nil {
		t.Error("skipped")
	}
	if _, err := avro.Format.ToJSON(parse(t, text), nil, data); err == nil {
		t.Error("rendered")
	}
}

func TestDecodeSaysWhere(t *testing.T) {
	t.Parallel()
	text := derivedEvent(t)
	r := reader(t, Event{}, text, text)
	data := encode(t, writer(t, Event{}, text), fullEvent())
	err := r.Decode(data[:60], new(Event))
	where, ok := errors.AsType[*avro.ValueError](err)
	if !ok || !strings.HasPrefix(where.Path, ".lines[1].") {
		t.Errorf("%v", err)
	}
	if err := r.Decode(append(data, 0), new(Event)); err == nil || !strings.Contains(err.Error(), "1 bytes are left over") {
		t.Error(err)
	}
	for _, into := range []any{nil, Event{}, (*Event)(nil), new(Line)} {
		if err := r.Decode(data, into); err == nil {
			t.Errorf("decoded into %T", into)
		}
	}
	var p *Event
	if err := r.Decode(data, &p); err != nil || p.Status != "PAID" {
		t.Error(p, err)
	}
}

// Whatever the bytes are: an error or a value that is written and read again as it is.
func FuzzDecode(f *testing.F) {
	text := derivedEvent(f)
	w, r := writer(f, Event{}, text), reader(f, Event{}, text, text)
	skips := reader(f, struct{}{}, text, text)
	s := parse(f, text)
	f.Add(encode(f, w, fullEvent()))
	f.Add(encode(f, w, Event{Status: "NEW", Payment: &Transfer{"x"}}))
	for _, data := range lies() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, back Event
		err := r.Decode(data, &e)
		skipErr := skips.Decode(data, new(struct{}))
		doc, jsonErr := avro.Format.ToJSON(s, nil, data)
		if err != nil {
			return
		}
		if skipErr != nil || jsonErr != nil {
			t.Fatalf("read, but not skipped (%v) or rendered (%v)", skipErr, jsonErr)
		}
		again, err := w.Append(nil, &e)
		if err != nil {
			return // a decimal of too many digits, a zone in an address
		}
		if err := r.Decode(again, &back); err != nil {
			t.Fatal(err)
		}
		twice, err := w.Append(nil, &back)
		if err != nil || string(twice) != string(again) {
			t.Fatalf("% x %v\n% x", again, err, twice)
		}
		_, _ = avro.Format.FromJSON(s, nil, doc)
	})
}
