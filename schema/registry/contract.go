package registry

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/leatdev/leat/schema"
)

// metadata is what people say of a schema.
type metadata struct {
	Tags       map[string][]string `json:"tags,omitempty"`
	Properties map[string]string   `json:"properties,omitempty"`
	Sensitive  []string            `json:"sensitive,omitempty"`
}

// ruleSet are the rules that clients carry out on the data of a schema. The registry keeps them and
// hands them out.
type ruleSet struct {
	MigrationRules []rule `json:"migrationRules,omitempty"`
	DomainRules    []rule `json:"domainRules,omitempty"`
	EncodingRules  []rule `json:"encodingRules,omitempty"`
	EnableAt       string `json:"enableAt,omitempty"`
}

// rule is one of them.
type rule struct {
	Name      string            `json:"name,omitempty"`
	Doc       string            `json:"doc,omitempty"`
	Kind      string            `json:"kind,omitempty"`
	Mode      string            `json:"mode,omitempty"`
	Type      string            `json:"type,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Expr      string            `json:"expr,omitempty"`
	OnSuccess string            `json:"onSuccess,omitempty"`
	OnFailure string            `json:"onFailure,omitempty"`
	Disabled  bool              `json:"disabled"`
}

// contract is all of a schema that makes its identity.
type contract struct {
	kind       schema.Type
	text       string
	references []schema.Reference
	metadata   *metadata
	rules      *ruleSet
}

// guid hashes the contract. The type of the schema is no part of it.
func (c contract) guid() schema.GUID {
	h := make([]byte, 0, len(c.text)+256)
	h = append(h, c.text...)
	for _, r := range c.references {
		h = append(append(h, r.Name...), r.Subject...)
		h = binary.BigEndian.AppendUint32(h, uint32(r.Version))
	}
	if c.metadata != nil {
		h = c.metadata.hashed(append(h, 1))
	}
	if c.rules != nil {
		h = append(h, 1)
		for _, rules := range [][]rule{c.rules.MigrationRules, c.rules.DomainRules, c.rules.EncodingRules} {
			for _, r := range rules {
				h = r.hashed(h)
			}
		}
		h = append(h, c.rules.EnableAt...)
	}
	return md5.Sum(h)
}

func (m *metadata) hashed(h []byte) []byte {
	for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
		h = append(h, name...)
		h = appendSorted(h, m.Tags[name])
	}
	h = appendMap(h, m.Properties)
	return appendSorted(h, m.Sensitive)
}

func (r rule) hashed(h []byte) []byte {
	h = append(append(append(append(append(h, r.Name...), r.Doc...), r.Kind...), r.Mode...), r.Type...)
	h = appendSorted(h, r.Tags)
	h = appendMap(h, r.Params)
	h = append(append(append(h, r.Expr...), r.OnSuccess...), r.OnFailure...)
	if r.Disabled {
		h = append(h, 1)
	}
	return h
}

func appendSorted(h []byte, texts []string) []byte {
	for _, t := range slices.Sorted(slices.Values(texts)) {
		h = append(h, t...)
	}
	return h
}

func appendMap(h []byte, m map[string]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		h = append(append(h, name...), m[name]...)
	}
	return h
}

// versionProperty is the property that keeps a version's number, where someone asked for one.
const versionProperty = "confluent:version"

// property is one of the metadata's, "" where there is none.
func (m *metadata) property(name string) (string, bool) {
	if m == nil {
		return "", false
	}
	v, ok := m.Properties[name]
	return v, ok
}

// with is the metadata with a property set.
func (m *metadata) with(name, value string) *metadata {
	return mergeMetadata(m, &metadata{Properties: map[string]string{name: value}})
}

// mergeMetadata lets the second overrule the first, name by name.
func mergeMetadata(first, second *metadata) *metadata {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	m := &metadata{Tags: mergeMap(first.Tags, second.Tags), Properties: mergeMap(first.Properties, second.Properties)}
	m.Sensitive = slices.Compact(slices.Sorted(slices.Values(slices.Concat(first.Sensitive, second.Sensitive))))
	return m
}

func mergeMap[V any](first, second map[string]V) map[string]V {
	if len(first)+len(second) == 0 {
		return nil
	}
	m := make(map[string]V, len(first)+len(second))
	maps.Copy(m, first)
	maps.Copy(m, second)
	return m
}

// mergeRules lets the second overrule the first, rule by rule of a name.
func mergeRules(first, second *ruleSet) *ruleSet {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	at := second.EnableAt
	if at == "" {
		at = first.EnableAt
	}
	return &ruleSet{
		MigrationRules: mergeRule(first.MigrationRules, second.MigrationRules),
		DomainRules:    mergeRule(first.DomainRules, second.DomainRules),
		EncodingRules:  mergeRule(first.EncodingRules, second.EncodingRules),
		EnableAt:       at,
	}
}

func mergeRule(first, second []rule) []rule {
	overruled := func(r rule) bool {
		return slices.ContainsFunc(second, func(s rule) bool { return s.Name == r.Name })
	}
	return slices.Concat(slices.DeleteFunc(slices.Clone(first), overruled), second)
}

// validate holds rules to what clients can carry out.
func (s *ruleSet) validate() error {
	if s == nil {
		return nil
	}
	names := map[string]bool{}
	for _, group := range []struct {
		rules []rule
		modes []string
	}{
		{s.MigrationRules, []string{"UPGRADE", "DOWNGRADE", "UPDOWN"}},
		{s.DomainRules, []string{"WRITE", "READ", "WRITEREAD"}},
		{s.EncodingRules, []string{"WRITE", "READ", "WRITEREAD"}},
	} {
		for _, r := range group.rules {
			if err := r.validate(group.modes); err != nil {
				return err
			}
			if names[r.Name] {
				return fmt.Errorf("two rules are named '%s'", r.Name)
			}
			names[r.Name] = true
		}
	}
	return nil
}

func (r rule) validate(modes []string) error {
	switch {
	case r.Name == "":
		return errors.New("rule name is empty")
	case !unicode.IsLetter(rune(r.Name[0])) && r.Name[0] != '_':
		return fmt.Errorf("rule name %q begins with neither a letter nor an underscore", r.Name)
	case r.Type == "":
		return fmt.Errorf("rule %q has no type", r.Name)
	case r.Kind != "" && r.Kind != "TRANSFORM" && r.Kind != "CONDITION":
		return fmt.Errorf("rule %q is of kind %q, want TRANSFORM or CONDITION", r.Name, r.Kind)
	case r.Mode != "" && !slices.Contains(modes, r.Mode):
		return fmt.Errorf("rule %q has mode %q, want one of %s", r.Name, r.Mode, strings.Join(modes, ", "))
	}
	return nil
}
