package registry

import (
	"reflect"
	"slices"
	"strconv"
)

// lookup finds the version of a subject that a schema is, or nil. With nothing found as it stands,
// it is looked for as a register would populate it.
func (j *judge) lookup(s *state, c candidate, normalize, deleted bool) (*version, *Fault) {
	in := s.settingsOf(c.subject, j.level)
	v, f := j.find(s, c, normalize || isTrue(in.Normalize), deleted)
	if v != nil || f != nil {
		return v, f
	}
	prev := s.latest(c.subject)
	if prev == nil {
		return nil, nil
	}
	populated := c
	populated.contract.populate(in, prev, 0)
	if reflect.DeepEqual(populated.contract, c.contract) {
		return nil, nil
	}
	return j.find(s, populated, normalize || isTrue(in.Normalize), deleted)
}

// lookupAnywhere looks under the subject, then, where it names no context, under that subject of the
// other contexts.
func (j *judge) lookupAnywhere(s *state, c candidate, normalize, deleted bool) (*version, *Fault) {
	v, f := j.lookup(s, c, normalize, deleted)
	context, name := splitSubject(c.subject)
	if v != nil || f != nil || context != defaultContext {
		return v, f
	}
	for _, other := range s.contextNames()[1:] {
		c.subject = joinSubject(other, name)
		if !s.has(c.subject, deleted) {
			continue
		}
		if v, f := j.lookup(s, c, normalize, deleted); v != nil || f != nil {
			return v, f
		}
	}
	return nil, nil
}

// find looks for the schema as it stands: by its identity, then for one that means the same.
func (j *judge) find(s *state, c candidate, normalize, deleted bool) (*version, *Fault) {
	p, f := j.canonical(s, c.subject, c.contract, normalize)
	if p == nil || f != nil {
		return nil, f
	}
	if id, ok := s.idOf(contextOf(c.subject), p.identity()); ok {
		if v := s.under(c.subject, id); v != nil && v.identity() == p.identity() && (deleted || !v.deleted) {
			return v, nil
		}
	}
	for _, v := range slices.Backward(s.versions(c.subject)) {
		if (deleted || !v.deleted) && j.same(s, p, v) {
			return v, nil
		}
	}
	return nil, nil
}

// findLatest is the latest version if the schema means that.
func (j *judge) findLatest(s *state, c candidate, normalize bool) (*version, *Fault) {
	p, f := j.canonical(s, c.subject, c.contract, normalize)
	if latest := s.latest(c.subject); p != nil && latest != nil && j.same(s, p, latest) {
		return latest, nil
	}
	return nil, f
}

func (p *parsed) identity() identity { return identity{p.guid(), p.kind} }

// same says whether a schema means a version although it is another text: its references may be
// resolved in it, and its number missing from the metadata.
func (j *judge) same(s *state, p *parsed, v *version) bool {
	if p.kind != v.contract.kind || !sameMetadata(p.metadata, v.contract.metadata) || !sameRules(p.rules, v.contract.rules) {
		return false
	}
	if slices.Equal(p.references, v.contract.references) {
		return p.text == v.contract.text
	}
	if len(p.references) > 0 || len(v.contract.references) == 0 {
		return false
	}
	old, f := j.read(s, v.subject, *v.contract)
	if f != nil {
		return false
	}
	resolved, err := old.As("resolved")
	if err != nil {
		return false
	}
	language := j.languages[p.kind]
	whole, err := language.Parse(resolved, nil)
	return err == nil && whole.Canonical() == p.Canonical()
}

// sameMetadata leaves the version's number out where one side has none.
func sameMetadata(a, b *metadata) bool {
	_, inA := a.property(versionProperty)
	_, inB := b.property(versionProperty)
	if inA != inB {
		a, b = a.without(versionProperty), b.without(versionProperty)
	}
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(*a, *b)
}

// without is the metadata less a property; nothing is left of metadata that has nothing else.
func (m *metadata) without(name string) *metadata {
	if m == nil {
		return nil
	}
	less := *m
	less.Properties = mergeMap(m.Properties, nil)
	if delete(less.Properties, name); len(less.Properties) == 0 {
		less.Properties = nil
	}
	if less.Properties == nil && len(less.Tags) == 0 && len(less.Sensitive) == 0 {
		return nil
	}
	return &less
}

func sameRules(a, b *ruleSet) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(*a, *b)
}

// populate gives a contract what its subject's settings and its predecessor bring. next is the number
// that it would get, 0 where none is at stake; it is noted where someone asked for it.
func (c *contract) populate(in settings, prev *version, next int32) {
	own, rules := c.metadata, c.rules
	if own == nil && prev != nil {
		own = prev.contract.metadata
	}
	if rules == nil && prev != nil {
		rules = prev.contract.rules
	}
	merged := mergeMetadata(mergeMetadata(in.DefaultMetadata, own), in.OverrideMetadata)
	if _, noted := merged.property(versionProperty); noted && next > 0 {
		merged = merged.with(versionProperty, strconv.Itoa(int(next)))
	}
	c.metadata = merged
	c.rules = mergeRules(mergeRules(in.DefaultRuleSet, rules), in.OverrideRuleSet)
}

func isTrue(b *bool) bool { return b != nil && *b }

// form is the text of a version in another form, as a request asks for it.
func (j *judge) form(s *state, v *version, form string) (string, *Fault) {
	if form == "" {
		return v.contract.text, nil
	}
	p, f := j.read(s, v.subject, *v.contract)
	if f != nil {
		return "", f
	}
	text, err := p.As(form)
	if err != nil {
		return "", invalidSchema(err.Error())
	}
	return text, nil
}
