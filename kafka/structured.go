package kafka

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// structured is an event that lies in the record's value with its attributes, as JSON.
type structured struct {
	record
	attributes map[string]string
	data       []byte
}

// Value is the event's data alone. An event without data is empty and not nil: it is no tombstone.
func (s *structured) Value() []byte { return s.data }

// Attribute is the attribute in the JSON object; headers that repeat it do not count.
func (s *structured) Attribute(name string) string { return s.attributes[name] }

var requiredAttributes = []string{"id", "source", "type"}

// parseStructured reads CloudEvents' JSON event format 1.0.
func parseStructured(r *kgo.Record, contentType []byte) (leat.Wire, error) {
	bare := record{r}
	media, _, err := mime.ParseMediaType(string(contentType))
	if err != nil || media != "application/cloudevents+json" {
		return bare, fmt.Errorf("read a structured event: content type %q is not application/cloudevents+json", contentType)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.Value, &members); err != nil {
		return bare, fmt.Errorf("read a structured event: %w", err)
	}
	s := &structured{record: bare, attributes: make(map[string]string, len(members)), data: []byte{}}
	for name, raw := range members {
		if name == "data" || name == "data_base64" || string(raw) == "null" {
			continue
		}
		if s.attributes[name], err = attributeText(raw); err != nil {
			return bare, fmt.Errorf("read a structured event: attribute %q: %w", name, err)
		}
	}
	if v := s.attributes["specversion"]; v != "1.0" {
		return bare, fmt.Errorf("read a structured event: specversion is %q, not 1.0", v)
	}
	for _, name := range requiredAttributes {
		if s.attributes[name] == "" {
			return bare, fmt.Errorf("read a structured event: it has no %s", name)
		}
	}
	if err := s.readData(members["data"], members["data_base64"]); err != nil {
		return bare, fmt.Errorf("read a structured event: %w", err)
	}
	return s, nil
}

// attributeText is a string as it is, a boolean or an integer in its canonical form.
func attributeText(raw json.RawMessage) (string, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		n, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil {
			return "", fmt.Errorf("number %s is no 32-bit integer", raw)
		}
		return strconv.FormatInt(n, 10), nil
	}
	return "", errors.New("is neither text nor boolean nor integer")
}

// readData takes the data out: bytes in base 64, a JSON value as it stands, or, where the content
// type is not JSON, the text of a JSON string.
func (s *structured) readData(data, base json.RawMessage) error {
	switch {
	case len(data) > 0 && len(base) > 0 && string(base) != "null":
		return errors.New("it has both data and data_base64")
	case len(base) > 0 && string(base) != "null":
		var text string
		err := json.Unmarshal(base, &text)
		if err == nil {
			s.data, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			return fmt.Errorf("data_base64: %w", err)
		}
		return nil
	case len(data) == 0:
		return nil
	}
	if ct := s.attributes["datacontenttype"]; ct != "" && !isJSON(ct) {
		var text string
		if json.Unmarshal(data, &text) == nil && data[0] == '"' {
			s.data = []byte(text)
			return nil
		}
	}
	s.data = data
	return nil
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	_, sub, _ := strings.Cut(media, "/")
	return sub == "json" || strings.HasSuffix(sub, "+json")
}
