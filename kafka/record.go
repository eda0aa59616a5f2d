package kafka

import (
	"time"
	"unsafe"

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
	HeaderDataSchema  = "ce_dataschema"
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
)

// attributeHeaders is how many headers a message's attributes take at most.
const attributeHeaders = 12

var specVersion = []byte("1.0")

// Record is the message as a record in CloudEvents' binary mode.
func Record(m *leat.Message) *kgo.Record {
	r := new(kgo.Record)
	AppendRecord(r, m)
	return r
}

// AppendRecord makes r the message in CloudEvents' binary mode: topic, key, value and headers, which
// are appended to r.Headers[:0]. Key, value and the headers' values alias the message's data and
// texts: read them and do not write to them. The record's timestamp stays for the producer to set
// when it sends: retention goes by it, and ce_time holds the event's own.
//
// A root's correlation id, which is its id, is not written: readers take the id where it is absent.
func AppendRecord(r *kgo.Record, m *leat.Message) {
	appendRecord(r, m, &clock{text: make([]byte, 0, timeSize)})
}

func appendRecord(r *kgo.Record, m *leat.Message, c *clock) {
	r.Topic, r.Key, r.Value = m.Topic, m.Key, m.Data
	headers := r.Headers[:0]
	if cap(headers) == 0 {
		headers = make([]kgo.RecordHeader, 0, attributeHeaders+len(m.Headers))
	}
	headers = append(headers, kgo.RecordHeader{Key: HeaderSpecVersion, Value: specVersion})
	headers = appendText(headers, HeaderID, m.ID)
	headers = appendText(headers, HeaderType, m.Type)
	headers = appendText(headers, HeaderSource, m.Source)
	headers = appendText(headers, HeaderSubject, m.Subject)
	if !m.Time.IsZero() {
		headers = append(headers, kgo.RecordHeader{Key: HeaderTime, Value: c.format(m.Time)})
	}
	if m.CorrelationID != m.ID {
		headers = appendText(headers, HeaderCorrelation, m.CorrelationID)
	}
	headers = appendText(headers, HeaderCausation, m.CausationID)
	headers = appendText(headers, HeaderContentType, m.ContentType)
	headers = appendText(headers, HeaderDataSchema, m.DataSchema)
	headers = appendText(headers, HeaderTraceParent, m.TraceParent)
	headers = appendText(headers, HeaderTraceState, m.TraceState)
	for i := range m.Headers {
		headers = append(headers, kgo.RecordHeader(m.Headers[i]))
	}
	r.Headers = headers
}

// appendText adds a header unless its value is empty. The value is the string's own memory: half of
// what a record costs would be copies that nobody changes.
func appendText(headers []kgo.RecordHeader, name, value string) []kgo.RecordHeader {
	if value == "" {
		return headers
	}
	return append(headers, kgo.RecordHeader{Key: name, Value: unsafe.Slice(unsafe.StringData(value), len(value))})
}

// clock writes times as RFC 3339 has them in UTC. It keeps the text of the last second, which most
// events of a busy producer share, and the bytes of one time: the next overwrites them.
type clock struct {
	second int64
	text   []byte
}

const wholeSecond = len("2006-01-02T15:04:05")

// into has the next time written to text, and leaves the one before as it is.
func (c *clock) into(text []byte) {
	if len(c.text) >= wholeSecond {
		text = append(text, c.text[:wholeSecond]...)
	}
	c.text = text
}

func (c *clock) format(t time.Time) []byte {
	nano := t.Nanosecond()
	if second := t.Unix(); second != c.second || len(c.text) < wholeSecond {
		c.second, c.text = second, t.UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05")
		if len(c.text) != wholeSecond { // a year of five digits
			c.text = t.UTC().AppendFormat(c.text[:0], time.RFC3339Nano)
			c.second = -1 << 62
			return c.text
		}
	}
	c.text = c.text[:wholeSecond]
	if nano != 0 {
		var digits [10]byte
		digits[0] = '.'
		last := 0
		for i := 9; i > 0; i-- {
			digits[i] = byte('0' + nano%10)
			if last == 0 && nano%10 != 0 {
				last = i
			}
			nano /= 10
		}
		c.text = append(c.text, digits[:last+1]...)
	}
	c.text = append(c.text, 'Z')
	return c.text
}
