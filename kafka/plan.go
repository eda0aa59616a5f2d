package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat"
)

// Plan is what it takes to give a cluster the topics that were declared: what Apply would do, and
// what differs and stays.
type Plan struct {
	Create []leat.Topic // topics that do not exist
	Alter  []Setting    // settings that Apply raises: none of these changes loses a record
	Grow   []Growth     // partitions to add, where PlanConfig.Grow asked for it
	Differ []Difference // what Apply leaves alone, and why

	client *Client
}

// Setting is a topic's setting that is to change.
type Setting struct{ Topic, Name, Have, Want string }

// Growth is a number of partitions that is to change.
type Growth struct {
	Topic      string
	Have, Want int
}

// Difference is a wish that is not fulfilled.
type Difference struct{ Topic, Name, Have, Want, Why string }

// PlanConfig allows what is not safe by itself.
type PlanConfig struct {
	// Grow adds partitions to topics that have fewer than declared. Keys then move to other partitions:
	// events of one key that are already in the log are no longer ordered with those to come.
	Grow bool
}

// PlanTopics compares declarations with the cluster. It changes nothing.
func (c *Client) PlanTopics(ctx context.Context, topics []leat.Topic, pc PlanConfig) (*Plan, error) {
	var names []string
	var errs []error
	for _, t := range topics {
		errs = append(errs, leat.ValidTopicName(t.Name))
		names = append(names, t.Name)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("plan topics: %w", err)
	}
	infos, err := c.TopicStates(ctx, names...)
	if notAllowed(err) {
		wanted := &Plan{Create: topics}
		return nil, fmt.Errorf("plan topics: %w; without that right nobody can tell which of these exist:\n%s", err, strings.TrimSuffix(wanted.String(), "\n"))
	}
	if err != nil {
		return nil, err
	}
	p := &Plan{client: c}
	for _, t := range topics {
		info, exists := infos[t.Name]
		if !exists {
			p.Create = append(p.Create, t)
			continue
		}
		p.compare(t, info, pc)
	}
	return p, nil
}

// Add puts what another plan of the same cluster holds behind this one's.
func (p *Plan) Add(more *Plan) {
	p.Create = append(p.Create, more.Create...)
	p.Alter = append(p.Alter, more.Alter...)
	p.Grow = append(p.Grow, more.Grow...)
	p.Differ = append(p.Differ, more.Differ...)
}

// Empty says whether there is nothing to apply. Differences may remain.
func (p *Plan) Empty() bool { return len(p.Create)+len(p.Alter)+len(p.Grow) == 0 }

// String is the plan for people, one line for each change and each difference.
func (p *Plan) String() string {
	var b strings.Builder
	for _, t := range p.Create {
		fmt.Fprintf(&b, "create topic %s with %d partitions, replication %s%s\n", t.Name, partitionsOf(t), replicationOf(t), configOf(t))
	}
	for _, s := range p.Alter {
		fmt.Fprintf(&b, "set %s of topic %s from %s to %s\n", s.Name, s.Topic, cmp.Or(s.Have, `""`), s.Want)
	}
	for _, g := range p.Grow {
		fmt.Fprintf(&b, "add partitions to topic %s: %d to %d\n", g.Topic, g.Have, g.Want)
	}
	for _, d := range p.Differ {
		fmt.Fprintf(&b, "leave %s of topic %s at %s, not %s: %s\n", d.Name, d.Topic, cmp.Or(d.Have, `""`), d.Want, d.Why)
	}
	return b.String()
}

func partitionsOf(t leat.Topic) int { return cmp.Or(t.Partitions, leat.DefaultPartitions) }

func replicationOf(t leat.Topic) string {
	if t.Replication == 0 {
		return "as the broker's default"
	}
	return strconv.Itoa(t.Replication)
}

func configOf(t leat.Topic) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		fmt.Fprintf(&b, ", %s=%s", name, t.Config[name])
	}
	return b.String()
}

// compare adds what a topic that exists lacks.
func (p *Plan) compare(t leat.Topic, have TopicState, pc PlanConfig) {
	differ := func(name, have, want, why string) {
		p.Differ = append(p.Differ, Difference{Topic: t.Name, Name: name, Have: have, Want: want, Why: why})
	}
	if t.Partitions > 0 && t.Partitions != have.Partitions {
		switch {
		case t.Partitions < have.Partitions:
			differ("partitions", strconv.Itoa(have.Partitions), strconv.Itoa(t.Partitions), "partitions can't be taken away; declare as many as there are")
		case pc.Grow:
			p.Grow = append(p.Grow, Growth{Topic: t.Name, Have: have.Partitions, Want: t.Partitions})
		default:
			differ("partitions", strconv.Itoa(have.Partitions), strconv.Itoa(t.Partitions), "more partitions move keys and break their order; to do it all the same, ask for growth")
		}
	}
	if t.Replication > 0 && t.Replication != have.Replication {
		differ("replication", strconv.Itoa(have.Replication), strconv.Itoa(t.Replication), "moving replicas is the cluster's operator's; see kafka-reassign-partitions")
	}
	if have.Config == nil {
		if len(t.Config) > 0 {
			differ("settings", "unknown", strings.TrimPrefix(configOf(t), ", "), "this user may not see them; it needs the right to DescribeConfigs")
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		was, want := have.Config[name], t.Config[name]
		if sameSetting(name, was, want) {
			continue
		}
		if why := unsafeChange(name, was, want); why != "" {
			differ(name, was, want, why)
			continue
		}
		p.Alter = append(p.Alter, Setting{Topic: t.Name, Name: name, Have: was, Want: want})
	}
}

func sameSetting(name, have, want string) bool {
	if name == "cleanup.policy" { // a list without an order
		a, b := strings.Split(have, ","), strings.Split(want, ",")
		slices.Sort(a)
		slices.Sort(b)
		return slices.Equal(a, b)
	}
	return have == want
}

// unsafeChange says why a change is left to people, or "" where it can lose nothing.
func unsafeChange(name, have, want string) string {
	switch name {
	case "retention.ms", "retention.bytes", "delete.retention.ms", "local.retention.ms", "local.retention.bytes":
		if raised(have, want) {
			return ""
		}
		return "less retention deletes records"
	case "max.message.bytes", "min.insync.replicas":
		if raised(have, want) {
			return ""
		}
		return "less could turn away what is written today"
	case "unclean.leader.election.enable":
		if want == "false" {
			return ""
		}
		return "an unclean election loses records"
	case "message.timestamp.type":
		if want == "LogAppendTime" {
			return ""
		}
		return "records of the past would expire by their own time"
	case "compression.type":
		return ""
	case "cleanup.policy":
		return "another clean-up deletes records"
	}
	return "not known to be safe; change it with kafka-configs"
}

// raised says whether want is at least have, where -1 has no end.
func raised(have, want string) bool {
	h, err1 := strconv.ParseInt(have, 10, 64)
	w, err2 := strconv.ParseInt(want, 10, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	return w == -1 || h != -1 && w >= h
}
