package avro_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema/avro"
)

func TestJSONIsPlain(t *testing.T) {
	t.Parallel()
	text := derivedEvent(t)
	s := parse(t, text)
	data := encode(t, writer(t, Event{}, text), fullEvent())
	doc, err := avro.Format.ToJSON(s, nil, data)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, doc, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "event.json", b.String()+"\n")
	back, err := avro.Format.FromJSON(s, nil, b.Bytes())
	// The one byte that is no UTF-8 has become three.
	if want := bytes.Replace(data, []byte("\x06\u00e4\xff"), []byte("\x0a\u00e4\ufffd"), 1); err != nil || !bytes.Equal(back, want) {
		t.Errorf("%v\n% x\n% x", err, back, want)
	}
}

// What people type and paste is read: defaults left out, branches named or not.
func TestJSONOfPeople(t *testing.T) {
	t.Parallel()
	fields := `{"name":"n","type":["null","string"],"default":null},{"name":"u","type":["string",{"type":"enum","name":"e","symbols":["A"]},"long","double"],"default":"x"},` +
		`{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":6,"scale":2},"default":"\u0001"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"default":0},` +
		`{"name":"f","type":["double","string"],"default":0},{"name":"day","type":{"type":"int","logicalType":"date"},"default":0},{"name":"b","type":"bytes","default":"\u00ff"}`
	s := parse(t, record(fields))
	zero := `{"n":null,"u":{"string":"x"},"d":"0.01","at":"1970-01-01T00:00:00Z","f":0,"day":"1970-01-01","b":"/w=="}`
	with := func(old, new string) string { return strings.Replace(zero, old, new, 1) }
	for in, want := range map[string]string{
		`{}`:                                 zero,
		`{"n":"x"}`:                          with(`"n":null`, `"n":"x"`),
		`{"n":{"string":"x"}}`:               with(`"n":null`, `"n":"x"`),
		`{"u":7}`:                            with(`{"string":"x"}`, `{"long":7}`),
		`{"u":{"e":"A"}}`:                    with(`{"string":"x"}`, `{"e":"A"}`),
		`{"u":{"double":7}}`:                 with(`{"string":"x"}`, `{"double":7}`),
		`{"d":12.5}`:                         with(`"0.01"`, `"12.50"`),
		`{"d":"-3"}`:                         with(`"0.01"`, `"-3.00"`),
		`{"at":1500}`:                        with(`"1970-01-01T00:00:00Z"`, `"1970-01-01T00:00:01.5Z"`),
		`{"at":"1970-01-01T01:00:00+01:00"}`: zero,
		`{"at":253402300800000}`:             with(`"1970-01-01T00:00:00Z"`, `253402300800000`),
		`{"f":{"double":"NaN"}}`:             with(`"f":0`, `"f":{"double":"NaN"}`),
		`{"f":"NaN"}`:                        with(`"f":0`, `"f":"NaN"`),
		`{"f":-0.0}`:                         with(`"f":0`, `"f":-0.0`),
		`{"day":"2026-02-03"}`:               with(`"1970-01-01","b"`, `"2026-02-03","b"`),
	} {
		data, err := avro.Format.FromJSON(s, nil, []byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if doc, err := avro.Format.ToJSON(s, nil, data); err != nil || string(doc) != want {
			t.Errorf("%s: %s %v, want %s", in, doc, err, want)
		}
	}
	for in, want := range map[string]string{
		`{"x":1}`: `x: r has no such field`, `{"day":1.5}`: "day: schema says int, JSON says 1.5", `{"b":"?"}`: "b: illegal base64", `[]`: "schema says r, JSON says []",
		`{"d":"1.005"}`: "d: 1.005 has more than the 2 digits", `{"u":{"f":1}}`: `u: none of the union's branches`, `{`: "at byte", `{"at":"noon"}`: `at: "noon" is no timestamp-millis`,
	} {
		if _, err := avro.Format.FromJSON(s, nil, []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

// A document that is read once comes out and in again as the same bytes.
func FuzzFromJSON(f *testing.F) {
	text := derivedEvent(f)
	s := parse(f, text)
	doc, err := avro.Format.ToJSON(s, nil, encode(f, writer(f, Event{}, text), fullEvent()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"payment":{"shop.order.placed.Card":{"number":"1","limit":2}}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		data, err := avro.Format.FromJSON(s, nil, doc)
		if err != nil {
			return
		}
		out, err := avro.Format.ToJSON(s, nil, data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := avro.Format.FromJSON(s, nil, out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if out2, err := avro.Format.ToJSON(s, nil, again); err != nil || string(out2) != string(out) {
			t.Fatalf("%v\n%s\n%s", err, out, out2)
		}
	})
}
