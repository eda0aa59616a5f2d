package kafka

import (
	"iter"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// WireOf is a record as an envelope reads it. A record in binary mode, and one that is no CloudEvent
// at all, is read on use and costs nothing here; of the latter every attribute is absent. A record in
// structured mode (content-type application/cloudevents+json) is parsed once, and an error says that
// it is malformed, while the Wire that comes with it still shows the record as it stands.
func WireOf(r *kgo.Record) (leat.Wire, error) {
	if ct := lastHeader(r.Headers, HeaderContentType); isStructured(ct) {
		return parseStructured(r, ct)
	}
	return record{r}, nil
}

// record is a record in binary mode, or a foreign one. One pointer and no more, so that it goes into
// an interface without an allocation.
type record struct{ r *kgo.Record }

var _ leat.Wire = record{}

// Position is where the record lies.
func (r record) Position() leat.Position {
	return leat.Position{Topic: r.r.Topic, Partition: r.r.Partition, Offset: r.r.Offset}
}

// Timestamp is the record's own: the producer's clock, or the broker's by the topic's choice.
func (r record) Timestamp() time.Time { return r.r.Timestamp }

// Key is the record's key.
func (r record) Key() []byte { return r.r.Key }

// Value is the event's data.
func (r record) Value() []byte { return r.r.Value }

// Attribute is the CloudEvents attribute of that name.
func (r record) Attribute(name string) string {
	if name == "datacontenttype" {
		return string(r.Header(HeaderContentType))
	}
	for i := len(r.r.Headers) - 1; i >= 0; i-- {
		h := &r.r.Headers[i]
		if len(h.Key) == len(name)+3 && h.Key[:3] == "ce_" && h.Key[3:] == name {
			return string(h.Value)
		}
	}
	return ""
}

// Header is the last header of that name.
func (r record) Header(name string) []byte { return lastHeader(r.r.Headers, name) }

// Headers are all headers in order.
func (r record) Headers() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, h := range r.r.Headers {
			if !yield(h.Key, h.Value) {
				return
			}
		}
	}
}

func lastHeader(headers []kgo.RecordHeader, name string) []byte {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == name {
			return headers[i].Value
		}
	}
	return nil
}

const structuredPrefix = "application/cloudevents"

func isStructured(contentType []byte) bool {
	return len(contentType) >= len(structuredPrefix) && strings.EqualFold(string(contentType[:len(structuredPrefix)]), structuredPrefix)
}
