package registry

import "slices"

// deleteVersion decides on the deletion of a version: soft, it can still be found by its id; or for
// good, which has to come second.
func (s *state) deleteVersion(subject string, number int32, latest, permanent bool) (deleted int32, records []Record, f *Fault) {
	v := s.version(subject, number)
	if latest {
		v, number = s.latest(subject), -1
	}
	switch {
	case v == nil && !s.has(subject, true):
		return 0, nil, noSubject(subject)
	case v == nil:
		return 0, nil, noVersion(number)
	case !permanent && v.deleted:
		return 0, nil, versionSoftDeleted(subject, v.number)
	}
	if f := s.mayDelete(subject); f != nil {
		return 0, nil, f
	}
	switch {
	case len(s.usersOf(subject, v.number, permanent)) > 0:
		return 0, nil, stillReferenced(subject, v.number)
	case permanent && !v.deleted:
		return 0, nil, versionNotSoftDeleted(subject, v.number)
	}
	k := key{kindSchema, subject, v.number}
	if permanent {
		records = s.tombstones(k)
		if len(s.subjects[subject]) == 1 {
			records = append(records, s.unset(subject)...)
		}
		return v.number, records, nil
	}
	gone := *v
	gone.deleted = true
	records = []Record{{Key: s.keyFor(k), Value: gone.value()}}
	if len(s.liveNewestFirst(subject)) == 1 {
		records = append(records, s.unset(subject)...)
	}
	return v.number, records, nil
}

// deleteSubject decides on the deletion of all versions of a subject.
func (s *state) deleteSubject(subject string, permanent bool) (numbers []int32, records []Record, f *Fault) {
	vs := s.subjects[subject]
	switch {
	case len(vs) == 0:
		return nil, nil, noSubject(subject)
	case !permanent && !s.has(subject, false):
		return nil, nil, subjectSoftDeleted(subject)
	}
	if f := s.mayDelete(subject); f != nil {
		return nil, nil, f
	}
	for _, v := range vs {
		if v.deleted && !permanent {
			continue
		}
		if len(s.usersOf(subject, v.number, permanent)) > 0 {
			return nil, nil, stillReferenced(subject, v.number)
		}
		if permanent && !v.deleted {
			return nil, nil, subjectNotSoftDeleted(subject)
		}
		numbers = append(numbers, v.number)
	}
	if !permanent {
		k := key{kind: kindDelete, subject: subject}
		records = []Record{{Key: s.keyFor(k), Value: compactJSON(wireDelete{subject, numbers[len(numbers)-1]})}}
		return numbers, append(records, s.unset(subject)...), nil
	}
	// The highest go first: a crash in between leaves no gap below, and numbers are not given again.
	for _, number := range slices.Backward(numbers) {
		records = append(records, s.tombstones(key{kindSchema, subject, number})...)
	}
	return numbers, append(records, s.unset(subject)...), nil
}

func (s *state) mayDelete(subject string) *Fault {
	if m := s.modeOf(subject); m == readOnly || m == readOnlyOverride {
		return notPermitted("Subject %s in context %s is in read-only mode", subject, joinSubject(contextOf(subject), ""))
	}
	return nil
}

// unset are the tombstones of a subject's own mode and settings.
func (s *state) unset(subject string) (records []Record) {
	if _, ok := s.modes[subject]; ok {
		records = append(records, s.tombstones(key{kind: kindMode, subject: subject})...)
	}
	if s.settings[subject] != nil {
		records = append(records, s.tombstones(key{kind: kindConfig, subject: subject})...)
	}
	return records
}

// deleteContext decides on the deletion of a context, which has to be empty.
func (s *state) deleteContext(context string) ([]Record, *Fault) {
	prefix := joinSubject(context, "")
	if len(s.matching(prefix, true)) > 0 {
		return nil, contextNotEmpty(context)
	}
	records := s.unset(prefix)
	if s.named[context] {
		records = append(records, s.tombstones(key{kind: kindContext, subject: context})...)
	}
	return records, nil
}
