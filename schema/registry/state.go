package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// version is one schema of one subject.
type version struct {
	subject  string // in its one spelling
	number   int32
	id       int32
	deleted  bool
	guid     schema.GUID
	at       int64     // when it was written, Unix milliseconds
	contract *contract // shared by all versions of one identity
}

// identity tells schemas apart. The GUID leaves the type out.
type identity struct {
	guid schema.GUID
	kind schema.Type
}

func (v *version) identity() identity { return identity{v.guid, v.contract.kind} }

// place is a version by its name.
type place struct {
	subject string
	number  int32
}

// scope is a context: ids are unique in it.
type scope struct {
	ids     map[int32][]*version
	byID    map[identity]int32
	highest int32 // id that was ever seen
}

// shared is a contract with the number of versions that have it.
type shared struct {
	contract *contract
	users    int
}

// Poison is a record that could not be taken into the state.
type Poison struct {
	Position int64  `json:"position"`
	Key      string `json:"key"` // its beginning
	Why      string `json:"why"`
}

// spelling is a key as it stands in the log.
type spelling struct {
	raw      string
	numbered bool
}

// state is the replay of a log. It knows no clock, no languages and no I/O; whoever shares it guards
// it.
type state struct {
	position  int64 // behind the last record
	subjects  map[string][]*version
	contexts  map[string]*scope
	named     map[string]bool // contexts with a record of their own
	settings  map[string]*settings
	modes     map[string]mode
	usedBy    map[place]map[*version]bool // versions that refer to one
	contracts map[identity]*shared
	spellings map[key][]spelling // of keys that stand in the log in other spellings than ours, newest last

	records  int64
	live     int // versions that are not deleted
	poisoned int64
	poison   []Poison // the last few
}

// maxPoison is how many records that can't be read are remembered for people to see.
const maxPoison = 100

func newState() *state {
	return &state{
		subjects: map[string][]*version{}, contexts: map[string]*scope{}, named: map[string]bool{},
		settings: map[string]*settings{}, modes: map[string]mode{},
		usedBy: map[place]map[*version]bool{}, contracts: map[identity]*shared{}, spellings: map[key][]spelling{},
	}
}

// versions are all of a subject, deleted ones too, in ascending order.
func (s *state) versions(subject string) []*version { return s.subjects[subject] }

// version is one of a subject, or nil.
func (s *state) version(subject string, number int32) *version {
	vs := s.subjects[subject]
	if i, ok := slices.BinarySearchFunc(vs, number, byNumber); ok {
		return vs[i]
	}
	return nil
}

func byNumber(v *version, number int32) int { return cmp.Compare(v.number, number) }

// latest is the newest version that is not deleted, or nil.
func (s *state) latest(subject string) *version {
	for _, v := range slices.Backward(s.subjects[subject]) {
		if !v.deleted {
			return v
		}
	}
	return nil
}

// has says whether the subject has versions; for the name of a context, whether one of its subjects
// has.
func (s *state) has(subject string, deleted bool) bool {
	return len(s.matching(subject, deleted)) > 0
}

// matching are the names of the subjects that a subject or a context's name means, sorted.
func (s *state) matching(subject string, deleted bool) (names []string) {
	context, name := splitSubject(subject)
	if name != "" {
		if s.counts(subject, deleted) {
			return []string{subject}
		}
		return nil
	}
	for other := range s.subjects {
		if (context == globalContext || contextOf(other) == context) && s.counts(other, deleted) {
			names = append(names, other)
		}
	}
	slices.Sort(names)
	return names
}

func (s *state) counts(subject string, deleted bool) bool {
	return slices.ContainsFunc(s.subjects[subject], func(v *version) bool { return deleted || !v.deleted })
}

