package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/outbox"
)

// replayFlags choose kept events.
type replayFlags struct {
	from, to, rows  string
	topic, typ, key string
	yes             bool
}

func (f *replayFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.from, "from", "", "written from this `time` on, or so long ago (-2h)")
	fl.StringVar(&f.to, "to", "", "written before this `time`, or so long ago")
	fl.StringVar(&f.rows, "rows", "", "`range` of rows, as 100-199 or 100-")
	fl.StringVar(&f.topic, "topic", "", "only events of this `topic`")
	fl.StringVar(&f.typ, "type", "", "only events of this `type`")
	fl.StringVar(&f.key, "key", "", "only events of this `key`")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do it; without it only what would be done is shown")
}

func (f *replayFlags) replay(now time.Time) (r outbox.Replay, err error) {
	r.Topic, r.Type, r.Key = f.topic, f.typ, f.key
	if r.From, err = parseMoment(f.from, now); err != nil {
		return r, usagef("--from: %w", err)
	}
	if r.To, err = parseMoment(f.to, now); err != nil {
		return r, usagef("--to: %w", err)
	}
	if f.rows != "" {
		if r.FromID, r.ToID, err = parseOffsets(f.rows); err != nil {
			return r, usagef("--rows: %w", err)
		}
		r.ToID = max(r.ToID-1, 0) // which is out of the range there
	}
	if r == (outbox.Replay{}) {
		return r, usagef("say which events: --from, --to, --rows, --topic, --type or --key")
	}
	return r, nil
}

func (a *app) outboxReplayCommand() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay SERVICE",
		Short: "Send events again that have left and are kept (outbox.mode retain)",
		Long: `replay puts kept events back into the outbox of a service, in their order. They keep their event ids: inboxes
that remember them (seven days) pass over them, all others handle them again, plain handlers too. They leave
behind what waits already, so after later events of their keys. Without --yes it counts them, by topic and type.`,
		Example:           "  leat outbox replay payment --from -2h --topic shop.payments\n  leat outbox replay payment --rows 100-199 --yes",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := f.replay(time.Now())
			if err != nil {
				return err
			}
			host, err := a.load()
			if err != nil {
				return err
			}
			return a.withOpenBox(cmd.Context(), host.DatabaseURL, args[0], func(ctx context.Context, box *outbox.Box) error {
				return a.replay(ctx, box, r, f.yes)
			})
		},
	}
	f.add(cmd)
	return cmd
}

// replay shows what it would send again, and where yes says so does it, up to what it has shown.
func (a *app) replay(ctx context.Context, box *outbox.Box, r outbox.Replay, yes bool) error {
	kept, err := box.Kept(ctx, r)
	if err != nil {
		return err
	}
	var sum, last int64
	for _, k := range kept {
		sum, last = sum+k.Events, max(last, k.LastID)
	}
	err = show(a, kept, []string{"TOPIC", "TYPE", "EVENTS", "FIRST", "LAST"}, func(k outbox.Kept) []string {
		return []string{k.Topic, k.Type, strconv.FormatInt(k.Events, 10), stamp(k.First), stamp(k.Last)}
	})
	if err != nil {
		return err
	}
	if sum == 0 {
		a.say("no kept event is among these; partitions that were detached are not looked into")
		return nil
	}
	if !yes {
		a.say("%d events would be sent again; nothing was done, with --yes it is", sum)
		return nil
	}
	if r.ToID == 0 {
		r.ToID = last
	}
	n, at, err := box.Replay(ctx, r)
	if err != nil {
		return fmt.Errorf("%w; %d of %d events are back in the outbox, go on with --rows %d-", err, n, sum, at+1)
	}
	a.say("%d events are back in the outbox", n)
	return nil
}
