package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// recordView is a record as tail shows it and send reads it. Of data, text and data_base64 at most
// one is there; with none the record is a tombstone.
type recordView struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp,omitzero"`

	Key       *string `json:"key,omitempty"`
	KeyBase64 []byte  `json:"key_base64,omitempty"` // a key that is no text

	ID            string `json:"id,omitempty"`
	Type          string `json:"type,omitempty"`
	Source        string `json:"source,omitempty"`
	Subject       string `json:"subject,omitempty"`
	Time          string `json:"time,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
	CausationID   string `json:"causation_id,omitempty"`
	ContentType   string `json:"content_type,omitempty"`

	Headers []headerView `json:"headers,omitempty"` // what is no attribute

	Data       json.RawMessage `json:"data,omitempty"`        // JSON
	Text       *string         `json:"text,omitempty"`        // other text
	DataBase64 *[]byte         `json:"data_base64,omitempty"` // anything else
}

type headerView struct {
	Key         string `json:"key"`
	Value       string `json:"value,omitempty"`
	ValueBase64 []byte `json:"value_base64,omitempty"` // a value that is no text
}

// attributeHeaders are the headers that recordView has fields for.
var attributeHeaders = []string{
	kafka.HeaderID, kafka.HeaderSource, kafka.HeaderSpecVersion, kafka.HeaderType, kafka.HeaderSubject,
	kafka.HeaderTime, kafka.HeaderCorrelation, kafka.HeaderCausation, kafka.HeaderContentType,
}

func viewOf(w leat.Wire) recordView {
	at := w.Position()
	v := recordView{
		Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, Timestamp: w.Timestamp().UTC(),
		ID: w.Attribute("id"), Type: w.Attribute("type"), Source: w.Attribute("source"),
		Subject: w.Attribute("subject"), Time: w.Attribute("time"),
		CorrelationID: w.Attribute("correlationid"), CausationID: w.Attribute("causationid"),
		ContentType: string(w.Header(kafka.HeaderContentType)),
	}
	if key := w.Key(); key != nil {
		if utf8.Valid(key) {
			v.Key = new(string(key))
		} else {
			v.KeyBase64 = key
		}
	}
	for name, value := range w.Headers() {
		if slices.Contains(attributeHeaders, name) {
			continue
		}
		h := headerView{Key: name}
		if utf8.Valid(value) {
			h.Value = string(value)
		} else {
			h.ValueBase64 = value
		}
		v.Headers = append(v.Headers, h)
	}
	v.setData(w.Value())
	return v
}

func (v *recordView) setData(data []byte) {
	switch {
	case data == nil:
	case json.Valid(data) && utf8.Valid(data):
		v.Data = data
	case utf8.Valid(data):
		v.Text = new(string(data))
	default:
		v.DataBase64 = &data
	}
}

// value is the record's value, nil for a tombstone.
func (v *recordView) value() ([]byte, error) {
	var values [][]byte
	if v.Data != nil {
		values = append(values, v.Data)
	}
	if v.Text != nil {
		values = append(values, []byte(*v.Text))
	}
	if v.DataBase64 != nil {
		values = append(values, *v.DataBase64)
	}
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
		return values[0], nil
	}
	return nil, errors.New("more than one of data, text and data_base64")
}

func (v *recordView) key() []byte {
	if v.Key != nil {
		return []byte(*v.Key)
	}
	return v.KeyBase64
}

func (v *recordView) headers() []leat.Header {
	var headers []leat.Header
	for _, h := range v.Headers {
		value := []byte(h.Value)
		if h.ValueBase64 != nil {
			value = h.ValueBase64
		}
		headers = append(headers, leat.Header{Key: h.Key, Value: value})
	}
	return headers
}

// writeRecord writes the record as one line for people.
func writeRecord(w io.Writer, v recordView) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s/%d@%d", v.Timestamp.Format("2006-01-02T15:04:05.000Z07:00"), v.Topic, v.Partition, v.Offset)
	switch {
	case v.Key != nil:
		fmt.Fprintf(&b, " key=%s", plain(*v.Key))
	case v.KeyBase64 != nil:
		fmt.Fprintf(&b, " key=base64:%s", base64.StdEncoding.EncodeToString(v.KeyBase64))
	}
	if v.Type != "" {
		fmt.Fprintf(&b, " %s", plain(v.Type))
	}
	fmt.Fprintf(&b, " %s", v.shortData())
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// shortData is the data in one line.
func (v *recordView) shortData() string {
	switch {
	case v.Data != nil:
		var compact bytes.Buffer
		if json.Compact(&compact, v.Data) != nil {
			return plain(string(v.Data))
		}
		return plain(compact.String())
	case v.Text != nil:
		return plain(*v.Text)
	case v.DataBase64 != nil:
		return "base64:" + base64.StdEncoding.EncodeToString(*v.DataBase64)
	}
	return "(tombstone)"
}
