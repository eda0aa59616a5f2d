package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
)

// letterSuffix ends the name of every topic of dead letters.
const letterSuffix = ".dlq"

func (a *app) dlqCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "dlq", Short: "Look at dead letters, the records that a group could not handle, and give them back"})
	cmd.AddCommand(a.dlqListCommand(), a.dlqShowCommand(), a.dlqRedriveCommand(), a.dlqEditCommand(), a.dlqReleaseCommand(), a.dlqDiscardCommand(), a.dlqAdoptCommand())
	return cmd
}

// letterView is a dead letter.
type letterView struct {
	Letter    string    `json:"letter"` // where it lies
	Source    string    `json:"source"` // topic/partition@offset of the record
	Group     string    `json:"group"`
	Reason    string    `json:"reason"`
	Error     string    `json:"error,omitempty"`
	Attempts  int       `json:"attempts"`
	Handler   string    `json:"handler,omitempty"`
	Version   string    `json:"version,omitempty"`
	Timestamp time.Time `json:"source_timestamp,omitzero"`
	First     time.Time `json:"first_failure,omitzero"`
	Last      time.Time `json:"last_failure,omitzero"`
	State     string    `json:"state"`  // open, waiting, handled, dead-again, discarded, or redriven where nobody can tell the outcome
	Copies    int       `json:"copies"` // a crash can write a letter twice; it counts once
	Omitted   []string  `json:"omitted,omitempty"`

	Notes []redrive.Note `json:"notes,omitempty"` // what was done with it, oldest first

	Stack  string      `json:"stack,omitempty"`  // show only
	Record *recordView `json:"record,omitempty"` // show only

	topic string // source
}

func viewLetter(d consumer.DeadLetter, at leat.Position) letterView {
	return letterView{
		Letter: at.String(), Source: d.Source.String(), Group: d.Group, Reason: string(d.Reason), Error: d.Error,
		Attempts: d.Attempts, Handler: d.Handler, Version: d.Version, Timestamp: d.Timestamp,
		First: d.FirstFailure, Last: d.LastFailure, State: string(redrive.Open), Copies: 1, Omitted: d.Omitted, topic: d.Source.Topic,
	}
}

// letterFilter says which dead letters.
type letterFilter struct {
	group, reason, from string
}

func (a *app) dlqListCommand() *cobra.Command {
	var f letterFilter
	cmd := &cobra.Command{
		Use:   "list [TOPIC...]",
		Short: "List dead letters, one per record and group",
		Long: `list shows the dead letters of all topics whose names end in .dlq, or of the named ones. A topic can be
named by its source (shop.orders) or in full (shop.orders.payment.dlq).`,
		Example:           "  leat dlq list\n  leat dlq list shop.orders --group payment --from -1h",
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, topics []string) error {
			client, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			letters, err := a.readLetters(cmd.Context(), client, topics, f)
			if err != nil {
				return err
			}
			for i := range letters {
				letters[i].Record, letters[i].Stack = nil, ""
			}
			head := []string{"SOURCE", "GROUP", "REASON", "STATE", "ATTEMPTS", "LAST FAILURE", "ERROR"}
			return show(a, letters, head, func(v letterView) []string {
				return []string{v.Source, v.Group, v.Reason, v.State, strconv.Itoa(v.Attempts), stamp(v.Last), short(v.Error)}
			})
		},
	}
	cmd.Flags().StringVarP(&f.group, "group", "g", "", "only those of this `group`")
	cmd.Flags().StringVarP(&f.reason, "reason", "r", "", "only those with this `reason`: not-an-event, undecodable, permanent, exhausted, panic, unhandled, unsendable, expired, blocked")
	cmd.Flags().StringVar(&f.from, "from", "start", "`place` to start, as in leat tail")
	return cmd
}

