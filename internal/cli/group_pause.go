package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer/control"
)

// commandHelp is what all commands to a group have in common.
const commandHelp = `

Commands to a group are records of its control topic, which its members read at their start and then
follow: they hold over restarts. See what is in force with: leat group describe GROUP.`

// scoped reads GROUP [TOPIC[/PARTITION]] into a pause that somebody will heed.
func (c *commander) scoped(args []string, typ string) (control.Record, error) {
	r, err := c.scope(args, typ)
	if err != nil {
		return r, err
	}
	return r, c.heeded(r)
}

// scope reads GROUP [TOPIC[/PARTITION]] into a pause.
func (c *commander) scope(args []string, typ string) (control.Record, error) {
	r := c.record(control.Pause)
	if len(args) > 1 {
		var err error
		if r.Topic, r.Partition, err = parseScope(args[1]); err != nil {
			return r, err
		}
	}
	r.Type = typ
	if err := r.Validate(); err != nil {
		return r, usagef("%w", err)
	}
	return r, nil
}

// heeded says why nobody would heed a command.
func (c *commander) heeded(r control.Record) error {
	if err := r.Heeded(); err != nil {
		return err
	}
	if len(c.affected(r)) > 0 {
		return nil
	}
	what := "no partition of " + r.Topic
	switch {
	case r.Partition != control.All:
		what = fmt.Sprintf("no partition %s/%d", r.Topic, r.Partition)
	case r.Topic == "":
		what = "no partitions"
	}
	return fmt.Errorf("group %s has %s; see: leat group describe %s", c.group.Name, what, c.group.Name)
}

// command makes a command to a group: run gets it opened.
func (a *app) command(cmd *cobra.Command, run func(ctx context.Context, c *commander, args []string) error) (*cobra.Command, *commander) {
	c := &commander{a: a}
	c.consent(cmd)
	cmd.Long += commandHelp
	cmd.ValidArgsFunction = a.completeGroups
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.open(cmd.Context(), args[0]); err != nil {
			c.close()
			return err
		}
		defer c.close()
		return run(cmd.Context(), c, args)
	}
	return cmd, c
}

func (a *app) groupPauseCommand() *cobra.Command {
	var typ string
	cmd, _ := a.command(&cobra.Command{
		Use:   "pause GROUP [TOPIC[/PARTITION]]",
		Short: "Let a group handle nothing new, or one topic, partition or handler of it",
		Long: `pause lets nothing new start until "leat group resume"; what is in hand finishes, and the members keep their
partitions. What waits in the park, retry and redrive topics of a topic stands still with it: name the topic,
they cannot be paused alone. With --type only the handler of that event type stands still: events of other
types run on, except those behind it in the order of their key, and until the partition's memory is full.`,
		Example: "  leat group pause payment --yes --why 'the gateway is down'\n  leat group pause payment shop.orders/3 --yes",
		Args:    cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, c *commander, args []string) error {
		r, err := c.scoped(args, typ)
		if err != nil {
			return err
		}
		return c.do(ctx, c.each(r, "pauses"), []control.Record{r}, nil)
	})
	cmd.Flags().StringVar(&typ, "type", "", "only the handler of this event `type`")
	return cmd
}

// each views the partitions in the record's scope.
func (c *commander) each(r control.Record, effect string) []commandView {
	if r.Type != "" {
		effect += ": handler of " + r.Type
	}
	views := []commandView{}
	for _, p := range c.affected(r) {
		views = append(views, viewCommand(p, effect))
	}
	return views
}

func (a *app) groupResumeCommand() *cobra.Command {
	var typ string
	cmd, _ := a.command(&cobra.Command{
		Use:   "resume GROUP [TOPIC[/PARTITION]]",
		Short: "Let what was paused or drained go on",
		Long: `resume lifts the pauses of the group, topic, partition or handler, and all narrower ones. A wider pause stays
in force.`,
		Example: "  leat group resume payment --yes",
		Args:    cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, c *commander, args []string) error {
		scope, err := c.scope(args, typ)
		if err != nil {
			return err
		}
		var lifted []control.Record
		for _, r := range c.state.Of(c.group.Name) {
			if r.Kind == control.Pause && within(r, scope) {
				lifted = append(lifted, r)
			}
		}
		if err := c.heeded(scope); err != nil {
			if len(lifted) == 0 {
				return err
			}
			c.a.say("lifts what nobody has heeded: %v", err)
		}
		if len(lifted) == 0 {
			return fmt.Errorf("nothing of %s is paused; see: leat group describe %s", scope.Scope(), c.group.Name)
		}
		views := c.each(scope, "goes on")
		for i, p := range c.affected(scope) {
			if wider, ok := c.state.Paused(c.group.Name, c.source(p), p.Partition); ok && !within(wider, scope) {
				views[i].Effect = "stays paused: " + wider.Scope() + " is"
			}
		}
		return c.do(ctx, views, nil, lifted)
	})
	cmd.Flags().StringVar(&typ, "type", "", "only the handler of this event `type`")
	return cmd
}

