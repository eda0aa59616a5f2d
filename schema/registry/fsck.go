package registry

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/leatdev/leat/schema"
)

// Finding is something about a log that people should know.
type Finding struct {
	Kind    string `json:"kind"` // POISON, MD5, PARSE, REFERENCE, TWO_IDS, SPELLING
	Subject string `json:"subject,omitempty"`
	Version int32  `json:"version,omitempty"`
	What    string `json:"what"`
}

// Check replays records and looks for what does not fit together: records that can't be used, texts
// that are no schemas, identities that do not fit their texts, references that lead nowhere, schemas
// with two ids, keys that stand in the log in several spellings.
func Check(entries []Entry, languages []schema.Language) (findings []Finding) {
	j := judge{languages: map[schema.Type]schema.Language{}}
	for _, l := range languages {
		j.languages[l.Type()] = l
	}
	s := newState()
	for _, e := range entries {
		before := s.poisoned
		s.apply([]Entry{e}, e.Position+1)
		if s.poisoned > before {
			p := s.poison[len(s.poison)-1]
			findings = append(findings, Finding{Kind: "POISON", What: fmt.Sprintf("record %d, %s: %s", p.Position, p.Key, p.Why)})
		}
	}
	for _, vs := range s.subjects {
		for _, v := range vs {
			findings = append(findings, j.check(s, v)...)
		}
	}
	for k, list := range s.spellings {
		if len(list) > 1 {
			findings = append(findings, Finding{"SPELLING", k.subject, k.version, fmt.Sprintf("the key of %s stands in the log in %d spellings: compaction keeps one record of each; a change or a deletion through this registry takes all of them", k.kind, len(list))})
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	return findings
}

func (j *judge) check(s *state, v *version) (findings []Finding) {
	find := func(kind, format string, args ...any) {
		findings = append(findings, Finding{kind, v.subject, v.number, fmt.Sprintf(format, args...)})
	}
	if got := v.contract.guid(); got != v.guid && !v.contract.metadata.encrypted() {
		find("MD5", "the record says %s, its text and what belongs to it hash to %s", v.guid, got)
	}
	if id, ok := s.idOf(contextOf(v.subject), v.identity()); ok && id != v.id {
		find("TWO_IDS", "the schema has the ids %d and %d", v.id, id)
	}
	missing := false
	for _, r := range v.contract.references {
		if s.version(inContextOf(v.subject, r.Subject), int32(r.Version)) == nil {
			missing = true
			find("REFERENCE", "it refers to version %d of subject %q, which is not there", r.Version, r.Subject)
		}
	}
	if !missing {
		if _, f := j.read(s, v.subject, *v.contract); f != nil {
			find("PARSE", "%s", f.Message)
		}
	}
	return findings
}

// encryptedProperty marks metadata that Confluent's registry encrypted in the log.
const encryptedProperty = "__enc__"

func (m *metadata) encrypted() bool {
	_, ok := m.property(encryptedProperty)
	return ok
}