func (a *app) dlqShowCommand() *cobra.Command {
	var f letterFilter
	cmd := &cobra.Command{
		Use:     "show SOURCE",
		Short:   "Show the whole story of a dead letter, and its record",
		Long:    `show takes the source of a dead letter as "leat dlq list" prints it: topic/partition@offset.`,
		Example: "  leat dlq show shop.orders/2@17 --group payment",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			source, err := parsePosition(args[0])
			if err != nil {
				return usagef("%w", err)
			}
			client, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			f.from = "start"
			letters, err := a.readLetters(cmd.Context(), client, []string{source.Topic}, f)
			if err != nil {
				return err
			}
			letters = slices.DeleteFunc(letters, func(v letterView) bool { return v.Source != source.String() })
			if len(letters) == 0 {
				return fmt.Errorf("no group has a dead letter of %s; see: leat dlq list", source)
			}
			if a.output != formTable {
				return show(a, letters, nil, nil)
			}
			for i, v := range letters {
				if i > 0 {
					fmt.Fprintln(a.cfg.Stdout)
				}
				if err := v.write(a.cfg.Stdout); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&f.group, "group", "g", "", "only that of this `group`")
	return cmd
}

// readLetters reads dead letters and folds those that tell of the same record and group.
func (a *app) readLetters(ctx context.Context, client *kafka.Client, names []string, f letterFilter) ([]letterView, error) {
	from, err := parseFrom(f.from, time.Now())
	if err != nil {
		return nil, usagef("--from: %w", err)
	}
	topics, err := letterTopics(ctx, client, names)
	if err != nil {
		return nil, err
	}
	if len(topics) == 0 {
		a.say("no dead-letter topic is among these, as far as this user may see; see: leat topic list")
		return nil, nil
	}
	read := a.progress("dead letters read")
	defer read.done()
	var letters []letterView
	index := map[string]int{}
	for w, err := range client.Tail(ctx, kafka.TailConfig{Topics: topics, From: from}) {
		if err != nil {
			return nil, err
		}
		read.add(1)
		if n, ok := redrive.ParseNote(headersOf(w)); ok {
			about := consumer.DeadLetter{Group: n.Group, Source: leat.Position{Topic: n.Topic, Partition: n.Partition, Offset: n.Offset}}
			if i, known := index[about.ID()]; known {
				letters[i].Notes = append(letters[i].Notes, n)
			}
			continue
		}
		d, err := consumer.ParseDeadLetter(headersOf(w))
		if errors.Is(err, consumer.ErrNotADeadLetter) {
			a.say("%s is passed over: %v", w.Position(), err)
			continue
		}
		if f.group != "" && d.Group != f.group {
			continue
		}
		v, record := viewLetter(d, w.Position()), viewOf(w)
		if err := errors.Join(record.decodeKey(ctx, a.codec, w), record.decode(ctx, a.codec, w)); err != nil {
			a.sayOnce("%v is shown as it is: %v", w.Position(), err)
		}
		v.Stack, v.Record = d.Stack, &record
		if i, known := index[d.ID()]; known { // the newest tells
			v.Copies, v.Notes = letters[i].Copies+1, letters[i].Notes
			letters[i] = v
			continue
		}
		index[d.ID()] = len(letters)
		letters = append(letters, v)
	}
	letters = slices.DeleteFunc(letters, func(v letterView) bool { return f.reason != "" && v.Reason != f.reason })
	if ctx.Err() != nil {
		return nil, errors.New("interrupted before the end")
	}
	if err := a.tellOutcomes(ctx, client, letters); err != nil {
		return nil, err
	}
	slices.SortStableFunc(letters, func(x, y letterView) int { return x.Last.Compare(y.Last) })
	return letters, nil
}

// tellOutcomes says what has become of letters that something was done with.
func (a *app) tellOutcomes(ctx context.Context, client *kafka.Client, letters []letterView) error {
	type place struct{ group, topic string }
	states := map[place]map[string]string{}
	for i := range letters {
		v := &letters[i]
		if len(v.Notes) == 0 {
			continue
		}
		at := place{v.Group, v.topic}
		if states[at] == nil {
			story, err := redrive.Read(ctx, client, at.group, at.topic)
			if err != nil {
				return fmt.Errorf("look for what became of letters: %w", err)
			}
			states[at] = map[string]string{}
			for _, l := range story.Letters() {
				states[at][l.Source.String()] = string(l.State())
			}
		}
		v.State = states[at][v.Source]
	}
	return nil
}

// letterTopics finds the topics of dead letters: all, or those of the named sources.
func letterTopics(ctx context.Context, client *kafka.Client, names []string) ([]string, error) {
	all, err := client.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var topics []string
	for _, t := range all {
		source, isLetters := strings.CutSuffix(t.Name, letterSuffix)
		if !isLetters {
			continue
		}
		wanted := len(names) == 0 || slices.ContainsFunc(names, func(name string) bool {
			return t.Name == name || strings.HasPrefix(source, name+".")
		})
		if wanted {
			topics = append(topics, t.Name)
		}
	}
	return topics, nil
}

func headersOf(w leat.Wire) []leat.Header {
	var headers []leat.Header
	for name, value := range w.Headers() {
		headers = append(headers, leat.Header{Key: name, Value: value})
	}
	return headers
}

// parsePosition reads topic/partition@offset.
func parsePosition(text string) (leat.Position, error) {
	topic, rest, ok := strings.Cut(text, "/")
	partition, offset, also := strings.Cut(rest, "@")
	p, err := strconv.ParseInt(partition, 10, 32)
	o, oerr := strconv.ParseInt(offset, 10, 64)
	if !ok || !also || topic == "" || err != nil || oerr != nil || p < -1 || o < 0 { // -1: a row of an outbox that could not be sent
		return leat.Position{}, fmt.Errorf("%q is no place of a record: want topic/partition@offset", text)
	}
	return leat.Position{Topic: topic, Partition: int32(p), Offset: o}, nil
}

func (v letterView) write(w io.Writer) error {
	rows := [][2]string{
		{"source", v.Source},
		{"group", v.Group},
		{"reason", v.Reason},
		{"state", v.State},
		{"error", v.Error},
		{"attempts", strconv.Itoa(v.Attempts)},
		{"handler", v.Handler},
		{"version", v.Version},
		{"record of", stamp(v.Timestamp)},
		{"first failure", stamp(v.First)},
		{"last failure", stamp(v.Last)},
		{"letter", v.Letter},
		{"left out for size", strings.Join(v.Omitted, ", ")},
	}
	for _, r := range rows {
		if r[1] != "" {
			fmt.Fprintf(w, "%-18s%s\n", r[0]+":", plain(r[1]))
		}
	}
	for _, n := range v.Notes {
		if n.Edited != "" {
			fmt.Fprintf(w, "%-18s%s\n", "edited:", plain(n.Edited))
		}
		fmt.Fprintf(w, "%-18s%s\n", string(n.Act)+":", plain(strings.TrimRight(fmt.Sprintf("%s by %s: %s", stamp(n.At), n.By, n.Why), ": ")))
	}
	if v.Stack != "" {
		fmt.Fprintln(w, "stack:")
		for line := range strings.Lines(v.Stack) {
			fmt.Fprintln(w, "  "+plain(strings.TrimRight(strings.ReplaceAll(line, "\t", "  "), "\r\n")))
		}
	}
	fmt.Fprintln(w, "record, with the story's headers left out:")
	r := *v.Record
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h headerView) bool { return strings.HasPrefix(h.Key, "leat-") })
	for _, h := range r.Headers {
		fmt.Fprintf(w, "  header %s=%s\n", plain(h.Key), plain(h.Value))
	}
	fmt.Fprint(w, "  ")
	return writeRecord(w, r)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// short is the beginning of a text, for a table.
func short(s string) string {
	const room = 60
	if r := []rune(s); len(r) > room {
		return string(r[:room-3]) + "..."
	}
	return s
}
