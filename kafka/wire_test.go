package kafka_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

var update = flag.Bool("update", false, "write the golden files anew")

func fullMessage() *leat.Message {
	return &leat.Message{
		ID: "019aa7c2-5b6e-7c1a-9d0e-3f2b1a4c5d6e", Type: "shop.order.created.v1", Source: "order", Subject: "o-42",
		Time:  time.Date(2026, 11, 21, 12, 34, 56, 789_000_000, time.FixedZone("x", 3600)),
		Topic: "shop.orders", Key: []byte("o-42"),
		ContentType: "application/json", Data: []byte(`{"order_id":"o-42"}`),
		CorrelationID: "root", CausationID: "cause",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "a=b",
		Headers: []leat.Header{{Key: "x-tenant", Value: []byte("7")}},
	}
}

// The wire form is a contract with every other reader.
func TestRecordIsTheGoldenWireForm(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, m := range []*leat.Message{
		fullMessage(),
		{ID: "1", Type: "t", Source: "s", Topic: "bare", ContentType: "application/json", Data: []byte("{}")},
		{ID: "2", Type: "t", Source: "s", Topic: "tombstone", Key: []byte("k")},
	} {
		r := kafka.Record(m)
		fmt.Fprintf(&out, "topic %s\nkey %q nil=%v\nvalue %q nil=%v\n", r.Topic, r.Key, r.Key == nil, r.Value, r.Value == nil)
		for _, h := range r.Headers {
			fmt.Fprintf(&out, "header %s: %s\n", h.Key, h.Value)
		}
		out.WriteString("\n")
	}
	const file = "testdata/wire.golden"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestBinaryModeThereAndBack(t *testing.T) {
	t.Parallel()
	m := fullMessage()
	r := kafka.Record(m)
	r.Partition, r.Offset, r.Timestamp = 3, 7, time.Unix(1, 0)
	w, err := kafka.WireOf(r)
	if err != nil {
		t.Fatal(err)
	}
	e := leat.NewEnvelope(w, nil, nil, 1)
	got := leat.Message{
		ID: e.ID(), Type: e.Type(), Source: e.Source(), Subject: e.Subject(), Time: e.Time(),
		Topic: e.Position().Topic, Key: w.Key(), ContentType: w.Attribute("datacontenttype"), Data: e.Raw(),
		CorrelationID: e.CorrelationID(), CausationID: e.CausationID(),
		TraceParent: e.Header("traceparent"), TraceState: e.Header("tracestate"),
		Headers: []leat.Header{{Key: "x-tenant", Value: w.Header("x-tenant")}},
	}
	if diff := cmp.Diff(*m, got); diff != "" {
		t.Error(diff)
	}
	if at := e.Position().String(); at != "shop.orders/3@7" || !w.Timestamp().Equal(r.Timestamp) {
		t.Errorf("at %s, %v", at, w.Timestamp())
	}
	n := 0
	for name, value := range w.Headers() {
		if name != r.Headers[n].Key || string(value) != string(r.Headers[n].Value) {
			t.Errorf("header %d is %s", n, name)
		}
		n++
	}
	if n != len(r.Headers) {
		t.Errorf("%d headers of %d", n, len(r.Headers))
	}
}

func TestOfTwoHeadersTheLastCounts(t *testing.T) {
	t.Parallel()
	w, err := kafka.WireOf(&kgo.Record{Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("1")}, {Key: "ce_id", Value: []byte("2")}}})
	if err != nil || w.Attribute("id") != "2" || string(w.Header("ce_id")) != "2" {
		t.Errorf("%v %q", err, w.Attribute("id"))
	}
}

func TestForeignRecordHasNoAttributes(t *testing.T) {
	t.Parallel()
	for _, r := range []*kgo.Record{
		{Topic: "t", Value: []byte("x")},
		{},
		{Headers: []kgo.RecordHeader{{Key: "", Value: nil}, {Key: "ce_", Value: []byte("x")}, {Key: "content-type", Value: []byte("text/plain")}}},
	} {
		w, err := kafka.WireOf(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"id", "type", "source", "specversion", "time"} {
			if got := w.Attribute(name); got != "" {
				t.Errorf("%s is %q", name, got)
			}
		}
		e := leat.NewEnvelope(w, nil, nil, 1)
		if _, id := e.Identity(); id != e.Position().String() {
			t.Errorf("identity %q", id)
		}
	}
}

func structuredRecord(value string) *kgo.Record {
	return &kgo.Record{Topic: "t", Key: []byte("k"), Value: []byte(value), Headers: []kgo.RecordHeader{
		{Key: "content-type", Value: []byte("Application/CloudEvents+JSON; charset=UTF-8")},
		{Key: "ce_type", Value: []byte("the header does not count")},
	}}
}

