package registry

import "github.com/leatdev/leat/schema"

// entity is a version as clients are told of it.
type entity struct {
	Subject    string             `json:"subject,omitempty"`
	Version    int32              `json:"version,omitempty"`
	ID         *int32             `json:"id,omitempty"`
	GUID       string             `json:"guid,omitempty"`
	SchemaType schema.Type        `json:"schemaType,omitempty"`
	References []schema.Reference `json:"references,omitempty"`
	Metadata   *metadata          `json:"metadata,omitempty"`
	RuleSet    *ruleSet           `json:"ruleSet,omitempty"`
	Schema     string             `json:"schema,omitempty"`
	MaxID      *int32             `json:"maxId,omitempty"`
	Aliases    []string           `json:"aliases,omitempty"`
	TS         int64              `json:"ts,omitempty"`
	Deleted    bool               `json:"deleted,omitempty"`
}

func (v *version) entity() entity {
	id := v.id
	return entity{
		Subject: v.subject, Version: v.number, ID: &id, GUID: v.guid.String(), SchemaType: v.contract.kind,
		References: v.contract.references, Metadata: v.contract.metadata, RuleSet: v.contract.rules,
		Schema: v.contract.text, TS: v.at, Deleted: v.deleted,
	}
}

// subjectVersion names a version.
type subjectVersion struct {
	Subject string `json:"subject"`
	Version int32  `json:"version"`
}

// contextID names an id.
type contextID struct {
	Context string `json:"context"`
	ID      int32  `json:"id"`
}

// verdict is the answer of the compatibility endpoint.
type verdict struct {
	Compatible bool     `json:"is_compatible"`
	Messages   []string `json:"messages,omitempty"`
}

// registerRequest is the body of a register, a lookup and a question of compatibility.
type registerRequest struct {
	Schema     *string            `json:"schema"`
	SchemaType schema.Type        `json:"schemaType"`
	References []schema.Reference `json:"references"`
	Metadata   *metadata          `json:"metadata"`
	RuleSet    *ruleSet           `json:"ruleSet"`
	Version    *int32             `json:"version"`
	ID         *int32             `json:"id"`
}

// candidate reads the body of a request that brings a schema.
func (c *call) candidate() (candidate, error) {
	var r registerRequest
	if err := c.decode(&r); err != nil {
		return candidate{}, err
	}
	if !validSubject(c.subject, false) {
		return candidate{}, invalidSubject(c.subject)
	}
	cand := candidate{subject: c.subject, id: -1}
	cand.contract = contract{kind: r.SchemaType, references: r.References, metadata: r.Metadata, rules: r.RuleSet}
	if cand.contract.kind == "" {
		cand.contract.kind = schema.Avro
	}
	if len(r.References) == 0 {
		cand.contract.references = nil
	}
	if r.Schema != nil {
		cand.contract.text = *r.Schema
	}
	if r.Version != nil {
		cand.number = *r.Version
	}
	if r.ID != nil {
		cand.id = *r.ID
	}
	if cand.number < -1 {
		return candidate{}, invalidSchema("Version is not one more than previous version")
	}
	return cand, nil
}
