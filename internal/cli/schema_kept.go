package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// What a registry keeps beside a schema, and what a check makes of it.
const (
	reservedProperty = "confluent:reserved" // names of fields, with commas
	reservedUsed     = "RESERVED_FIELD_USED"
	rulesNotRun      = "RULES_NOT_RUN"
)

// ofGroup are the versions that a registry compares a new one with, which has no metadata: those that
// lack the property of the compatibility group.
func ofGroup(live []earlier, group string) []earlier {
	if group == "" {
		return live
	}
	return slices.DeleteFunc(slices.Clone(live), func(e earlier) bool {
		_, has := e.Properties[group]
		return has
	})
}

// kept looks at what the latest version has beside its schema. A new version takes it over.
func kept(c contract, latest earlier, rules schema.Rules) (breaks, warnings []breakView) {
	have := topFields(c)
	for name := range strings.SplitSeq(latest.Properties[reservedProperty], ",") {
		if name = strings.TrimSpace(name); name == "" || !slices.Contains(have, name) {
			continue
		}
		v := breakView{
			reservedUsed, "/" + name, fmt.Sprintf("the field %q is reserved by the metadata of %s", name, latest.name),
			"it was reserved because records may have it as something else", "give it another name",
		}
		if rules.ValidateFields {
			breaks = append(breaks, v)
		} else {
			warnings = append(warnings, v)
		}
	}
	if len(latest.RuleNames) > 0 {
		warnings = append(warnings, breakView{
			rulesNotRun, "/", fmt.Sprintf("%s has rules: %s", latest.name, strings.Join(latest.RuleNames, ", ")),
			"leat does not run them: what they check, encrypt or migrate is neither checked, encrypted nor migrated", "write and read the subject with clients that run its rules, or take the rules away",
		})
	}
	return breaks, warnings
}

// topFields are the names of a record's fields or an object's properties. Protobuf reserves by itself.
func topFields(c contract) (names []string) {
	var doc struct {
		Fields     []struct{ Name string }
		Properties map[string]any
	}
	if c.typ == schema.Protobuf || json.Unmarshal([]byte(c.text), &doc) != nil {
		return nil
	}
	for _, f := range doc.Fields {
		names = append(names, f.Name)
	}
	for name := range doc.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
