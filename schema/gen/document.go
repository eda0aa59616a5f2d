package gen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// doc is a JSON value whose members keep their order.
type doc struct {
	kind    byte   // one of { [ " 0 t f n
	text    string // of a string
	raw     string // as it stands in the text
	members []member
	items   []*doc
}

type member struct {
	name  string
	value *doc
}

func (d *doc) get(name string) *doc {
	if d == nil {
		return nil
	}
	for _, m := range d.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// str is the text of a string, "" of anything else.
func (d *doc) str() string {
	if d == nil {
		return ""
	}
	return d.text
}

func readDoc(text string) (*doc, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	d, err := nextDoc(dec, text)
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			return d, nil
		}
		err = fmt.Errorf("something follows the schema")
	}
	return nil, fmt.Errorf("read the schema: %w", err)
}

func nextDoc(dec *json.Decoder, text string) (*doc, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	d := &doc{}
	switch v := t.(type) {
	case json.Delim:
		d.kind = byte(v)
		from := dec.InputOffset() - 1
		for dec.More() {
			name := ""
			if d.kind == '{' {
				t, err := dec.Token()
				if err != nil {
					return nil, err
				}
				name = t.(string)
			}
			item, err := nextDoc(dec, text)
			if err != nil {
				return nil, err
			}
			if d.kind == '{' {
				d.members = append(d.members, member{name, item})
			} else {
				d.items = append(d.items, item)
			}
		}
		_, err = dec.Token()
		d.raw = text[from:dec.InputOffset()]
	case string:
		d.kind, d.text = '"', v
		b, _ := json.Marshal(v)
		d.raw = string(b)
	case json.Number:
		d.kind, d.raw = '0', v.String()
	case bool:
		d.kind, d.raw = 'f', "false"
		if v {
			d.kind, d.raw = 't', "true"
		}
	default:
		d.kind, d.raw = 'n', "null"
	}
	return d, err
}
