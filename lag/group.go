package lag

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/kafka"
)

// ErrNoGroup says that the cluster knows no group of that name.
var ErrNoGroup = errors.New("the group does not exist")

// Group is a consumer group, or a share group, and how far it is behind.
type Group struct {
	Name       string
	Share      bool   // a share group (KIP-932): below a partition's Committed all is done, above it the brokers know
	State      string // Stable, Empty, PreparingRebalance, ...
	Members    []Member
	Partitions []Partition // in the order of topic and number
}

// Member is a consumer of a group.
type Member struct {
	ID       string
	ClientID string
	Host     string
}

// Partition is one partition of a topic that the group has: a partition of it is committed, or
// assigned to a member.
type Partition struct {
	Topic     string
	Partition int32
	Committed int64 // None: not yet
	Finished  int64 // offsets above Committed whose records are finished, as the group's offset map says
	Start     int64
	End       int64
	Lag       int64
	Member    string // id of the member that has it, "" where nobody does
	Err       error  // why the offsets are not known
}

// Total is the lag of all partitions whose offsets are known.
func (g Group) Total() int64 {
	var n int64
	for _, p := range g.Partitions {
		n += p.Lag
	}
	return n
}

// List names the groups of the cluster, in order.
func List(ctx context.Context, c *kafka.Client) ([]string, error) {
	listed, err := kadm.NewClient(c.Kgo()).ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return listed.Groups(), nil
}

// Read reads groups, all of them where none is named, in the order of their names.
func Read(ctx context.Context, c *kafka.Client, names ...string) ([]Group, error) {
	adm := kadm.NewClient(c.Kgo())
	known, err := adm.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	all := len(names) == 0
	if all {
		names = known.Groups()
	}
	slices.Sort(names)
	groups := make([]Group, 0, len(names))
	for _, name := range slices.Compact(names) {
		if _, ok := known[name]; !ok {
			return nil, fmt.Errorf("read group %s: %w", name, ErrNoGroup)
		}
		g, err := read(ctx, adm, known[name])
		if errors.Is(err, kerr.GroupIDNotFound) {
			g, err = readShare(ctx, adm, known[name])
		}
		if all && errors.Is(err, kerr.GroupIDNotFound) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read group %s: %w", name, err)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func read(ctx context.Context, adm *kadm.Client, listed kadm.ListedGroup) (Group, error) {
	g := Group{Name: listed.Group, State: listed.State}
	owners, err := g.readMembers(ctx, adm)
	if err != nil {
		return g, err
	}
	commits, err := adm.FetchOffsets(ctx, g.Name)
	if err != nil {
		return g, hinted("fetch its offsets", err)
	}
	all := map[at]*Partition{}
	commits.Each(func(o kadm.OffsetResponse) {
		finished, _ := lane.ParseFinished(o.Metadata, o.At)
		all[at{o.Topic, o.Partition}] = &Partition{Topic: o.Topic, Partition: o.Partition, Committed: o.At, Finished: finished.Len(o.At), Err: o.Err}
	})
	for where, owner := range owners {
		if all[where] == nil {
			all[where] = &Partition{Topic: where.topic, Partition: where.partition, Committed: None}
		}
		all[where].Member = owner
	}
	if err := place(ctx, adm, all); err != nil {
		return g, err
	}
	g.list(all)
	return g, nil
}

// list takes the partitions, in order.
func (g *Group) list(all map[at]*Partition) {
	for _, p := range all {
		g.Partitions = append(g.Partitions, *p)
	}
	slices.SortFunc(g.Partitions, func(a, b Partition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
}

// hinted names the right that is missing where the cluster refuses.
func hinted(op string, err error) error {
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) {
		return &kafka.Error{Op: op, Partition: -1, Err: fmt.Errorf("%w (%w)", kafka.ErrNotAllowed, err), Hint: "this user needs the right to Describe on the group and on all its topics; see: leat acl plan --operator"}
	}
	return fmt.Errorf("%s: %w", op, err)
}

type at struct {
	topic     string
	partition int32
}

// readMembers fills in the members and returns who has what. The classic question answers "Dead" for
// a group of the newer protocol, so that one is asked first and its refusal means the other.
func (g *Group) readMembers(ctx context.Context, adm *kadm.Client) (map[at]string, error) {
	owners := map[at]string{}
	if modern, err := adm.DescribeConsumerGroups(ctx, g.Name); err == nil && modern[g.Name].Err == nil {
		g.State = modern[g.Name].State
		for _, m := range modern[g.Name].Members {
			g.Members = append(g.Members, Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost})
			own(owners, m.Assignment, m.MemberID)
		}
		return owners, nil
	}
	classic, err := adm.DescribeGroups(ctx, g.Name)
	if err == nil {
		err = classic[g.Name].Err
	}
	if err != nil {
		return nil, hinted("describe it", err)
	}
	g.State = classic[g.Name].State
	for _, m := range classic[g.Name].Members {
		g.Members = append(g.Members, Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost})
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				for _, p := range t.Partitions {
					owners[at{t.Topic, p}] = m.MemberID
				}
			}
		}
	}
	return owners, nil
}

func own(owners map[at]string, assigned kadm.TopicsSet, member string) {
	assigned.Each(func(topic string, partition int32) {
		if topic != "" { // the embedded broker leaves it out
			owners[at{topic, partition}] = member
		}
	})
}

// place lists the starts and ends of the partitions and sets their lag.
func place(ctx context.Context, adm *kadm.Client, all map[at]*Partition) error {
	topics := map[string]bool{}
	for where := range all {
		topics[where.topic] = true
	}
	if len(topics) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(topics))
	starts, err := adm.ListStartOffsets(ctx, names...)
	if err != nil {
		return hinted("find the start of its topics", err)
	}
	ends, err := adm.ListEndOffsets(ctx, names...)
	if err != nil {
		return hinted("find the end of its topics", err)
	}
	// A partition of these topics without a commit has not been read yet, not even if nobody is there
	// to read it.
	ends.Each(func(o kadm.ListedOffset) {
		where := at{o.Topic, o.Partition}
		if all[where] == nil && o.Err == nil {
			all[where] = &Partition{Topic: o.Topic, Partition: o.Partition, Committed: None}
		}
	})
	for where, p := range all {
		start, ok := starts.Lookup(where.topic, where.partition)
		end, also := ends.Lookup(where.topic, where.partition)
		if !ok || !also {
			p.Err = errors.Join(p.Err, errors.New("the topic or partition is gone"))
		}
		if p.Err = errors.Join(p.Err, start.Err, end.Err); p.Err != nil {
			continue
		}
		p.Start, p.End = start.Offset, end.Offset
		p.Lag = max(0, Of(p.Committed, p.Start, p.End)-p.Finished)
	}
	return nil
}
