package protobuf_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/protobuf"
)

// oneFile is a registry of one schema.
type oneFile struct {
	schema.Registry
	is schema.Registered
}

func (r oneFile) ByID(context.Context, int32) (schema.Registered, error) { return r.is, nil }

func (r oneFile) ByGUID(context.Context, schema.GUID) (schema.Registered, error) { return r.is, nil }

// TestAPersonNamesTheMessageOfAFile writes and reads messages of a file that has several.
func TestAPersonNamesTheMessageOfAFile(t *testing.T) {
	t.Parallel()
	const file = `syntax = "proto3"; package hotel;
message First { int64 n = 1; }
message Bill { string id = 1; message Line { string text = 1; } repeated Line lines = 2; }`
	codec, err := schema.NewCodec(schema.CodecConfig{
		Registry: oneFile{is: schema.Registered{ID: 7, Type: schema.Protobuf, Text: file}}, Formats: []schema.Format{protobuf.Format},
	})
	if err != nil {
		t.Fatal(err)
	}
	guid := schema.GUID{1}
	header := schema.AppendHeader(nil, guid, []int{1, 0})
	for _, c := range []struct {
		message, doc string
		header       []byte
		want         string // full name read back, or what is wrong
	}{
		{"", `{"n":"4"}`, nil, "hotel.First"},
		{"hotel.Bill", `{"id":"b-1"}`, nil, "hotel.Bill"},
		{"Bill", `{"id":"b-1"}`, nil, "hotel.Bill"},
		{"hotel.Bill.Line", `{"text":"x"}`, nil, "hotel.Bill.Line"},
		{"", `{"text":"x"}`, header, "hotel.Bill.Line"},
		{"hotel.Bill.Line", `{"text":"x"}`, header, "hotel.Bill.Line"},
		{"hotel.Bill", `{"id":"b-1"}`, header, "does not name message hotel.Bill"},
		{"hotel.Nothing", `{}`, nil, "no message hotel.Nothing: it has hotel.First, hotel.Bill"},
		{"hotel.Bill", `{"n":"4"}`, nil, "hotel.Bill"}, // no field of it
	} {
		data, _, err := codec.FromJSON(t.Context(), schema.Frame{ID: 7}, c.header, c.message, []byte(c.doc))
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q %s: %v, want %s", c.message, c.doc, err, c.want)
			}
			continue
		}
		got, ok, err := codec.ToJSON(t.Context(), c.header, data)
		if !ok || err != nil || got.Name != c.want || string(got.JSON) != c.doc {
			t.Errorf("%q %s: read back as %s %s %v, want %s", c.message, c.doc, got.Name, got.JSON, err, c.want)
		}
	}
	s, err := protobuf.Format.Parse(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []protobuf.Field{{Path: "id", Type: "string"}, {Path: "lines[]", Type: "hotel.Bill.Line"}, {Path: "lines[].text", Type: "string"}}
	if diff := cmp.Diff(want, protobuf.Fields(s, "hotel.Bill", 10)); diff != "" {
		t.Error(diff)
	}
}

// A file's events have subjects of their own, as Confluent's serializers have it.
func TestTheEventsOfAFileHaveSubjectsOfTheirOwn(t *testing.T) {
	t.Parallel()
	codec, err := schema.NewCodec(schema.CodecConfig{Registry: oneFile{}, Formats: []schema.Format{protobuf.Format}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, subjects := range []leat.SubjectNames{"", leat.TopicName, leat.RecordName} {
		topic := leat.Topic{Name: "orders", Encoding: leat.Protobuf, Subjects: subjects, Carries: []any{
			leat.KindOf("order.placed.v1", func(o *protobuf.Order) string { return o.OrderId }),
			leat.KindOf("order.cancelled.v1", func(c *protobuf.Cancelled) string { return c.OrderId }),
		}}
		kinds, err := topic.Kinds()
		if err != nil {
			t.Fatal(err)
		}
		for i := range kinds {
			own, err := codec.Contract(&kinds[i])
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, own.Subject)
		}
	}
	want := []string{
		"orders-shop.order.v1.Order", "orders-shop.order.v1.Cancelled", "orders-value", "orders-value",
		"shop.order.v1.Order", "shop.order.v1.Cancelled",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
}

func TestASubjectSaysItsTopicAndItsRecord(t *testing.T) {
	t.Parallel()
	file, err := protobuf.Format.Parse(`syntax = "proto3"; package hotel;
message First { int64 n = 1; }
message Bill { string id = 1; message Line { string text = 1; } repeated Line lines = 2; }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string][2]string{
		"hotel-bills-value":           {"hotel-bills", "hotel.First"},
		"hotel-bills-hotel.First":     {"hotel-bills", "hotel.First"},
		"hotel-bills-hotel.Bill":      {"hotel-bills", "hotel.Bill"},
		"hotel-bills-hotel.Bill.Line": {"hotel-bills", "hotel.Bill.Line"},
		"hotel-bills-Bill":            {"", "hotel.First"},
		"hotel-bills-":                {"", "hotel.First"},
		"hotel.Bill":                  {"", "hotel.First"},
	} {
		if got := [2]string{schema.TopicOf(subject, file, ""), schema.RecordOf(subject, file)}; got != want {
			t.Errorf("%s: %q, want %q", subject, got, want)
		}
	}
	for record, want := range map[string]bool{"hotel.First": true, "hotel.Bill": true, "hotel.Bill.Line": true, "Bill": false, "hotel.Line": false, "": false} {
		if got := schema.Holds(file, record); got != want {
			t.Errorf("holds %q: %t", record, got)
		}
	}
}
