package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/leatdev/leat/schema"
)

// settingsStay is the kind of a warning: an event has another subject, with other rules.
const settingsStay = "SETTINGS_STAY_BEHIND"

// compare judges a contract by what the baseline has: by the versions of its subject, and by those that
// its record had under another one, where they are later. To a registry those are nothing to do with it.
func compare(ctx context.Context, base baseline, c contract, level schema.Level, lint bool) (checkView, error) {
	if c.fault != "" {
		return judge(c, nil, schema.Rules{}, level, lint)
	}
	live, rules, err := base.versions(ctx, c)
	if err != nil {
		return checkView{}, err
	}
	v, err := judge(c, live, rules, level, lint)
	if err != nil || v.Verdict == contractInvalid {
		return v, err
	}
	record, others, err := c.elsewhere()
	if err != nil {
		return v, err
	}
	for _, other := range others {
		was, wasRules, err := other.versionsOf(ctx, base, record)
		if err != nil {
			return v, err
		}
		if len(was) == 0 {
			continue
		}
		from, all, by := other, slices.Concat(was, live), wasRules
		if len(live) > 0 && live[0].ID >= was[0].ID {
			from, all, by = c, slices.Concat(live, was), rules // later: a registry counts its ids up
		}
		w, err := judge(from, all, by, level, lint)
		if err != nil {
			return v, err
		}
		w.Subject = c.subject
		if lint && len(live) == 0 && rules != wasRules && rules.Level != "" && wasRules.Level != "" {
			w.Warnings = append(w.Warnings, staysBehind(c.subject, other.subject, rules, wasRules))
		}
		if !v.bad() {
			v = w
		}
	}
	return v, nil
}

// elsewhere are the contract as it would be under the other subjects that its record may have had.
func (c contract) elsewhere() (record string, all []contract, err error) {
	s, err := languageOf(c.typ).Parse(c.text, c.imports)
	if err != nil {
		return "", nil, err
	}
	if c.key {
		return "", nil, nil
	}
	record = cmp.Or(c.message, schema.RecordOf(c.subject, s))
	topic := cmp.Or(c.topic, schema.TopicOf(c.subject, s, c.event))
	for _, other := range schema.OtherSubjects(topic, cmp.Or(record, c.event), c.subject) {
		o := c
		if o.subject = other; c.file != "" {
			o.file = filepath.Join(filepath.Dir(c.file), other+filepath.Ext(c.file))
		}
		all = append(all, o)
	}
	return record, all, nil
}

// versionsOf are those of the subject's versions that are of the record, newest first.
func (c contract) versionsOf(ctx context.Context, base baseline, record string) (of []earlier, rules schema.Rules, err error) {
	if b, ok := base.(registryBaseline); ok {
		b.all = true
		base = b
	}
	all, rules, err := base.versions(ctx, c)
	if err != nil {
		return nil, rules, err
	}
	for _, e := range all {
		l := languageOf(e.Type)
		if l == nil {
			continue
		}
		s, err := l.Parse(e.Schema, e.imports)
		if err != nil {
			return nil, rules, fmt.Errorf("read %s of %s: %w", e.name, c.subject, err)
		}
		if schema.Holds(s, record) {
			e.name += " of " + c.subject
			of = append(of, e)
		}
	}
	return of, rules, nil
}

// staysBehind warns of rules that do not go with an event to its new subject.
func staysBehind(now, was string, rules, before schema.Rules) breakView {
	mend := "leat schema config " + now
	for _, f := range [][3]string{
		{" --level ", string(rules.Level), string(before.Level)},
		{" --policy ", string(rules.Policy), string(before.Policy)},
		{" --group ", rules.Group, before.Group},
	} {
		if f[1] != f[2] {
			mend += f[0] + f[2]
		}
	}
	return breakView{
		settingsStay, "/", fmt.Sprintf("the settings of %s are not those of %s, which the event goes on in", was, now),
		"later versions are held to other rules than those until now", mend + " --yes",
	}
}
