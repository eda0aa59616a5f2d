package registry

import (
	"math"
	"strconv"
	"strings"
)

// register decides on a new schema: it is the version of its subject that it already is, or the
// records that make it one, or a fault.
func (j *judge) register(s *state, c candidate, normalize bool) (is *version, records []Record, f *Fault) {
	if err := c.contract.rules.validate(); err != nil {
		return nil, nil, invalidRules(err)
	}
	if is, f := j.standing(s, c, normalize); is != nil || f != nil {
		return is, nil, f
	}
	if f := s.mayRegister(c); f != nil {
		return nil, nil, f
	}
	in, m := s.settingsOf(c.subject, j.level), s.modeOf(c.subject)
	normalize = normalize || isTrue(in.Normalize)
	next := s.nextNumber(c.subject)
	if f := j.fill(s, &c, in, m, next); f != nil {
		return nil, nil, f
	}
	p, f := j.canonical(s, c.subject, c.contract, normalize)
	switch {
	case f != nil:
		return nil, nil, f
	case p == nil:
		return nil, nil, invalidSchema("Empty schema")
	}
	if is := j.already(s, &c, p); is != nil {
		return is, nil, nil
	}
	if !m.imports() {
		why, f := j.compatible(s, in, p, s.liveNewestFirst(c.subject))
		if f != nil {
			return nil, nil, f
		}
		if len(why) > 0 {
			return nil, nil, incompatible(c.subject, "["+strings.Join(why, ", ")+"]")
		}
	}
	if c.number <= 0 {
		c.number = next
	} else if c.number != next && !m.imports() {
		return nil, nil, invalidSchema("Version is not one more than previous version")
	}
	if c.id, f = s.giveID(c, p); f != nil {
		return nil, nil, f
	}
	return nil, s.recordsOf(c, p), nil
}

// standing is the live version that a candidate already is as it stands, whatever the mode: nothing
// has to be written for it. Where the subject's settings would add to the candidate, there is none.
func (j *judge) standing(s *state, c candidate, normalize bool) (*version, *Fault) {
	in := s.settingsOf(c.subject, j.level)
	if in.populates() {
		return nil, nil
	}
	normalize = normalize || isTrue(in.Normalize)
	find := func() (*version, *Fault) { return j.find(s, c, normalize, false) }
	if c.number == -1 {
		find = func() (*version, *Fault) { return j.findLatest(s, c, normalize) }
	}
	is, f := find()
	switch {
	case is == nil:
		return nil, f
	case c.number <= 0 && (c.id < 0 || c.id == is.id), c.id == is.id && c.number == is.number:
		return is, nil
	}
	// An import may have given one schema several versions.
	if other := s.version(c.subject, c.number); c.id == is.id && other != nil && !other.deleted && other.id == is.id && other.identity() == is.identity() {
		return other, nil
	}
	return nil, nil
}

func (s *state) mayRegister(c candidate) *Fault {
	context := joinSubject(contextOf(c.subject), "")
	switch m := s.modeOf(c.subject); {
	case m == readOnly || m == readOnlyOverride:
		return notPermitted("Subject %s in context %s is in read-only mode", c.subject, context)
	case c.id >= 0 && !m.imports():
		return notPermitted("Subject %s in context %s is not in import mode", c.subject, context)
	case c.id < 0 && m != readWrite:
		return notPermitted("Subject %s in context %s is not in read-write mode", c.subject, context)
	}
	return nil
}

func (c settings) populates() bool {
	return c.DefaultMetadata != nil || c.OverrideMetadata != nil || c.DefaultRuleSet != nil || c.OverrideRuleSet != nil
}

func (s *state) nextNumber(subject string) int32 {
	if vs := s.subjects[subject]; len(vs) > 0 {
		return vs[len(vs)-1].number + 1
	}
	return 1
}

// fill gives a candidate what its predecessor and its subject's settings bring. An import brings
// everything itself.
func (j *judge) fill(s *state, c *candidate, in settings, m mode, next int32) *Fault {
	if m.imports() {
		return nil
	}
	prev := s.latest(c.subject)
	if strings.TrimSpace(c.contract.text) == "" {
		if prev == nil {
			return invalidSchema("Empty schema")
		}
		c.contract.text, c.contract.kind, c.contract.references = prev.contract.text, prev.contract.kind, prev.contract.references
	}
	c.contract.populate(in, prev, next)
	if c.number != 0 {
		c.contract.metadata = c.contract.metadata.with(versionProperty, strconv.Itoa(int(next)))
	}
	return nil
}

// already finds the live version that a candidate is, if it asks for no version of its own. Where
// only its id is known, the candidate takes that.
func (j *judge) already(s *state, c *candidate, p *parsed) *version {
	if id, ok := s.idOf(contextOf(c.subject), p.identity()); ok && (c.id < 0 || c.id == id) {
		if v := s.under(c.subject, id); c.number == 0 && v != nil && !v.deleted {
			return v
		}
		c.id = id
	}
	if c.number != 0 {
		return nil
	}
	for _, v := range s.liveNewestFirst(c.subject) {
		if (c.id < 0 || c.id == v.id) && j.same(s, p, v) {
			return v
		}
	}
	return nil
}

// giveID is the id that the candidate has or gets: one more than the highest that its context ever
// had.
func (s *state) giveID(c candidate, p *parsed) (int32, *Fault) {
	sc := s.contexts[contextOf(c.subject)]
	switch {
	case sc == nil && c.id < 0:
		return 1, nil
	case sc == nil:
		return c.id, nil
	}
	if c.id >= 0 {
		for _, v := range sc.ids[c.id] {
			if v.identity() != p.identity() {
				return 0, notPermitted("Overwrite new schema with id %d in context %s is not permitted.", c.id, joinSubject(contextOf(c.subject), ""))
			}
		}
		return c.id, nil
	}
	if sc.highest == math.MaxInt32 {
		return 0, fault(50001, "Error while registering the schema: there are no ids left")
	}
	return sc.highest + 1, nil
}

// recordsOf are what makes a candidate a version: its context's name where that is new, tombstones of
// deleted versions that it takes the place of, and itself.
func (s *state) recordsOf(c candidate, p *parsed) (records []Record) {
	if context := contextOf(c.subject); context != defaultContext && !s.named[context] {
		k := key{kind: kindContext, subject: context}
		records = append(records, Record{Key: s.keyFor(k), Value: compactJSON(wireContext{"default", context})})
	}
	for _, old := range s.subjects[c.subject] {
		if old.deleted && old.id == c.id && old.number < c.number && len(s.usersOf(old.subject, old.number, true)) == 0 {
			records = append(records, s.tombstones(key{kindSchema, old.subject, old.number})...)
		}
	}
	v := &version{subject: c.subject, number: c.number, id: c.id, guid: p.guid(), contract: &p.contract}
	k := key{kindSchema, c.subject, c.number}
	return append(records, Record{Key: s.keyFor(k), Value: v.value()})
}
