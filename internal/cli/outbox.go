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

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
)

func (a *app) outboxCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "outbox", Short: "Look at outboxes: the events that wait in a database for Kafka"})
	cmd.PersistentFlags().AddFlag(a.settingFlag("database-url", "database-url", "d"))
	cmd.AddCommand(a.outboxStatusCommand(), a.outboxSkipCommand(), a.outboxParkedCommand(), a.outboxUnparkCommand(), a.outboxReplayCommand())
	return cmd
}

// outboxView is the state of one service's outbox.
type outboxView struct {
	Service       string    `json:"service"`
	Rows          int64     `json:"rows"`
	Head          int64     `json:"head,omitempty"`
	AgeSeconds    float64   `json:"age_seconds"`
	Delayed       int64     `json:"delayed"`
	Parked        int64     `json:"parked"`
	WriterSeconds float64   `json:"oldest_writer_seconds"`
	Trouble       string    `json:"trouble,omitempty"`
	Since         time.Time `json:"since,omitzero"`
	Outbox        string    `json:"outbox"`

	Slot *outbox.SlotStatus `json:"slot,omitempty"`
}

func viewOutbox(name string, s outbox.Status) outboxView {
	return outboxView{
		Service: name, Rows: s.Rows, Head: s.Head, AgeSeconds: s.Age.Seconds(), Delayed: s.Delayed, Parked: s.Parked,
		WriterSeconds: s.Writer.Seconds(), Trouble: s.Trouble, Since: s.Since, Outbox: s.Outbox, Slot: s.Slot,
	}
}

func (v outboxView) row() []string {
	head, age := "", ""
	if v.Rows > 0 {
		head, age = strconv.FormatInt(v.Head, 10), time.Duration(v.AgeSeconds*float64(time.Second)).Round(time.Millisecond).String()
	}
	return []string{v.Service, strconv.FormatInt(v.Rows, 10), head, age, strconv.FormatInt(v.Delayed, 10), strconv.FormatInt(v.Parked, 10), v.Trouble}
}

func (a *app) outboxStatusCommand() *cobra.Command {
	var oldest time.Duration
	cmd := &cobra.Command{
		Use:   "status [SERVICE...]",
		Short: "Show what waits in the outboxes, since when and why",
		Long: `status looks into the databases of the named services, or of all services of this binary. It leaves with
3 where the relay of one has told of trouble, where events are parked, or where one waits longer than
--oldest.`,
		Example:           "  leat outbox status payment --database-url postgres://localhost/shop",
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				names = a.serviceNames()
			}
			if len(names) == 0 {
				return usagef("there are no services in this binary: name one")
			}
			host, err := a.load()
			if err != nil {
				return err
			}
			var views []outboxView
			var bad []string
			var faults []error
			for _, name := range names {
				s, err := a.outboxStatus(cmd.Context(), host.DatabaseURL, name)
				if err != nil { // the others may lie elsewhere
					faults = append(faults, err)
					if leat.IsUnavailable(err) {
						break
					}
					continue
				}
				views = append(views, viewOutbox(name, s))
				if s.Trouble != "" || s.Parked > 0 || oldest > 0 && s.Age > oldest {
					bad = append(bad, name)
				}
			}
			if err := errors.Join(append(faults, show(a, views, outboxHead, outboxView.row))...); err != nil {
				return err
			}
			if len(bad) > 0 {
				return foundf("look after the outbox of %s", strings.Join(bad, ", "))
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&oldest, "oldest", 0, "how long an event may wait; 0: any time")
	return cmd
}

var outboxHead = []string{"SERVICE", "ROWS", "HEAD", "AGE", "DELAYED", "PARKED", "TROUBLE"}

func (a *app) outboxStatus(ctx context.Context, url, name string) (outbox.Status, error) {
	var s outbox.Status
	err := a.withBox(ctx, url, name, func(ctx context.Context, box *outbox.Box) (err error) {
		s, err = box.Status(ctx)
		return err
	})
	return s, err
}

// withBox lets do look into the outbox of a service, for as long as a database has to answer.
func (a *app) withBox(ctx context.Context, url, name string, do func(context.Context, *outbox.Box) error) error {
	return a.withOpenBox(ctx, url, name, func(ctx context.Context, box *outbox.Box) error {
		ctx, cancel := context.WithTimeout(ctx, reachTimeout)
		defer cancel()
		return do(ctx, box)
	})
}

// withOpenBox is withBox for what takes its time.
func (a *app) withOpenBox(ctx context.Context, url, name string, do func(context.Context, *outbox.Box) error) error {
	db, err := a.openService(ctx, url, name)
	if err != nil {
		return err
	}
	defer db.Close()
	box, err := outbox.New(outbox.Config{DB: db, Source: name, Logger: a.logger()})
	if err != nil {
		return err
	}
	if err := do(ctx, box); err != nil {
		return fmt.Errorf("outbox of %s: %w", name, err)
	}
	return nil
}

// onBox is withBox as the settings say.
func (a *app) onBox(ctx context.Context, name string, do func(context.Context, *outbox.Box) error) error {
	host, err := a.load()
	if err != nil {
		return err
	}
	return a.withBox(ctx, host.DatabaseURL, name, do)
}

// eachRow makes cmd one of SERVICE ID... that does something to events in an outbox, and says so; what
// else there is shows the command see.
func (a *app) eachRow(cmd *cobra.Command, see, done string, do func(*outbox.Box, context.Context, int64) error) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = cobra.MinimumNArgs(2), a.completeServices
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ids, err := rowIDs(args[1:])
		if err != nil {
			return err
		}
		return a.onBox(cmd.Context(), args[0], func(ctx context.Context, box *outbox.Box) error {
			for _, id := range ids {
				if err := do(box, ctx, id); err != nil {
					return fmt.Errorf("%w; see: leat outbox %s %s", err, see, args[0])
				}
				a.say("event %d "+done, id)
			}
			return nil
		})
	}
	return cmd
}

func (a *app) outboxSkipCommand() *cobra.Command {
	return a.eachRow(&cobra.Command{
		Use:   "skip SERVICE ID...",
		Short: "Take events that can't leave out of the way, by the ids that status shows",
		Long: `skip parks events of an outbox in place of sending them: the service's relay moves them to its parked rows,
with a letter in their place, at its next pass. Either an event is sent or it is parked, never both.`,
		Example: "  leat outbox skip payment 4711 --database-url postgres://localhost/shop",
	}, "status", "will be parked at the relay's next pass", (*outbox.Box).Skip)
}

func (a *app) outboxUnparkCommand() *cobra.Command {
	return a.eachRow(&cobra.Command{
		Use:   "unpark SERVICE ID...",
		Short: "Put parked events back into the outbox, by the ids that parked shows",
		Long: `unpark has parked events sent after all, once what kept them from leaving is mended. They keep their event
ids and leave behind what waits already, so after later events of their keys.`,
		Example: "  leat outbox unpark payment 4711 --database-url postgres://localhost/shop",
	}, "parked", "is back in the outbox", (*outbox.Box).Unpark)
}

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
			var all []outbox.ParkedEvent
			err := a.onBox(cmd.Context(), args[0], func(ctx context.Context, box *outbox.Box) (err error) {
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

// rowIDs are the ids of events in an outbox, each once.
func rowIDs(args []string) (ids []int64, err error) {
	for _, text := range args {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id <= 0 {
			return nil, usagef("%q is no id of an event in an outbox", text)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
