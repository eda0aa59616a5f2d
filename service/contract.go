package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/jsonschema"
)

// Contract is the schema of an event type that a service writes.
type Contract struct {
	Event    string        `json:"event,omitempty"` // type
	Topic    string        `json:"topic"`
	Encoding leat.Encoding `json:"encoding"`
	// Key says that this is the schema of the topic's keys, and of no event.
	Key bool `json:"key,omitempty"`
	// Subject is where the schema is registered; of plain JSON, where it would be.
	Subject string      `json:"subject"`
	Type    schema.Type `json:"type,omitempty"`
	Schema  string      `json:"schema,omitempty"`
	// Message is the full name of the Protobuf message in the schema.
	Message string `json:"message,omitempty"`
	// Written says that the schema is written by hand, not derived from the Go type.
	Written bool `json:"written,omitempty"`
	// Imports are the schemas that it refers to, each after those that it refers to itself.
	Imports []ContractImport `json:"imports,omitempty"`
	// Fault says why the Go type has no schema. Only plain JSON and dynamic messages do
	// without one.
	Fault string `json:"fault,omitempty"`
}

// ContractImport is a schema that a contract refers to.
type ContractImport struct {
	Name   string   `json:"name"`           // as the referring text has it
	Schema string   `json:"schema"`         // its text
	Uses   []string `json:"uses,omitempty"` // names of what it refers to itself
	// Indirect says that only other imports refer to it.
	Indirect bool `json:"indirect,omitempty"`
}

// Contracts are the schemas of what the service writes, with prefix before the names of topics. It
// asks no registry. Events of plain JSON have theirs as JSON Schema: nothing holds them to it, and
// checks before a release can.
func (c Config) Contracts(prefix string) ([]Contract, error) {
	codec, err := RegistryConfig{}.Codec(nil, c.Encoding)
	if err != nil {
		return nil, err
	}
	var all []Contract
	for _, t := range prefixed(prefix, c.Owns) {
		kinds, err := t.Kinds()
		if err != nil {
			return nil, err
		}
		if t.KeyEncoding != "" {
			found, err := codec.KeyContract(&leat.Kind{Topic: t.Name, KeyEncoding: t.KeyEncoding})
			if err != nil {
				return nil, fmt.Errorf("service %s: %w", c.Name, err)
			}
			all = append(all, Contract{Key: true, Topic: t.Name, Encoding: t.KeyEncoding, Subject: found.Subject, Type: found.Type, Schema: found.Text})
		}
		for i := range kinds {
			k := &kinds[i]
			own := Contract{Event: k.Type, Topic: t.Name, Encoding: cmp.Or(k.Encoding, c.Encoding, leat.PlainJSON), Written: k.Schema != ""}
			if own.Encoding == leat.PlainJSON {
				own.describe(k)
				all = append(all, own)
				continue
			}
			found, err := codec.Contract(k)
			if err != nil {
				return nil, fmt.Errorf("service %s: %w", c.Name, err)
			}
			if found == nil {
				own.Fault = "its values bring their schemas: they are known when they are written"
				all = append(all, own)
				continue
			}
			own.Subject, own.Type, own.Schema, own.Message = found.Subject, found.Type, found.Text, found.Message
			for _, im := range found.Imports {
				own.Imports = append(own.Imports, importOf(im))
			}
			all = append(all, own)
		}
	}
	slices.SortFunc(all, func(a, b Contract) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(a.Event, b.Event))
	})
	return all, nil
}

// describe gives plain JSON the schema that its Go type derives.
func (c *Contract) describe(k *leat.Kind) {
	c.Type, c.Written = schema.JSONSchema, false
	var s schema.Schema
	text, _, err := jsonschema.Format.Derive(k.Go, k.Type)
	if err == nil {
		s, err = jsonschema.Format.Parse(text, nil)
	}
	if err != nil {
		c.Type, c.Fault = "", err.Error()
		return
	}
	c.Schema, c.Subject = text, schema.SubjectOf(k, s.Name())
}

func importOf(im schema.Import) ContractImport {
	c := ContractImport{Name: im.Name, Schema: im.Text, Indirect: im.Indirect}
	for _, uses := range im.References {
		c.Uses = append(c.Uses, uses.Name)
	}
	return c
}

// SchemaImports are the contract's imports as a schema language takes them.
func (c Contract) SchemaImports() []schema.Import {
	var all []schema.Import
	for _, im := range c.Imports {
		one := schema.Import{Reference: schema.Reference{Name: im.Name}, Text: im.Schema, Indirect: im.Indirect}
		for _, name := range im.Uses {
			one.References = append(one.References, schema.Reference{Name: name})
		}
		all = append(all, one)
	}
	return all
}

// Describe is the manifest of the service with its contracts.
func (c Config) Describe(prefix string) (m Manifest, err error) {
	m = c.Manifest(prefix)
	m.Contracts, err = c.Contracts(prefix)
	return m, err
}