func TestStructuredModeIsRead(t *testing.T) {
	t.Parallel()
	const head = `{"specversion":"1.0","id":"1","source":"s","type":"t.v1","subject":"x","time":"2026-11-21T12:00:00Z","n":-7,"yes":true,"gone":null,"correlationid":"c"`
	for name, c := range map[string]struct{ tail, data string }{
		"json":             {`,"data":{"a": 1 }}`, `{"a": 1 }`},
		"json text":        {`,"data":"x"}`, `"x"`},
		"text":             {`,"datacontenttype":"text/plain","data":"a\nb"}`, "a\nb"},
		"xml kept as json": {`,"datacontenttype":"application/xml","data":{"a":1}}`, `{"a":1}`},
		"bytes":            {`,"data_base64":"AAEC"}`, "\x00\x01\x02"},
		"null":             {`,"data":null}`, "null"},
		"none":             {`}`, ""},
		"+json":            {`,"datacontenttype":"application/x+json","data":"q"}`, `"q"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := kafka.WireOf(structuredRecord(head + c.tail))
			if err != nil {
				t.Fatal(err)
			}
			if string(w.Value()) != c.data || w.Value() == nil {
				t.Errorf("data %q, want %q", w.Value(), c.data)
			}
			got := map[string]string{}
			for _, n := range []string{"id", "source", "type", "subject", "n", "yes", "gone", "correlationid"} {
				got[n] = w.Attribute(n)
			}
			want := map[string]string{"id": "1", "source": "s", "type": "t.v1", "subject": "x", "n": "-7", "yes": "true", "gone": "", "correlationid": "c"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if string(w.Key()) != "k" || string(w.Header("ce_type")) == "" {
				t.Error("the record itself is gone")
			}
		})
	}
}

func TestMalformedStructuredRecordShowsAsItStands(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		``:   "unexpected end",
		`[]`: "cannot unmarshal array",
		`{"specversion":"0.3","id":"1","source":"s","type":"t"}`:                               "specversion",
		`{"specversion":"1.0","id":"","source":"s","type":"t"}`:                                "has no id",
		`{"specversion":"1.0","id":"1","source":"s"}`:                                          "has no type",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","x":{}}`:                        `"x": is neither`,
		`{"specversion":"1.0","id":"1","source":"s","type":"t","x":1.5}`:                       "no 32-bit integer",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"AA=="}`: "both data",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"not base 64"}`:   "data_base64",
	} {
		w, err := kafka.WireOf(structuredRecord(value))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
		if w == nil || string(w.Value()) != value {
			t.Errorf("%s: the record does not show", value)
		}
	}
	r := structuredRecord("{}")
	r.Headers[0].Value = []byte("application/cloudevents+avro")
	if _, err := kafka.WireOf(r); err == nil {
		t.Error("Avro was read as JSON")
	}
}

// What nobody reads costs nothing.
func TestWireAllocatesNothingForWhatNobodyReads(t *testing.T) {
	r := kafka.Record(fullMessage())
	want := []byte("shop.order.created.v1")
	n := testing.AllocsPerRun(1000, func() {
		w, err := kafka.WireOf(r)
		if err != nil || string(w.Header("ce_type")) != string(want) || w.Header("none") != nil || w.Key() == nil || w.Value() == nil {
			t.Fatal("wrong")
		}
		if w.Attribute("none") != "" || w.Position().Topic == "" {
			t.Fatal("wrong")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendRecordReusesItsRecord(t *testing.T) {
	m := fullMessage()
	r := kafka.Record(m)
	if n := testing.AllocsPerRun(1000, func() { kafka.AppendRecord(r, m) }); n > 1 {
		t.Errorf("%v allocations, want 1: the texts in one piece", n)
	}
}

func FuzzWire(f *testing.F) {
	f.Add("ce_id", []byte("1"), "content-type", []byte("application/json"), []byte("{}"))
	f.Add("content-type", []byte("application/cloudevents+json"), "ce_id", []byte("1"), []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":[1]}}`))
	f.Add("content-type", []byte("application/cloudevents+json;"), "", []byte{0xff}, []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AA=="}`))
	f.Fuzz(func(t *testing.T, k1 string, v1 []byte, k2 string, v2, value []byte) {
		r := &kgo.Record{Topic: "t", Value: value, Headers: []kgo.RecordHeader{{Key: k1, Value: v1}, {Key: k2, Value: v2}}}
		w, err := kafka.WireOf(r)
		if w == nil {
			t.Fatal("no wire")
		}
		e := leat.NewEnvelope(w, nil, nil, 1)
		_, _, _, _, _ = e.ID(), e.Type(), e.Time(), e.CorrelationID(), e.Raw()
		for name, v := range w.Headers() {
			if w.Header(name) == nil && v != nil {
				t.Fatalf("header %q is lost", name)
			}
		}
		if err != nil && string(w.Value()) != string(value) {
			t.Fatal("a malformed record does not show as it stands")
		}
		if err == nil && strings.HasPrefix(string(w.Header("content-type")), "application/cloudevents") {
			if e.ID() == "" || e.Type() == "" || e.Source() == "" || w.Value() == nil {
				t.Fatal("a structured event lacks what is required")
			}
		}
	})
}

func BenchmarkWireOfAndType(b *testing.B) {
	r := kafka.Record(fullMessage())
	b.ReportAllocs()
	for b.Loop() {
		w, _ := kafka.WireOf(r)
		if len(w.Header("ce_type")) == 0 {
			b.Fatal("no type")
		}
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	m, r := fullMessage(), new(kgo.Record)
	b.ReportAllocs()
	for b.Loop() {
		kafka.AppendRecord(r, m)
	}
}