// withPrefix are the names of all subjects that begin so, sorted; ":*:" before it means any context.
func (s *state) withPrefix(prefix string) []string {
	rest, everywhere := strings.CutPrefix(prefix, anyContext)
	if !everywhere && strings.HasPrefix(prefix, ":.:") {
		prefix = prefix[3:]
	}
	var names []string
	for name := range s.subjects {
		context, plain := splitSubject(name)
		switch {
		case everywhere && strings.HasPrefix(plain, rest), !everywhere && strings.HasPrefix(name, prefix):
			if everywhere || context == defaultContext || strings.HasPrefix(prefix, ":") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// contextNames are all contexts, the default one first.
func (s *state) contextNames() []string {
	names := map[string]bool{}
	maps.Copy(names, s.named)
	for name, sc := range s.contexts {
		if len(sc.ids) > 0 {
			names[name] = true
		}
	}
	delete(names, defaultContext)
	return append([]string{defaultContext}, slices.Sorted(maps.Keys(names))...)
}

// byID is a version with the id in the subject's context: of the subject itself where one is named.
func (s *state) byID(id int32, subject string) *version {
	context, name := splitSubject(subject)
	sc := s.contexts[context]
	if sc == nil {
		return nil
	}
	vs := sc.ids[id]
	if name == "" {
		if len(vs) > 0 {
			return vs[0]
		}
		return nil
	}
	for _, v := range slices.Backward(vs) {
		if v.subject == subject {
			return v
		}
	}
	return nil
}

// byIDAnywhere looks for an id under a subject, then, where no context is named, under that subject
// of the other contexts, and then for the id alone.
func (s *state) byIDAnywhere(id int32, subject string) *version {
	v := s.byID(id, subject)
	context, name := splitSubject(subject)
	if v != nil || name == "" || context != defaultContext {
		return v
	}
	for _, other := range s.contextNames()[1:] {
		if v := s.byID(id, joinSubject(other, name)); v != nil {
			return v
		}
	}
	return s.byID(id, "")
}

// idOf is the id of a schema in a context.
func (s *state) idOf(context string, who identity) (int32, bool) {
	sc := s.contexts[context]
	if sc == nil {
		return 0, false
	}
	id, ok := sc.byID[who]
	return id, ok
}

// under is the version of a subject that has the id, the newest; a live one before a deleted one.
func (s *state) under(subject string, id int32) *version {
	var found *version
	for _, v := range s.subjects[subject] {
		if v.id == id && (found == nil || !v.deleted || found.deleted) {
			found = v
		}
	}
	return found
}

// usersOf are the versions that refer to one.
func (s *state) usersOf(subject string, number int32, deleted bool) (users []*version) {
	for v := range s.usedBy[place{subject, number}] {
		if deleted || !v.deleted {
			users = append(users, v)
		}
	}
	return users
}

// settingsOf is what holds for a subject: the nearest scope's settings, with the level of a farther
// one where it sets none.
func (s *state) settingsOf(subject string, fallback schema.Level) settings {
	var found *settings
	level := ""
	for _, scope := range scopes(subject) {
		c := s.settings[scope]
		if c == nil {
			continue
		}
		if found == nil {
			found = c
		}
		if level == "" {
			level = c.CompatibilityLevel
		}
	}
	if level == "" {
		level = string(fallback)
	}
	var in settings
	if found != nil {
		in = *found
	}
	in.CompatibilityLevel = level
	return in
}

// modeOf is the mode that holds for a subject.
func (s *state) modeOf(subject string) mode {
	for _, top := range []string{"", joinSubject(globalContext, "")} {
		if s.modes[top] == readOnlyOverride {
			return readOnlyOverride
		}
	}
	for _, scope := range scopes(subject) {
		if m, ok := s.modes[scope]; ok {
			return m
		}
	}
	return readWrite
}

// keyFor is the key under which a record is to be written: the newest spelling that stands in the
// log, so that compaction leaves one record.
func (s *state) keyFor(k key) []byte {
	for _, sp := range slices.Backward(s.spellings[k]) {
		if !sp.numbered {
			return []byte(sp.raw)
		}
	}
	return k.spell()
}

// tombstones are the records that delete a key in all its spellings.
func (s *state) tombstones(k key) (records []Record) {
	for _, sp := range s.spellings[k] {
		records = append(records, Record{Key: []byte(sp.raw)})
	}
	if records == nil {
		records = []Record{{Key: k.spell()}}
	}
	return records
}
