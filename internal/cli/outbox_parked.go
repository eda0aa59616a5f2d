package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/outbox"
)

// parkedShown bounds the list of parked events.
const parkedShown = 1000

func (a *app) outboxParkedCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "parked SERVICE",
		Short: "List the events of a service that could not leave and were parked",
		Long: `parked shows the parked events of an outbox, oldest first, at most 1,000: what could not leave, or was
taken out of the way by skip. Each has a letter among the dead letters of its topic (reason unsendable).`,
		Example:           "  leat outbox parked payment --database-url postgres://localhost/shop",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			host, err := a.load()
			if err != nil {
				return err
			}
			var all []outbox.ParkedEvent
			err = a.withBox(cmd.Context(), host.DatabaseURL, args[0], func(ctx context.Context, box *outbox.Box) (err error) {
				all, err = box.Parked(ctx, parkedShown)
				return err
			})
			if err != nil {
				return err
			}
			head := []string{"ID", "PARKED", "TOPIC", "TYPE", "EVENT", "BYTES", "REASON"}
			return show(a, all, head, func(e outbox.ParkedEvent) []string {
				return []string{strconv.FormatInt(e.ID, 10), stamp(e.ParkedAt), e.Topic, e.Type, e.EventID, strconv.FormatInt(e.Bytes, 10), short(e.Reason)}
			})
		},
	}
}

func (a *app) outboxUnparkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unpark SERVICE ID...",
		Short: "Put parked events back into the outbox, by the ids that parked shows",
		Long: `unpark has parked events sent after all, once what kept them from leaving is mended. They keep their event
ids and leave behind what waits already, so after later events of their keys.`,
		Example:           "  leat outbox unpark payment 4711 --database-url postgres://localhost/shop",
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := rowIDs(args[1:])
			if err != nil {
				return err
			}
			host, err := a.load()
			if err != nil {
				return err
			}
			return a.withBox(cmd.Context(), host.DatabaseURL, args[0], func(ctx context.Context, box *outbox.Box) error {
				for _, id := range ids {
					if err := box.Unpark(ctx, id); err != nil {
						return fmt.Errorf("%w; see: leat outbox parked %s", err, args[0])
					}
					a.say("event %d is back in the outbox", id)
				}
				return nil
			})
		},
	}
}
