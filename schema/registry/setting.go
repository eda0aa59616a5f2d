package registry

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// configure decides on a change of settings: what a request does not name stays, null clears.
func (s *state) configure(subject string, request map[string]json.RawMessage) ([]Record, *Fault) {
	if f := s.mayDelete(subject); f != nil {
		return nil, f
	}
	var next settings
	if old := s.settings[subject]; old != nil {
		next = *old
	}
	if f := next.merge(request); f != nil {
		return nil, f
	}
	k := key{kind: kindConfig, subject: subject}
	return []Record{{Key: s.keyFor(k), Value: compactJSON(wireConfig{subject, next})}}, nil
}

func (c *settings) merge(request map[string]json.RawMessage) *Fault {
	for name, raw := range request {
		var to any
		switch name {
		case "compatibility", "compatibilityLevel":
			to = &c.CompatibilityLevel
		case "alias":
			to = &c.Alias
		case "normalize":
			to = &c.Normalize
		case "validateFields":
			to = &c.ValidateFields
		case "validateRules":
			to = &c.ValidateRules
		case "compatibilityPolicy":
			to = &c.CompatibilityPolicy
		case "compatibilityGroup":
			to = &c.CompatibilityGroup
		case "defaultMetadata":
			to = &c.DefaultMetadata
		case "overrideMetadata":
			to = &c.OverrideMetadata
		case "defaultRuleSet":
			to = &c.DefaultRuleSet
		case "overrideRuleSet":
			to = &c.OverrideRuleSet
		default:
			return fault(42200, "Unrecognized field: %s", name)
		}
		if text, ok := to.(*string); ok && bytes.Equal(raw, []byte("null")) {
			*text = ""
			continue
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return fault(400, "%s: %v", name, err)
		}
	}
	return c.check()
}

// check holds the settings to what is known, and spells it as it is known.
func (c *settings) check() *Fault {
	if c.CompatibilityLevel != "" {
		level, err := schema.ParseLevel(c.CompatibilityLevel)
		if err != nil {
			return invalidLevel()
		}
		c.CompatibilityLevel = string(level)
	}
	if c.CompatibilityPolicy = strings.ToUpper(c.CompatibilityPolicy); c.CompatibilityPolicy != "" {
		if !slices.Contains([]string{"STRICT", "LENIENT", "LOGICAL"}, c.CompatibilityPolicy) {
			return fault(42203, "Invalid compatibility policy. Valid values are strict, lenient and logical")
		}
	}
	for _, rules := range []*ruleSet{c.DefaultRuleSet, c.OverrideRuleSet} {
		if err := rules.validate(); err != nil {
			return invalidRules(err)
		}
	}
	return nil
}

// unconfigure decides on taking settings back.
func (s *state) unconfigure(subject string) (old settings, records []Record, f *Fault) {
	if f := s.mayDelete(subject); f != nil {
		return settings{}, nil, f
	}
	had := s.settings[subject]
	if had == nil {
		if subject != "" {
			return settings{}, nil, noSubject(subject)
		}
		return settings{}, nil, nil
	}
	return *had, s.tombstones(key{kind: kindConfig, subject: subject}), nil
}

// setMode decides on a mode. What is to be imported into has to be empty, unless force says that ids
// may meet; deleted versions go for good then.
func (s *state) setMode(subject, text string, force bool) (records []Record, f *Fault) {
	m := mode(strings.ToUpper(text))
	if !m.valid() {
		return nil, invalidMode()
	}
	if m == importing && s.modeOf(subject) != importing && !force {
		if s.has(subject, false) {
			return nil, notPermitted("Cannot import since found existing subjects")
		}
		if records, f = s.sweep(subject); f != nil {
			return nil, f
		}
	}
	k := key{kind: kindMode, subject: subject}
	return append(records, Record{Key: s.keyFor(k), Value: compactJSON(wireMode{subject, m})}), nil
}

// sweep takes the deleted versions of a scope away for good.
func (s *state) sweep(subject string) (records []Record, f *Fault) {
	for _, name := range s.matching(subject, true) {
		for _, v := range slices.Backward(s.subjects[name]) {
			for _, user := range s.usersOf(name, v.number, true) {
				if context, plain := splitSubject(subject); user.subject != subject && (plain != "" || contextOf(user.subject) != context) {
					return nil, stillReferenced(name, v.number)
				}
			}
			records = append(records, s.tombstones(key{kindSchema, name, v.number})...)
		}
	}
	k := key{kind: kindClear, subject: subject}
	return append(records, Record{Key: s.keyFor(k), Value: compactJSON(wireClear{subject})}), nil
}

// wireClear is the value of a CLEAR_SUBJECT record.
type wireClear struct {
	Subject string `json:"subject"`
}

// unsetMode decides on taking a mode back, with recursive that of all subjects of a context too.
func (s *state) unsetMode(subject string, recursive bool) (old mode, records []Record, f *Fault) {
	old, had := s.modes[subject]
	if had {
		records = s.tombstones(key{kind: kindMode, subject: subject})
	}
	if context, name := splitSubject(subject); recursive && name == "" {
		for other := range s.modes {
			if other != subject && contextOf(other) == context {
				had = true
				records = append(records, s.tombstones(key{kind: kindMode, subject: other})...)
			}
		}
	}
	if !had && subject != "" {
		return "", nil, noSubject(subject)
	}
	if old == "" {
		old = readWrite
	}
	return old, records, nil
}

// aliased is the subject that a subject stands for.
func (s *state) aliased(subject string) string {
	if _, name := splitSubject(subject); name == "" {
		return subject
	}
	if c := s.settings[subject]; c != nil && c.Alias != "" {
		return inContextOf(subject, c.Alias)
	}
	return subject
}
