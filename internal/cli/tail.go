package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/kafka"
)

// tailFlags say which records.
type tailFlags struct {
	from        string
	follow      bool
	limit       int
	key, typ    string
	byKey       bool
	partitions  []int32
	uncommitted bool
}

func (a *app) tailCommand() *cobra.Command {
	var t tailFlags
	cmd := &cobra.Command{
		Use:   "tail TOPIC...",
		Short: "Show the records of topics",
		Long: `tail shows records, each partition's in its order, outside any consumer group: nothing is committed.

--from is one of: start, end, an offset (17), a number of records before each partition's end (-10),
how long ago (-5m, -36h), or a time (2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00Z). It is start,
or with --follow end, unless given. Only what committed transactions wrote is shown.

-o jsonl gives an object per record, in the form that "leat send --records" reads.`,
		Example:           "  leat tail shop.orders --from -5m\n  leat tail shop.orders --follow --type shop.order.created.v1 -o jsonl\n  leat tail shop.orders --key order-42",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, topics []string) error {
			t.byKey = cmd.Flags().Changed("key")
			return a.tail(cmd.Context(), t, topics)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.from, "from", "", "`place` to start: start, end, 17, -10, -5m, 2026-01-31T12:00")
	f.BoolVarP(&t.follow, "follow", "f", false, "go on at the end, until Ctrl-C")
	f.IntVarP(&t.limit, "limit", "n", 0, "stop after so many records; 0: no limit")
	f.StringVarP(&t.key, "key", "k", "", "only records with this `key`")
	f.StringVarP(&t.typ, "type", "t", "", "only events of this `type`")
	f.Int32SliceVarP(&t.partitions, "partition", "p", nil, "only these `partitions`")
	f.BoolVar(&t.uncommitted, "uncommitted", false, "also what open and aborted transactions wrote")
	return cmd
}

func (a *app) tail(ctx context.Context, t tailFlags, topics []string) error {
	if t.follow && a.output == formJSON {
		return usagef("-o json never ends with --follow: take -o jsonl")
	}
	if t.limit < 0 {
		return usagef("--limit %d: want 0 or more", t.limit)
	}
	if t.from == "" && t.follow {
		t.from = "end"
	} else if t.from == "" {
		t.from = "start"
	}
	from, err := parseFrom(t.from, time.Now())
	if err != nil {
		return usagef("--from: %w", err)
	}
	client, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	cfg := kafka.TailConfig{Topics: topics, Partitions: t.partitions, From: from, Follow: t.follow, Uncommitted: t.uncommitted}
	return a.showRecords(ctx, client, cfg, t)
}

func (a *app) showRecords(ctx context.Context, client *kafka.Client, cfg kafka.TailConfig, t tailFlags) error {
	shown := 0
	views := []recordView{} // of -o json, which is one array
	scanned := a.progress("records read")
	defer scanned.done()
	for w, err := range client.Tail(ctx, cfg) {
		if err != nil {
			return err
		}
		scanned.add(1)
		if t.typ != "" && w.Attribute("type") != t.typ {
			continue
		}
		v := viewOf(w)
		err := v.decodeKey(ctx, a.codec, w)
		if t.byKey && (v.Key == nil || *v.Key != t.key) {
			continue
		}
		if err := errors.Join(err, v.decode(ctx, a.codec, w)); err != nil {
			a.sayOnce("%v/%d@%d is shown as it is: %v", v.Topic, v.Partition, v.Offset, err)
		}
		switch a.output {
		case formJSON:
			views = append(views, v)
		case formLines:
			err = writeLine(a.cfg.Stdout, v)
		default:
			err = writeRecord(a.cfg.Stdout, v)
		}
		if err != nil {
			return err
		}
		if shown++; shown == t.limit {
			break
		}
	}
	if ctx.Err() != nil && !t.follow {
		return errors.New("interrupted before the end")
	}
	if a.output == formJSON {
		return writeJSON(a.cfg.Stdout, views)
	}
	return nil
}

// completeTopics offers the topics of the cluster to the shell.
func (a *app) completeTopics(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	client, err := a.connect(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer client.Close()
	topics, err := client.ListTopics(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
