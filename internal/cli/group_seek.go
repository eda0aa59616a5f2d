package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/lag"
)

func (a *app) groupSeekCommand() *cobra.Command {
	var to string
	var repeat bool
	cmd, c := a.command(&cobra.Command{
		Use:   "seek GROUP TOPIC[/PARTITION] --to PLACE",
		Short: "Let a group go on from another place of a topic",
		Long: `seek shows for each partition where the group stands, where it would go on, and how many events it would
handle again or pass over (offsets, so an upper bound). With --yes the owner of each partition finishes
what is in hand, commits the new offset and goes on from there, exactly once, whoever crashes. A group
without members does it when one starts.

Going back repeats events. An inbox (outbox.Once) passes over those that it remembers; a place before
the oldest one that it remembers is refused without --repeat. Other handlers run again in any case.`,
		Example: "  leat group seek payment shop.orders/2 --to 1041 --yes\n  leat group seek payment shop.orders --to -1h",
		Args:    cobra.ExactArgs(2),
	}, func(ctx context.Context, c *commander, args []string) error {
		from, err := parseFrom(to, time.Now())
		if err != nil {
			return usagef("--to: %w", err)
		}
		scope := c.record(control.Seek)
		if scope.Topic, scope.Partition, err = parseScope(args[1]); err != nil {
			return err
		}
		views, seeks, err := c.planSeek(ctx, scope, from, to)
		if err != nil {
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
		})
	})
	c.waiting(cmd)
	cmd.Flags().StringVar(&to, "to", "", "`place`: start, end, an offset (17), records before the end (-10), how long ago (-5m), a time; required")
	cmd.Flags().BoolVar(&repeat, "repeat", false, "go back even where the inbox does not remember what it has handled")
	return cmd
}

// planSeek makes a seek for each partition that is not there already.
func (c *commander) planSeek(ctx context.Context, scope control.Record, from kafka.From, asked string) (views []commandView, seeks []control.Record, err error) {
	places, err := c.client.Places(ctx, scope.Topic, from)
	if err != nil {
		return nil, nil, err
	}
	parts := c.affected(scope)
	if len(parts) == 0 {
		return nil, nil, fmt.Errorf("group %s has no partition of %s; see: leat group describe %s", c.group.Name, scope.Topic, c.group.Name)
	}
	for _, p := range parts {
		if p.Err != nil {
			return nil, nil, fmt.Errorf("%s/%d: %w", p.Topic, p.Partition, p.Err)
		}
		seek := scope
		seek.Partition, seek.Offset, seek.Asked = p.Partition, places[p.Partition], asked
		at := max(p.Committed, p.Start)
		effect := fmt.Sprintf("to %d: ", seek.Offset)
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
		return views, nil, fmt.Errorf("the group stands there already")
	}
	return views, seeks, nil
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
	for _, seek := range seeks {
		for _, p := range c.group.Partitions {
			if p.Topic != seek.Topic || p.Partition != seek.Partition || seek.Offset >= p.Committed {
				continue
			}
			back = true
			first, err := c.client.TimeAt(ctx, seek.Topic, seek.Partition, seek.Offset)
			if err != nil {
				return err
			}
			switch {
			case !told || first.IsZero():
			case inbox.Since.IsZero():
				return fmt.Errorf("%s/%d would repeat events, and the group's inbox remembers none: what took effect would take effect again; with --repeat it is done", seek.Topic, seek.Partition)
			case first.Before(reach):
				return fmt.Errorf("%s/%d would repeat events from %s on, and the group's inbox remembers what it has handled since %s: what was handled before would take effect again; with --repeat it is done", seek.Topic, seek.Partition, stamp(first), stamp(reach))
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
