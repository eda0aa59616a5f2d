package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// reservedProperty names the fields that are kept for later, with commas.
const reservedProperty = "confluent:reserved"

// maxQuoted is how much of an old schema a message quotes, in bytes.
const maxQuoted = 10 << 10

// compatible says why a schema does not get along with the given versions of its subject, newest
// first, in the words that clients know; nothing: it does.
func (j *judge) compatible(s *state, in settings, p *parsed, live []*version) ([]string, *Fault) {
	validate := j.fields
	if in.ValidateFields != nil {
		validate = *in.ValidateFields
	}
	var why []string
	if validate {
		why = p.reserved(live)
	}
	level, _ := schema.ParseLevel(in.CompatibilityLevel)
	if group := in.CompatibilityGroup; group != "" {
		want, has := p.metadata.property(group)
		live = slices.DeleteFunc(slices.Clone(live), func(v *version) bool {
			got, ok := v.contract.metadata.property(group)
			return got != want || ok != has
		})
	}
	if level == schema.None {
		live = nil
	}
	if !level.Transitive() {
		live = live[:min(1, len(live))]
	}
	for _, v := range live {
		old, f := j.read(s, v.subject, *v.contract)
		if f != nil {
			return nil, f
		}
		_, differences := schema.Check(j.languages[p.kind], level, schema.Policy(in.CompatibilityPolicy), p.Schema, []schema.Schema{old.Schema})
		if len(differences) == 0 {
			continue
		}
		for _, d := range differences {
			why = append(why, message(p.kind, d))
		}
		why = append(why, fmt.Sprintf("{oldSchemaVersion: %d}", v.number), fmt.Sprintf("{oldSchema: '%s'}", quoted(v.contract.text)))
		break
	}
	if len(why) > 0 {
		why = append(why, fmt.Sprintf("{validateFields: '%t', compatibility: '%s'}", validate, level))
	}
	return why, nil
}

// message words a difference as Confluent's registry does for its language.
func message(kind schema.Type, d schema.Difference) string {
	switch {
	case d.Kind == schema.TypeChanged, d.Kind == "AMBIGUOUS_FIELD": // no finding of Java's but its exception
		return d.Message
	case kind != schema.Avro:
		return fmt.Sprintf("{errorType:\"%s\", description:\"%s\"}", d.Kind, d.Message)
	}
	return fmt.Sprintf("{errorType:'%s', description:'%s', additionalInfo:'%s'}", d.Kind, d.Message, d.Info)
}

func quoted(text string) string {
	if len(text) > maxQuoted {
		return text[:maxQuoted] + "..."
	}
	return text
}

// reserved says which reserved fields a schema gives up or uses. Of Protobuf it is not known which
// fields there are: the language reserves by itself.
func (p *parsed) reserved(live []*version) (why []string) {
	now := reservedFields(p.metadata)
	if len(live) > 0 {
		for _, field := range reservedFields(live[0].contract.metadata) {
			if !slices.Contains(now, field) {
				why = append(why, fmt.Sprintf("The new schema has reserved field %s removed from its metadata which is present in the old schema's metadata.", field))
			}
		}
	}
	have := p.topFields()
	for _, field := range now {
		if slices.Contains(have, field) {
			why = append(why, fmt.Sprintf("The new schema has field that conflicts with the reserved field %s.", field))
		}
	}
	return why
}

func reservedFields(m *metadata) (fields []string) {
	text, _ := m.property(reservedProperty)
	for field := range strings.SplitSeq(text, ",") {
		if field = strings.TrimSpace(field); field != "" {
			fields = append(fields, field)
		}
	}
	return fields
}

// topFields are the names of a record's fields or of an object's properties.
func (p *parsed) topFields() (names []string) {
	var doc struct {
		Fields []struct {
			Name string `json:"name"`
		} `json:"fields"`
		Properties map[string]any `json:"properties"`
	}
	if p.kind == schema.Protobuf || json.Unmarshal([]byte(p.text), &doc) != nil {
		return nil
	}
	for _, f := range doc.Fields {
		names = append(names, f.Name)
	}
	return slices.AppendSeq(names, maps.Keys(doc.Properties))
}

// against judges a schema for the compatibility endpoint: against one version, or where number is 0
// against those that the subject's level asks for. It is nil where all is well.
func (j *judge) against(s *state, c candidate, number int32, latest, normalize bool) ([]string, *Fault) {
	in := s.settingsOf(c.subject, j.level)
	var live []*version
	switch {
	case latest:
		if v := s.latest(c.subject); v != nil {
			live = []*version{v}
		}
	case number > 0:
		v := s.version(c.subject, number)
		if v == nil || v.deleted {
			return nil, noVersion(number)
		}
		live = []*version{v}
	default:
		live = s.liveNewestFirst(c.subject)
	}
	p, f := j.canonical(s, c.subject, c.contract, normalize || isTrue(in.Normalize))
	if f != nil {
		return nil, f
	}
	if p == nil {
		return nil, invalidSchema("Empty schema")
	}
	return j.compatible(s, in, p, live)
}

func (s *state) liveNewestFirst(subject string) (live []*version) {
	for _, v := range slices.Backward(s.subjects[subject]) {
		if !v.deleted {
			live = append(live, v)
		}
	}
	return live
}
