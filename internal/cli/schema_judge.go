package cli

import (
	"cmp"
	"fmt"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
)

// Verdicts on contracts.
const (
	contractOK      = "ok"
	contractNew     = "new"     // nothing to compare with
	contractBreak   = "break"   // with what is in use
	contractRefused = "refused" // breaks nobody, and yet its registry would not take it
	contractInvalid = "invalid" // no schema
	contractSkipped = "skipped" // plain JSON of a type that no schema describes
)

// breakView is one reason or warning.
type breakView struct {
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	Message string `json:"message"`
	Breaks  string `json:"breaks,omitempty"`
	Mend    string `json:"mend,omitempty"`
}

// checkView is what there is to say of one contract.
type checkView struct {
	Subject  string      `json:"subject"`
	Type     schema.Type `json:"type,omitempty"`
	From     string      `json:"from"`
	File     string      `json:"file,omitempty"`
	Against  string      `json:"against,omitempty"` // the version that it was compared with; of a break, that which it breaks with
	Level    string      `json:"level,omitempty"`
	Policy   string      `json:"policy,omitempty"`
	Verdict  string      `json:"verdict"`
	Reason   string      `json:"reason,omitempty"` // of invalid and skipped
	Breaks   []breakView `json:"breaks,omitempty"`
	Warnings []breakView `json:"warnings,omitempty"`
}

// bad says whether the contract must not ship.
func (v checkView) bad() bool {
	return v.Verdict == contractBreak || v.Verdict == contractInvalid || v.Verdict == contractRefused
}

// judge compares a contract with the versions that are in use, newest first. level "" is that of rules.
func judge(c contract, live []earlier, rules schema.Rules, level schema.Level, lint bool) (checkView, error) {
	v := checkView{Subject: c.subject, Type: c.typ, From: c.from, File: c.file, Verdict: contractNew}
	if c.fault != "" {
		v.Verdict, v.Reason = contractSkipped, c.fault
		return v, nil
	}
	lang := languageOf(c.typ)
	next, err := lang.Parse(c.text, c.imports)
	if s, ok := next.(*avro.Schema); ok && err == nil {
		err = s.Validate()
	}
	if err != nil {
		v.Verdict, v.Reason = contractInvalid, err.Error()
		return v, nil
	}
	level = cmp.Or(level, rules.Level, schema.Backward)
	policy := rules.Policy
	if c.typ == schema.JSONSchema {
		// Schemas of Go types are closed to write and read as open ones.
		if policy = cmp.Or(policy, schema.Strict); c.derived {
			policy = schema.Lenient
		}
		v.Policy = string(policy)
	}
	v.Level = string(level)
	var reserved, beside []breakView
	if len(live) > 0 {
		reserved, beside = kept(c, live[0], rules)
	}
	live = ofGroup(live, rules.Group)
	var old []schema.Schema
	for i, e := range live {
		if i > 0 && !level.Transitive() {
			break
		}
		l := languageOf(e.Type)
		if l == nil {
			return v, fmt.Errorf("%s of %s is of type %s, which leat does not know", e.name, c.subject, e.Type)
		}
		s, err := l.Parse(e.Schema, e.imports)
		if err != nil {
			return v, fmt.Errorf("read %s of %s: %w", e.name, c.subject, err)
		}
		old = append(old, s)
	}
	if len(old) > 0 {
		v.Verdict, v.Against = contractOK, live[0].name
	}
	if at, why := schema.Check(lang, level, policy, next, old); at >= 0 {
		v.Verdict, v.Against, v.Breaks = contractBreak, live[at].name, breakViews(why)
	}
	if v.Verdict == contractOK && policy != registryPolicy(c, rules, policy) && level != schema.None {
		// The service that ships it would not start: the registry judges by its own policy.
		if at, why := schema.Check(lang, rules.Level, rules.Policy, next, old); at >= 0 {
			v.Verdict, v.Against, v.Policy, v.Level = contractRefused, live[at].name, string(cmp.Or(rules.Policy, schema.Strict)), string(rules.Level)
			v.Breaks = refusals(c.subject, why)
		}
	}
	if len(reserved) > 0 {
		v.Verdict, v.Breaks = contractBreak, append(reserved, v.Breaks...)
	}
	if lint {
		v.Warnings = append(breakViews(warn(old, next)), beside...)
	}
	return v, nil
}

// registryPolicy is the policy by which a registry judges the contract, otherwise where it never sees it.
func registryPolicy(c contract, rules schema.Rules, otherwise schema.Policy) schema.Policy {
	if c.typ != schema.JSONSchema || c.plain || rules.Level == "" {
		return otherwise
	}
	return cmp.Or(rules.Policy, schema.Strict)
}

// refusals are what a registry has against a contract that breaks nobody.
func refusals(subject string, why []schema.Difference) []breakView {
	views := breakViews(why)
	for i := range views {
		views[i].Breaks = "nobody who reads by Go types; the registry's policy is not LENIENT, and it answers 409 when the contract is registered"
		views[i].Mend = "leat schema config " + subject + " --policy LENIENT --yes"
	}
	return views
}

// warn is what the rules let through and hurts.
func warn(old []schema.Schema, next schema.Schema) []schema.Difference {
	var before schema.Schema
	if len(old) > 0 && old[0].Type() == next.Type() {
		before = old[0]
	}
	switch {
	case next.Type() == schema.Avro:
		return avro.Lint(before, next)
	case next.Type() == schema.Protobuf && before != nil:
		return protobuf.Lint(before, next)
	case next.Type() == schema.JSONSchema && before != nil:
		return jsonschema.Lint(before, next)
	}
	return nil
}

func breakViews(all []schema.Difference) []breakView {
	var views []breakView
	for _, d := range all {
		views = append(views, breakView{d.Kind, d.Path, d.Message, d.Breaks, d.Mend})
	}
	return views
}
