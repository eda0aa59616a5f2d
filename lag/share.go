package lag

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// readShare reads a share group: its brokers know it under requests of its own, and keep no offset but
// the lowest that is not done.
func readShare(ctx context.Context, adm *kadm.Client, listed kadm.ListedGroup) (Group, error) {
	g := Group{Name: listed.Group, Share: true}
	described, err := adm.DescribeShareGroups(ctx, g.Name)
	if err == nil {
		err = described[g.Name].Err
	}
	if err != nil {
		return g, fmt.Errorf("describe it: %w", err)
	}
	g.State = described[g.Name].GroupState
	for _, m := range described[g.Name].Members {
		g.Members = append(g.Members, Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost})
	}
	offsets, err := adm.DescribeShareGroupOffsets(ctx, g.Name)
	if err == nil {
		err = offsets[g.Name].Err
	}
	if err != nil {
		return g, fmt.Errorf("fetch its offsets: %w", err)
	}
	all := map[at]*Partition{}
	offsets[g.Name].Offsets.Each(func(o kadm.ShareOffset) {
		all[at{o.Topic, o.Partition}] = &Partition{Topic: o.Topic, Partition: o.Partition, Committed: max(o.StartOffset, None), Err: o.Err}
	})
	if err := place(ctx, adm, all); err != nil {
		return g, err
	}
	for where, p := range all {
		if o, ok := offsets[g.Name].Offsets.Lookup(where.topic, where.partition); ok && o.Lag >= 0 && p.Err == nil {
			p.Lag = o.Lag
		}
	}
	g.list(all)
	return g, nil
}
