package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/lag"
)

func (a *app) groupSeekCommand() *cobra.Command {
	var to string
	var repeat, cancel bool
	cmd, c := a.command(&cobra.Command{
		Use:   "seek GROUP TOPIC[/PARTITION] --to PLACE|--cancel",
		Short: "Let a group go on from another place of a topic",
		Long: `seek shows for each partition where the group stands, where it would go on, and how many events it would
handle again or pass over (offsets, so an upper bound). With --yes the owner of each partition finishes
what is in hand, commits the new offset and goes on from there, exactly once, whoever crashes. A group
without members does it when one starts. What nobody has carried out yet is taken back with --cancel.

Going back repeats events. An inbox (outbox.Once) passes over those that it remembers; a place before
the oldest one that it remembers is refused without --repeat. Other handlers run again in any case.`,
		Example: "  leat group seek payment shop.orders/2 --to 1041 --yes\n  leat group seek payment shop.orders --to -1h\n  leat group seek payment shop.orders --cancel --yes",
		Args:    cobra.ExactArgs(2),
	}, func(ctx context.Context, c *commander, args []string) error {
		scope, err := c.record(control.Seek), error(nil)
		if scope.Topic, scope.Partition, err = parseScope(args[1]); err != nil {
			return err
		}
		if cancel && to != "" {
			return usagef("want --to or --cancel, not both")
		}
		if cancel {
			return c.cancelSeeks(ctx, scope)
		}
		from, err := parseFrom(to, time.Now())
		if err != nil {
			return usagef("--to: %w", err)
		}
		views, seeks, err := c.planSeek(ctx, scope, from, to)
		if err != nil {
			if len(views) > 0 {
				_ = show(a, views, commandHead, commandView.row)
			}
			return err
		}
		if !repeat {
			if err := c.refuseRepeats(ctx, seeks); err != nil {
				_ = show(a, views, commandHead, commandView.row)
				return err
			}
		}
		if err := c.do(ctx, views, seeks, nil); err != nil || !c.yes {
			return err
		}
		return c.await(ctx, "done", func(s *control.State) (left []string) {
			for _, seek := range seeks {
				if _, pending := s.Pending(seek.Group, seek.Topic, seek.Partition); pending {
					left = append(left, fmt.Sprintf("%s/%d", seek.Topic, seek.Partition))
				}
			}
			return left
		}, "to take it back: leat group seek "+strings.Join(args, " ")+" --cancel --yes")
	})
	c.waiting(cmd)
	cmd.Flags().StringVar(&to, "to", "", "`place`: start, end, an offset (17), records before the end (-10), how long ago (-5m), a time")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "take back what nobody has carried out yet")
	cmd.Flags().BoolVar(&repeat, "repeat", false, "go back even where the inbox does not remember what it has handled")
	return cmd
}

// planSeek makes a seek for each partition that is not there already.
func (c *commander) planSeek(ctx context.Context, scope control.Record, from kafka.From, asked string) (views []commandView, seeks []control.Record, err error) {
	if err := c.heeded(scope); err != nil {
		return nil, nil, err
	}
	places, err := c.client.Places(ctx, scope.Topic, from)
	if err != nil {
		return nil, nil, err
	}
	beyond := ""
	for _, p := range c.affected(scope) {
		if p.Err != nil {
			return nil, nil, fmt.Errorf("%s/%d: %w", p.Topic, p.Partition, p.Err)
		}
		seek := scope
		seek.Partition, seek.Offset, seek.Asked = p.Partition, places[p.Partition], asked
		at := max(p.Committed, p.Start)
		effect := fmt.Sprintf("to %d: ", seek.Offset)
		if limit := outside(asked, p); limit != "" {
			beyond = fmt.Sprintf(": %s lies outside, %s/%d %s", asked, p.Topic, p.Partition, limit)
			effect = fmt.Sprintf("to %d, where it %s: ", seek.Offset, strings.Fields(limit)[0])
		}
		switch {
		case seek.Offset < at:
			effect += fmt.Sprintf("repeats up to %d", at-seek.Offset)
		case seek.Offset > at:
			effect += fmt.Sprintf("passes over up to %d", seek.Offset-at)
		default:
			effect += "stands there already"
		}
		views = append(views, viewCommand(p, effect))
		if seek.Offset != at || p.Member != "" && p.Committed == lag.None {
			seeks = append(seeks, seek)
		}
	}
	if len(seeks) == 0 {
		return views, nil, fmt.Errorf("the group stands there already%s", beyond)
	}
	return views, seeks, nil
}

