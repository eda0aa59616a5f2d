package cli

import (
	"bytes"
	"context"
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
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
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

	KeySchemaID   int32  `json:"key_schema_id,omitempty"`   // Key is what these say, decoded
	KeySchemaGUID string `json:"key_schema_guid,omitempty"` // the same in the header form

	ID            string `json:"id,omitempty"`
	Type          string `json:"type,omitempty"`
	Source        string `json:"source,omitempty"`
	Subject       string `json:"subject,omitempty"`
	Time          string `json:"time,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
	CausationID   string `json:"causation_id,omitempty"`
	ContentType   string `json:"content_type,omitempty"`
	DataSchema    string `json:"data_schema,omitempty"`

	SchemaID   int32  `json:"schema_id,omitempty"`   // Data is what these say, decoded
	SchemaGUID string `json:"schema_guid,omitempty"` // the same in the header form
	Message    string `json:"message,omitempty"`     // full name of Data's Protobuf message

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
	kafka.HeaderTime, kafka.HeaderCorrelation, kafka.HeaderCausation, kafka.HeaderContentType, kafka.HeaderDataSchema,
}

func viewOf(w leat.Wire) recordView {
	at := w.Position()
	v := recordView{
		Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, Timestamp: w.Timestamp().UTC(),
		ID: w.Attribute("id"), Type: w.Attribute("type"), Source: w.Attribute("source"),
		Subject: w.Attribute("subject"), Time: w.Attribute("time"),
		CorrelationID: w.Attribute("correlationid"), CausationID: w.Attribute("causationid"),
		ContentType: string(w.Header(kafka.HeaderContentType)), DataSchema: w.Attribute("dataschema"),
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

// decode shows framed data as what it means. Where the schema can't be had the data stays as it is,
// and the reason is returned for a person to see.
func (v *recordView) decode(ctx context.Context, c *schema.Codec, w leat.Wire) error {
	t, framed, err := c.ToJSON(ctx, w.Header(schema.HeaderValueSchema), w.Value())
	if !framed || err != nil {
		return err
	}
	v.Data, v.Text, v.DataBase64 = t.JSON, nil, nil
	if t.Type == schema.Protobuf {
		v.Message = t.Name
	}
	if t.Header {
		v.SchemaGUID = t.Frame.GUID.String()
	} else {
		v.SchemaID = t.Frame.ID
	}
	return nil
}

// keyText is a key as people read it: as it is where its schema can't be had.
func (a *app) keyText(ctx context.Context, key []byte) string {
	if text, framed, err := a.codec.KeyText(ctx, nil, key); framed && err == nil {
		return text
	}
	return string(key)
}

// decodeKey does the same with the key. What only looks framed, such as a number of another client, stays.
func (v *recordView) decodeKey(ctx context.Context, c *schema.Codec, w leat.Wire) error {
	header := w.Header(schema.HeaderKeySchema)
	text, framed, err := c.KeyText(ctx, header, w.Key())
	if !framed || header == nil && err != nil && !leat.IsUnavailable(err) {
		return nil
	}
	if err != nil {
		return err
	}
	v.Key, v.KeyBase64 = &text, nil
	frame, _, _, err := schema.ReadFrame(header, w.Key())
	if frame.Header {
		v.KeySchemaGUID = frame.GUID.String()
	} else {
		v.KeySchemaID = frame.ID
	}
	return err
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

// Header is a header that is no attribute.
func (v *recordView) Header(name string) string {
	for _, h := range v.Headers {
		if h.Key == name {
			return h.Value
		}
	}
	return ""
}

// shortData is the data in one line, or where it lies.
func (v *recordView) shortData() string {
	if ref, refers, err := blob.RefOf(v); refers && err == nil {
		return fmt.Sprintf("(%d bytes in the store of payloads: %s)", ref.Size, plain(ref.Name))
	}
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
