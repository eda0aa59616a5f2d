package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Kinds of records, by the names in their keys.
const (
	kindSchema  = "SCHEMA"
	kindConfig  = "CONFIG"
	kindMode    = "MODE"
	kindDelete  = "DELETE_SUBJECT"
	kindClear   = "CLEAR_SUBJECT"
	kindContext = "CONTEXT"
	kindNoop    = "NOOP"
)

// key is what a record is about. Two records with one key are about the same thing, however their
// keys are spelled: older and other registries leave members out, order them in another way, or
// number them.
type key struct {
	kind    string
	subject string // in its one spelling; "" is the default context, or everything; the context's name for kindContext
	version int32
}

// wireKey is every member that a key is known to have.
type wireKey struct {
	Keytype string  `json:"keytype"`
	Subject *string `json:"subject"`
	Version *int64  `json:"version"`
	Magic   *int64  `json:"magic"`
	Context string  `json:"context"`
	Seq     *int64  `json:"seq"` // numbers of Redpanda's, which make each spelling unique
	Node    *int64  `json:"node"`
}

var errNoKey = errors.New("the record has no key")

// parseKey reads a key in any spelling. numbered says that the spelling is good for one record only.
func parseKey(raw []byte) (k key, numbered bool, err error) {
	if len(raw) == 0 {
		return key{}, false, errNoKey
	}
	var w wireKey
	if err := json.Unmarshal(raw, &w); err != nil {
		return key{}, false, fmt.Errorf("read the key: %w", err)
	}
	k = key{kind: w.Keytype}
	if w.Subject != nil {
		k.subject = normalSubject(*w.Subject)
	}
	switch k.kind {
	case kindSchema:
		if k.subject == "" || w.Version == nil || *w.Version < 1 || *w.Version > math.MaxInt32 {
			return key{}, false, errors.New("read the key: a schema needs a subject and a version")
		}
		k.version = int32(*w.Version)
	case kindContext:
		if w.Context == "" {
			return key{}, false, errors.New("read the key: a context needs a name")
		}
		k.subject = w.Context
	case kindConfig, kindMode, kindDelete, kindClear, kindNoop:
	case "":
		return key{}, false, errors.New("read the key: it has no keytype")
	default:
		k.subject = string(raw) // of a later program: kept apart, never touched
	}
	return k, w.Seq != nil || w.Node != nil, nil
}

// spell is the key as Confluent's registry writes it today.
func (k key) spell() []byte {
	b := append(make([]byte, 0, 64+len(k.subject)), `{"keytype":"`...)
	b = append(append(b, k.kind...), '"')
	switch {
	case k.kind == kindContext:
		b = appendJSON(append(b, `,"tenant":"default","context":`...), k.subject)
	case k.subject != "" || k.kind == kindDelete || k.kind == kindClear:
		b = appendJSON(append(b, `,"subject":`...), k.subject)
	}
	if k.kind == kindSchema {
		b = strconv.AppendInt(append(b, `,"version":`...), int64(k.version), 10)
		return append(b, `,"magic":1}`...)
	}
	return append(b, `,"magic":0}`...)
}

// appendJSON writes a JSON string as Jackson does: only what must be is escaped.
func appendJSON(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}
