package registry

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/leatdev/leat/schema"
)

// apply takes entries into the state. What can't be read is remembered and passed over.
func (s *state) apply(entries []Entry, next int64) {
	for _, e := range entries {
		s.records++
		if err := s.replay(e); err != nil {
			s.poisoned++
			s.poison = append(s.poison, Poison{e.Position, string(e.Key[:min(len(e.Key), 200)]), err.Error()})
			if len(s.poison) > maxPoison {
				s.poison = slices.Delete(s.poison, 0, 1)
			}
		}
	}
	s.position = max(s.position, next)
}

func (s *state) replay(e Entry) error {
	k, numbered, err := parseKey(e.Key)
	if err != nil {
		return err
	}
	s.spell(k, string(e.Key), numbered, e.Value == nil)
	switch k.kind {
	case kindSchema:
		return s.replaySchema(k, e)
	case kindConfig:
		var w *wireConfig
		if err := readValue(e.Value, &w); err != nil {
			return err
		}
		if w == nil {
			delete(s.settings, k.subject)
			return nil
		}
		if w.CompatibilityLevel != "" {
			level, err := schema.ParseLevel(w.CompatibilityLevel)
			if err != nil {
				return fmt.Errorf("read the value: %w", err)
			}
			w.CompatibilityLevel = string(level)
		}
		s.settings[k.subject] = &w.settings
	case kindMode:
		var w *wireMode
		if err := readValue(e.Value, &w); err != nil {
			return err
		}
		if w == nil {
			delete(s.modes, k.subject)
			return nil
		}
		if !w.Mode.valid() {
			return fmt.Errorf("read the value: mode %q is not known", w.Mode)
		}
		s.modes[k.subject] = w.Mode
	case kindDelete:
		w := &wireDelete{Version: math.MaxInt32}
		if err := readValue(e.Value, &w); err != nil || w == nil {
			return err
		}
		for _, v := range s.subjects[k.subject] {
			if v.number <= w.Version {
				s.markDeleted(v)
			}
		}
	case kindClear:
		if e.Value != nil {
			s.clear(k.subject)
		}
	case kindContext:
		if e.Value == nil {
			delete(s.named, k.subject)
		} else {
			s.named[k.subject] = true
		}
	}
	return nil
}

// readValue reads a value of JSON; a tombstone is null.
func readValue(raw []byte, to any) error {
	if raw == nil {
		raw = []byte("null")
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("read the value: %w", err)
	}
	return nil
}

// spell remembers how a key is spelled in the log, where that is not our way.
func (s *state) spell(k key, raw string, numbered, tombstone bool) {
	list, known := s.spellings[k]
	own := string(k.spell())
	if !known {
		if raw == own {
			return
		}
		if s.holds(k) {
			list = []spelling{{raw: own}}
		}
	}
	list = slices.DeleteFunc(slices.Clone(list), func(sp spelling) bool { return sp.raw == raw })
	if !tombstone {
		list = append(list, spelling{raw, numbered})
	}
	if len(list) == 0 || len(list) == 1 && list[0].raw == own {
		delete(s.spellings, k)
	} else {
		s.spellings[k] = list
	}
}

func (s *state) holds(k key) bool {
	switch k.kind {
	case kindSchema:
		return s.version(k.subject, k.version) != nil
	case kindConfig:
		return s.settings[k.subject] != nil
	case kindMode:
		return s.modes[k.subject] != ""
	case kindContext:
		return s.named[k.subject]
	}
	return false
}

// replaySchema puts a version in its place. An id that belongs to another schema of the context is
// no version: the first keeps it.
func (s *state) replaySchema(k key, e Entry) error {
	old := s.version(k.subject, k.version)
	if e.Value == nil {
		if old != nil {
			s.remove(old)
		}
		return nil
	}
	v, err := parseSchema(k, e.Value, e.Time)
	if err != nil {
		return err
	}
	if sc := s.contexts[contextOf(v.subject)]; sc != nil {
		for _, other := range sc.ids[v.id] {
			if other != old && other.identity() != v.identity() {
				return fmt.Errorf("id %d belongs to version %d of subject %q already, which is another schema", v.id, other.number, other.subject)
			}
		}
	}
	if old != nil {
		v.subject = old.subject
		s.remove(old)
	}
	s.add(v)
	return nil
}

func (s *state) add(v *version) {
	vs := s.subjects[v.subject]
	if len(vs) > 0 {
		v.subject = vs[0].subject // one string for all
	}
	i, _ := slices.BinarySearchFunc(vs, v.number, byNumber)
	s.subjects[v.subject] = slices.Insert(vs, i, v)
	s.share(v)

	context := contextOf(v.subject)
	sc := s.contexts[context]
	if sc == nil {
		sc = &scope{ids: map[int32][]*version{}, byID: map[identity]int32{}}
		s.contexts[context] = sc
	}
	sc.ids[v.id] = append(sc.ids[v.id], v)
	sc.byID[v.identity()] = v.id
	sc.highest = max(sc.highest, v.id)
	for _, r := range v.contract.references {
		to := place{inContextOf(v.subject, r.Subject), int32(r.Version)}
		if s.usedBy[to] == nil {
			s.usedBy[to] = map[*version]bool{}
		}
		s.usedBy[to][v] = true
	}
	if !v.deleted {
		s.live++
	}
}

// share gives versions of one identity one contract: a text that a thousand subjects have is kept
// once.
func (s *state) share(v *version) {
	sh := s.contracts[v.identity()]
	if sh == nil {
		s.contracts[v.identity()] = &shared{v.contract, 1}
		return
	}
	sh.users++
	if sh.contract.text == v.contract.text {
		v.contract = sh.contract
	}
}

func (s *state) remove(v *version) {
	vs := s.subjects[v.subject]
	i, _ := slices.BinarySearchFunc(vs, v.number, byNumber)
	if vs = slices.Delete(vs, i, i+1); len(vs) == 0 {
		delete(s.subjects, v.subject)
	} else {
		s.subjects[v.subject] = vs
	}
	if sh := s.contracts[v.identity()]; sh.users == 1 {
		delete(s.contracts, v.identity())
	} else {
		sh.users--
	}
	s.removeID(s.contexts[contextOf(v.subject)], v)
	for _, r := range v.contract.references {
		to := place{inContextOf(v.subject, r.Subject), int32(r.Version)}
		if delete(s.usedBy[to], v); len(s.usedBy[to]) == 0 {
			delete(s.usedBy, to)
		}
	}
	if !v.deleted {
		s.live--
	}
}

// removeID takes a version from its id. A schema that was imported under two ids is found by the
// other one then.
func (s *state) removeID(sc *scope, v *version) {
	left := slices.DeleteFunc(sc.ids[v.id], func(other *version) bool { return other == v })
	if len(left) > 0 {
		sc.ids[v.id] = left
		return
	}
	delete(sc.ids, v.id)
	if sc.byID[v.identity()] != v.id {
		return
	}
	delete(sc.byID, v.identity())
	if s.contracts[v.identity()] == nil {
		return
	}
	for id, vs := range sc.ids {
		if vs[0].identity() == v.identity() {
			sc.byID[v.identity()] = id
		}
	}
}

func (s *state) markDeleted(v *version) {
	if !v.deleted {
		v.deleted = true
		s.live--
	}
}

// clear forgets the deleted versions of a subject, or of the subjects of a context.
func (s *state) clear(subject string) {
	for _, name := range s.matching(subject, true) {
		for _, v := range slices.Clone(s.subjects[name]) {
			if v.deleted {
				s.remove(v)
			}
		}
	}
}