// outside says where a partition ends, if the offset that was asked for does not lie in it.
func outside(asked string, p lag.Partition) string {
	switch offset, err := strconv.ParseInt(asked, 10, 64); {
	case err != nil || offset < 0:
		return ""
	case offset > p.End:
		return fmt.Sprintf("ends at %d", p.End)
	case offset < p.Start:
		return fmt.Sprintf("begins at %d", p.Start)
	}
	return ""
}

// cancelSeeks takes back what nobody has carried out. A member that has begun to carries it out all the
// same, and says so.
func (c *commander) cancelSeeks(ctx context.Context, scope control.Record) error {
	var views []commandView
	var lifted []control.Record
	for _, r := range c.state.Of(c.group.Name) {
		if r.Kind != control.Seek || !within(r, scope) {
			continue
		}
		if _, pending := c.state.Pending(r.Group, r.Topic, r.Partition); !pending {
			continue
		}
		at := lag.Partition{Topic: r.Topic, Partition: r.Partition, Committed: lag.None}
		for _, p := range c.group.Partitions {
			if p.Topic == r.Topic && p.Partition == r.Partition {
				at = p
			}
		}
		views = append(views, viewCommand(at, fmt.Sprintf("does not go to %d", r.Offset)))
		lifted = append(lifted, r)
	}
	if len(lifted) == 0 {
		return fmt.Errorf("no seek of %s is pending; see: leat group describe %s", scope.Scope(), c.group.Name)
	}
	return c.do(ctx, views, nil, lifted)
}

// refuseRepeats is an error where the group's inbox does not remember all that a seek would repeat, as
// far as that is known.
func (c *commander) refuseRepeats(ctx context.Context, seeks []control.Record) error {
	inbox, told := c.state.InboxOf(c.group.Name)
	reach := inbox.Since
	if limit := time.Now().Add(-inbox.Keep); inbox.Keep > 0 && limit.After(reach) {
		reach = limit
	}
	back := false
	var since map[int32]int64 // where the events begin that it remembers
	for _, seek := range seeks {
		for _, p := range c.group.Partitions {
			if p.Topic != seek.Topic || p.Partition != seek.Partition || max(seek.Offset, p.Start) >= p.Committed {
				continue
			}
			back = true
			if !told {
				continue
			}
			if inbox.Since.IsZero() {
				return fmt.Errorf("%s/%d would repeat events, and the group's inbox remembers none: what took effect would take effect again; with --repeat it is done", seek.Topic, seek.Partition)
			}
			if since == nil { // all seeks of a command are of one topic
				var err error
				if since, err = c.client.Places(ctx, seek.Topic, kafka.FromTime(reach)); err != nil {
					return err
				}
			}
			if seek.Offset < since[seek.Partition] {
				return fmt.Errorf("%s/%d would repeat events from before %d, and the group's inbox remembers what it has handled since %s: what was handled before would take effect again; with --repeat it is done", seek.Topic, seek.Partition, since[seek.Partition], stamp(reach))
			}
		}
	}
	if back && !told {
		c.a.say("the group has told of no inbox: its handlers may take effect again for each event that is repeated")
	} else if back {
		c.a.say("repeats are passed over by the inbox; handlers without one (consumer.On) run again")
	}
	return nil
}
