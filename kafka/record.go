package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// Names of record headers: CloudEvents' Kafka protocol binding 1.0.2 in binary mode, and W3C trace
// context.
const (
	HeaderID          = "ce_id"
	HeaderSource      = "ce_source"
	HeaderSpecVersion = "ce_specversion"
	HeaderType        = "ce_type"
	HeaderSubject     = "ce_subject"
	HeaderTime        = "ce_time"
	HeaderCorrelation = "ce_correlationid"
	HeaderCausation   = "ce_causationid"
	HeaderContentType = "content-type"
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
)

// attributeHeaders is how many headers a message's attributes take at most.
const attributeHeaders = 11

var specVersion = []byte("1.0")

// Record is the message as a record in CloudEvents' binary mode.
func Record(m *leat.Message) *kgo.Record {
	r := new(kgo.Record)
	AppendRecord(r, m)
	return r
}

// AppendRecord makes r the message in CloudEvents' binary mode: topic, key, value and headers, which
// are appended to r.Headers[:0]. Key and value alias the message's. The record's timestamp stays for
// the producer to set when it sends: retention goes by it, and ce_time holds the event's own.
func AppendRecord(r *kgo.Record, m *leat.Message) { appendRecord(r, m, nil) }

// appendRecord writes the text of the attributes to arena's free room, and returns it longer.
func appendRecord(r *kgo.Record, m *leat.Message, arena []byte) []byte {
	r.Topic, r.Key, r.Value = m.Topic, m.Key, m.Data
	if need := arenaSize(m); cap(arena)-len(arena) < need {
		arena = make([]byte, 0, need) // never grown below: headers alias it
	}
	w := headerWriter{arena: arena, headers: r.Headers[:0]}
	if cap(w.headers) == 0 {
		w.headers = make([]kgo.RecordHeader, 0, attributeHeaders+len(m.Headers))
	}
	w.headers = append(w.headers, kgo.RecordHeader{Key: HeaderSpecVersion, Value: specVersion})
	w.text(HeaderID, m.ID)
	w.text(HeaderType, m.Type)
	w.text(HeaderSource, m.Source)
	w.text(HeaderSubject, m.Subject)
	if !m.Time.IsZero() {
		from := len(w.arena)
		w.arena = m.Time.UTC().AppendFormat(w.arena, time.RFC3339Nano)
		w.headers = append(w.headers, kgo.RecordHeader{Key: HeaderTime, Value: w.arena[from:len(w.arena):len(w.arena)]})
	}
	w.text(HeaderCorrelation, m.CorrelationID)
	w.text(HeaderCausation, m.CausationID)
	w.text(HeaderContentType, m.ContentType)
	w.text(HeaderTraceParent, m.TraceParent)
	w.text(HeaderTraceState, m.TraceState)
	for i := range m.Headers {
		w.headers = append(w.headers, kgo.RecordHeader(m.Headers[i]))
	}
	r.Headers = w.headers
	return w.arena
}

const timeSize = len("2006-01-02T15:04:05.999999999Z") + 5 // five digits more for years that far away

func arenaSize(m *leat.Message) int {
	return len(m.ID) + len(m.Type) + len(m.Source) + len(m.Subject) + timeSize + len(m.CorrelationID) +
		len(m.CausationID) + len(m.ContentType) + len(m.TraceParent) + len(m.TraceState)
}

// headerWriter puts the values of headers behind each other in one arena.
type headerWriter struct {
	arena   []byte
	headers []kgo.RecordHeader
}

// text adds a header unless its value is empty.
func (w *headerWriter) text(name, value string) {
	if value == "" {
		return
	}
	from := len(w.arena)
	w.arena = append(w.arena, value...)
	w.headers = append(w.headers, kgo.RecordHeader{Key: name, Value: w.arena[from:len(w.arena):len(w.arena)]})
}
