package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/leatdev/leat/schema"
)

// wireSchema is the value of a SCHEMA record.
type wireSchema struct {
	Subject    string             `json:"subject"`
	Version    int32              `json:"version"`
	ID         *int32             `json:"id"`
	MD5        string             `json:"md5"`
	SchemaType string             `json:"schemaType"`
	References []schema.Reference `json:"references"`
	Metadata   *metadata          `json:"metadata"`
	RuleSet    *ruleSet           `json:"ruleSet"`
	Schema     *string            `json:"schema"`
	Deleted    bool               `json:"deleted"`
}

// parseSchema reads the value of a SCHEMA record.
func parseSchema(k key, raw []byte, at int64) (*version, error) {
	var w wireSchema
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, fmt.Errorf("read the value: %w", err)
	}
	if w.ID == nil || *w.ID < 0 || w.Schema == nil {
		return nil, errors.New("read the value: a schema needs an id and a text")
	}
	v := &version{subject: k.subject, number: k.version, id: *w.ID, deleted: w.Deleted, at: at}
	c := contract{schema.Type(w.SchemaType), *w.Schema, w.References, w.Metadata, w.RuleSet}
	if c.kind == "" {
		c.kind = schema.Avro
	}
	if len(c.references) == 0 {
		c.references = nil
	}
	v.contract = &c
	// Metadata that is encrypted in the log hashes to something else than it did when it was written.
	if sum, err := base64.StdEncoding.DecodeString(w.MD5); err == nil && len(sum) == 16 {
		v.guid = schema.GUID(sum)
	} else {
		v.guid = c.guid()
	}
	return v, nil
}

// value spells the version as the value of its record.
func (v *version) value() []byte {
	b := make([]byte, 0, len(v.contract.text)+len(v.contract.text)/4+256)
	b = appendJSON(append(b, `{"subject":`...), v.subject)
	b = strconv.AppendInt(append(b, `,"version":`...), int64(v.number), 10)
	b = strconv.AppendInt(append(b, `,"id":`...), int64(v.id), 10)
	b = append(append(append(b, `,"md5":"`...), base64.StdEncoding.EncodeToString(v.guid[:])...), '"')
	if v.contract.kind != schema.Avro {
		b = appendJSON(append(b, `,"schemaType":`...), string(v.contract.kind))
	}
	if len(v.contract.references) > 0 {
		b = append(append(b, `,"references":`...), compactJSON(v.contract.references)...)
	}
	if v.contract.metadata != nil {
		b = append(append(b, `,"metadata":`...), compactJSON(v.contract.metadata)...)
	}
	if v.contract.rules != nil {
		b = append(append(b, `,"ruleSet":`...), compactJSON(v.contract.rules)...)
	}
	b = appendJSON(append(b, `,"schema":`...), v.contract.text)
	return append(strconv.AppendBool(append(b, `,"deleted":`...), v.deleted), '}')
}

// settings is what is set for a subject, a context or all: what is nil or empty is not set.
type settings struct {
	Alias               string    `json:"alias,omitempty"`
	Normalize           *bool     `json:"normalize,omitempty"`
	ValidateFields      *bool     `json:"validateFields,omitempty"`
	ValidateRules       *bool     `json:"validateRules,omitempty"`
	CompatibilityLevel  string    `json:"compatibilityLevel,omitempty"`
	CompatibilityPolicy string    `json:"compatibilityPolicy,omitempty"`
	CompatibilityGroup  string    `json:"compatibilityGroup,omitempty"`
	DefaultMetadata     *metadata `json:"defaultMetadata,omitempty"`
	OverrideMetadata    *metadata `json:"overrideMetadata,omitempty"`
	DefaultRuleSet      *ruleSet  `json:"defaultRuleSet,omitempty"`
	OverrideRuleSet     *ruleSet  `json:"overrideRuleSet,omitempty"`
}

// wireConfig is the value of a CONFIG record.
type wireConfig struct {
	Subject string `json:"subject,omitempty"`
	settings
}

// wireMode is the value of a MODE record.
type wireMode struct {
	Subject string `json:"subject,omitempty"`
	Mode    mode   `json:"mode"`
}

// wireDelete is the value of a DELETE_SUBJECT record.
type wireDelete struct {
	Subject string `json:"subject"`
	Version int32  `json:"version"`
}

// wireContext is the value of a CONTEXT record.
type wireContext struct {
	Tenant  string `json:"tenant"`
	Context string `json:"context"`
}

// mode says what may be done to the subjects of a scope.
type mode string

// The modes.
const (
	readWrite        mode = "READWRITE"
	readOnly         mode = "READONLY"
	readOnlyOverride mode = "READONLY_OVERRIDE" // overrules what is set for single subjects
	importing        mode = "IMPORT"            // ids and versions come with the schemas
	forwarding       mode = "FORWARD"           // of Confluent's cloud: kept, and treated as IMPORT
)

func (m mode) valid() bool {
	return slices.Contains([]mode{readWrite, readOnly, readOnlyOverride, importing, forwarding}, m)
}

func (m mode) imports() bool { return m == importing || m == forwarding }

// compactJSON writes v on one line with nothing escaped that need not be.
func compactJSON(v any) []byte {
	var b buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("encode a value of our own: %v", err))
	}
	return b[:len(b)-1]
}

type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