// within says whether r is about nothing beyond scope.
func within(r, scope control.Record) bool {
	return (scope.Topic == "" || scope.Topic == r.Topic) && (scope.Partition == control.All || scope.Partition == r.Partition) &&
		(scope.Type == "" || scope.Type == r.Type)
}

func (a *app) groupDrainCommand() *cobra.Command {
	cmd, c := a.command(&cobra.Command{
		Use:   "drain GROUP [TOPIC[/PARTITION]]",
		Short: "Pause, and wait until nothing is in hand and all that is finished is committed",
		Long: `drain pauses, and the owner of each partition answers when nothing of it is in hand and what is finished is
committed: whatever depends on the group's offsets can be done then. "leat group resume" ends it.`,
		Example: "  leat group drain payment shop.orders/3 --yes",
		Args:    cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, c *commander, args []string) error {
		r, err := c.scoped(args, "")
		if err != nil {
			return err
		}
		r.Drain = true
		if err := c.do(ctx, c.each(r, "drains"), []control.Record{r}, nil); err != nil || !c.yes {
			return err
		}
		return c.await(ctx, "drained", func(s *control.State) (left []string) {
			for _, p := range c.affected(r) {
				if _, told := s.DrainedBy(r, p.Topic, p.Partition); !told && p.Member != "" {
					left = append(left, fmt.Sprintf("%s/%d", p.Topic, p.Partition))
				}
			}
			return left
		}, "to end it: leat group resume "+strings.Join(args, " ")+" --yes")
	})
	c.waiting(cmd)
	return cmd
}

// await reads answers until none is left open; undo is how to take the command back.
func (c *commander) await(ctx context.Context, what string, open func(*control.State) []string, undo string) error {
	if len(c.group.Members) == 0 {
		c.a.say("the group has no member now: the command takes effect when one starts")
		return nil
	}
	if c.wait == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.wait, errors.New("the time to wait is over"))
	defer cancel()
	for left := []string{"the command itself"}; ; {
		state, err := c.log.Read(ctx) // what was read before knows nothing of the command
		if err == nil {
			left = open(state)
		} else if ctx.Err() == nil {
			return err
		}
		if len(left) == 0 {
			c.a.say("%s", what)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not %s yet: %s: %w; the command stays in force; see: leat group describe %s; %s", what, strings.Join(left, ", "), context.Cause(ctx), c.group.Name, undo)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (a *app) groupRateCommand() *cobra.Command {
	var typ string
	cmd, _ := a.command(&cobra.Command{
		Use:   "rate GROUP TOPIC PER-SECOND|reset",
		Short: "Change how many events per second each member may begin",
		Long: `rate sets the limit of a topic's handlers, or with --type of one, in each member of the group; "reset" goes
back to what the program says.`,
		Example: "  leat group rate payment shop.orders 50 --yes\n  leat group rate payment shop.orders reset --yes",
		Args:    cobra.ExactArgs(3),
	}, func(ctx context.Context, c *commander, args []string) error {
		r := c.record(control.Rate)
		r.Topic, r.Type, r.ID = args[1], typ, ""
		set := slices.ContainsFunc(c.state.Of(r.Group), func(o control.Record) bool { return o.Key() == r.Key() })
		if err := c.heeded(r); err != nil && (args[2] != "reset" || !set) {
			return err
		}
		if args[2] == "reset" {
			return c.do(ctx, c.each(r, "goes back to the program's own rate"), nil, []control.Record{r})
		}
		var err error
		if r.PerSecond, err = strconv.ParseFloat(args[2], 64); err == nil {
			err = r.Validate()
		}
		if err != nil {
			return usagef("%q is no rate: want a number above 0, or reset", args[2])
		}
		return c.do(ctx, c.each(r, fmt.Sprintf("at most %g/s in each member", r.PerSecond)), []control.Record{r}, nil)
	})
	cmd.Flags().StringVar(&typ, "type", "", "only the handler of this event `type`")
	return cmd
}
