package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
)

// letterChoice is the flags that choose dead letters to do something with.
type letterChoice struct {
	group, key, reason, pattern, since, until, source, offsets string
	partition, rounds                                          int32
	limit, canary                                              int
	rate                                                       float64
	repeat, wait, yes                                          bool
	why                                                        string
}

func (f *letterChoice) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&f.group, "group", "g", "", "the `group` whose letters are meant; required")
	fl.StringVar(&f.key, "key", "", "only those with this `key`")
	fl.StringVarP(&f.reason, "reason", "r", "", "only those with this `reason`")
	fl.StringVar(&f.pattern, "error", "", "only those whose error matches this regular `expression` (RE2)")
	fl.StringVar(&f.since, "since", "", "only those whose last failure was at this `time` or later: -2h or 2026-01-31T12:00")
	fl.StringVar(&f.until, "until", "", "only those whose last failure was before this `time`")
	fl.StringVar(&f.source, "source", "", "only that of one `record`: topic/partition@offset")
	fl.Int32Var(&f.partition, "partition", -1, "only those of this `partition` of the source; -1: all")
	fl.StringVar(&f.offsets, "offsets", "", "only those of this `range` of offsets at the source: 100-199, 100-, -199 or 100")
	fl.IntVar(&f.limit, "limit", 0, "at most so many, the oldest of each partition first; 0: all. A held key goes back whole")
	fl.Float64Var(&f.rate, "rate", 0, "at most about so many letters a second; 0: as fast as it goes")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do it; without it only what would be done is shown")
	fl.StringVar(&f.why, "why", "", "`text` that is kept with the letters")
}

func (f *letterChoice) filter(cmd *cobra.Command, a *app, topic string) (want redrive.Filter, err error) {
	want.Reason = consumer.Reason(f.reason)
	if cmd.Flags().Changed("key") {
		if want.Key, err = a.codec.KeyBytes(cmd.Context(), topic, f.key); err != nil {
			return want, err
		}
	}
	if f.pattern != "" {
		if want.Error, err = regexp.Compile(f.pattern); err != nil {
			return want, usagef("--error: %w", err)
		}
	}
	if want.Since, err = parseMoment(f.since, time.Now()); err != nil {
		return want, usagef("--since: %w", err)
	}
	if want.Until, err = parseMoment(f.until, time.Now()); err != nil {
		return want, usagef("--until: %w", err)
	}
	if f.source != "" {
		at, err := parsePosition(f.source)
		if err != nil {
			return want, usagef("--source: %w", err)
		}
		want.Source = &at
	}
	if cmd.Flags().Changed("partition") {
		want.Partition = &f.partition
	}
	if want.From, want.To, err = parseOffsets(f.offsets); err != nil {
		return want, usagef("--offsets: %w", err)
	}
	if f.group == "" {
		return want, usagef("want --group: whose dead letters of %s are meant", topic)
	}
	if f.limit < 0 || f.canary < 0 || !(f.rate >= 0) {
		return want, usagef("--limit, --canary and --rate: want 0 or more")
	}
	return want, nil
}

// parseOffsets reads a range of offsets, both ends in it; the second number that it returns is out of
// it, or 0 where it has no end.
func parseOffsets(text string) (from, to int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	if first != "" {
		from, err = strconv.ParseInt(first, 10, 64)
	}
	if last != "" && err == nil {
		to, err = strconv.ParseInt(last, 10, 64)
		to++
	}
	if err != nil || text == "-" || to > 0 && to <= from {
		return 0, 0, fmt.Errorf("%q is no range: want 100-199, 100-, -199 or 100", text)
	}
	return from, to, nil
}

// parseMoment reads a time, or how long ago it was; "" is the zero time.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d <= 0 {
		return now.Add(d), nil
	}
	for _, form := range dateForms {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: want how long ago (-2h) or a time (2026-01-31T12:00)", text)
}

// chosenView counts what is to be done, by key and reason.
type chosenView struct {
	Key     string `json:"key"`
	Reason  string `json:"reason"`
	Letters int    `json:"letters"`
	Refused string `json:"refused,omitempty"`
}

func (a *app) viewChosen(ctx context.Context, p redrive.Plan) []chosenView {
	var views []chosenView
	index := map[chosenView]int{}
	count := func(l *redrive.Letter, refused string) {
		v := chosenView{Key: cmp.Or(a.keyText(ctx, l.Key), "-"), Reason: string(l.Reason), Refused: refused}
		i, known := index[v]
		if !known {
			i = len(views)
			index[v] = i
			views = append(views, v)
		}
		views[i].Letters++
	}
	for _, l := range p.Letters {
		count(l, "")
	}
	for _, r := range p.Refused {
		count(r.Letter, r.Why)
	}
	return views
}

func (v chosenView) row() []string {
	return []string{v.Key, v.Reason, strconv.Itoa(v.Letters), v.Refused}
}

func (a *app) dlqRedriveCommand() *cobra.Command {
	var f letterChoice
	cmd := a.letterAct(&f, redrive.Redriven, &cobra.Command{
		Use:   "redrive TOPIC --group GROUP",
		Short: "Give dead letters back to the group that could not handle them",
		Long: `redrive gives the events of dead letters back to their group, and to no other: through its park topic
(consumer.Park), or, where it does not park the topic, through TOPIC.GROUP.redrive, which is made and
which its members find within ten seconds. They run in the order of their source. A held key (HoldKey)
goes back whole, and then goes on; of other keys there is no order between them and live events.

With --canary a few go first, and the rest only when the events of all of these took effect; --wait waits
for all, and leaves with 3 where one came back. What was done is noted in the dead-letter topic, with who,
when, why and what came of it. On Kafka, event and note are one transaction: a command that was killed is
simply given again. An event that came back --max times is refused, and so is one that was first tried
before what the group's inbox remembers: whether it took effect then nobody knows. A share group takes
nothing back.`,
		Example: "  leat dlq redrive shop.orders --group payment --reason exhausted\n  leat dlq redrive shop.orders --group payment --error 'gateway' --canary 5 --rate 100 --yes",
	})
	f.redriveFlags(cmd)
	cmd.Flags().IntVar(&f.canary, "canary", 0, "so many go first, and the others when the events of these took effect; 0: all at once")
	return cmd
}

// redriveFlags are those of what gives events back.
func (f *letterChoice) redriveFlags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.Int32Var(&f.rounds, "max", redrive.MaxRounds, "how often one event may be redriven")
	fl.BoolVar(&f.repeat, "repeat", false, "also what was tried before the group's inbox remembers")
	fl.BoolVar(&f.wait, "wait", false, "wait until the events have ended")
}

func (a *app) dlqDiscardCommand() *cobra.Command {
	var f letterChoice
	return a.letterAct(&f, redrive.Discarded, &cobra.Command{
		Use:     "discard TOPIC --group GROUP",
		Short:   "Note of dead letters that nothing is to be done",
		Long:    `discard notes in the dead-letter topic that nothing is to be done about letters: they stay readable.`,
		Example: "  leat dlq discard shop.orders --group payment --reason not-an-event --why 'load test' --yes",
	})
}

func (a *app) letterAct(f *letterChoice, act redrive.Act, cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = a.completeTopics
	f.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		filter, err := f.filter(cmd, a, args[0])
		if err != nil {
			return err
		}
		client, err := a.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer client.Close()
		if act == redrive.Redriven {
			if err := redrive.Possible(cmd.Context(), client, f.group); err != nil {
				return err
			}
		}
		guard, err := f.guard(cmd.Context(), client, act)
		if err != nil {
			return err
		}
		story, err := redrive.Read(cmd.Context(), client, f.group, args[0])
		if err != nil {
			return err
		}
		plan := story.Plan(act, filter, guard)
		if err := show(a, a.viewChosen(cmd.Context(), plan), []string{"KEY", "REASON", "LETTERS", "REFUSED"}, chosenView.row); err != nil {
			return err
		}
		if !f.yes {
			a.say("nothing was done; with --yes it is")
			return nil
		}
		return a.deal(cmd.Context(), f.job(client, args[0], act, filter, guard))
	}
	return cmd
}

// guard is what is refused. How far back the group's inbox remembers stands in the control topic,
// where the group has told of one.
func (f *letterChoice) guard(ctx context.Context, client *kafka.Client, act redrive.Act) (g redrive.Guard, err error) {
	g.Rounds = f.rounds
	if act != redrive.Redriven || f.repeat {
		return g, nil
	}
	topic, err := controlTopic(ctx, client, f.group)
	if err != nil || topic == "" {
		return g, err
	}
	state, err := control.NewLog(client, topic).Read(ctx)
	if err != nil {
		return g, err
	}
	if inbox, told := state.InboxOf(f.group); told && inbox.Keep > 0 {
		g.Known = time.Now().Add(-inbox.Keep)
	}
	return g, nil
}

func (f *letterChoice) job(client *kafka.Client, topic string, act redrive.Act, filter redrive.Filter, guard redrive.Guard) redrive.Job {
	return redrive.Job{
		Client: client, Group: f.group, Topic: topic, Filter: filter, Guard: guard, Limit: f.limit,
		Canary: f.canary, Rate: f.rate, Wait: f.wait, Act: act, By: whoami(), Why: f.why,
	}
}

// deal carries a job out, and tells how far it is.
func (a *app) deal(ctx context.Context, job redrive.Job) error {
	gone := a.progress("letters " + string(job.Act))
	gone.always(a)
	last := redrive.Tally{}
	job.Told = func(t redrive.Tally) {
		gone.what = fmt.Sprintf("of %d letters %s", t.Of, job.Act)
		gone.add(int64(t.Done - last.Done))
		last = t
	}
	tally, err := job.Run(ctx)
	gone.done()
	a.say("%d letters %s", tally.Done, job.Act)
	if job.Wait || job.Canary > 0 {
		a.say("%d events took effect, %d came back", tally.Handled, tally.Again)
	}
	if err == nil && tally.Again > 0 {
		return foundf("%d events came back; see: leat dlq list", tally.Again)
	}
	if errors.Is(err, redrive.ErrCanary) {
		return foundf("%v", err)
	}
	return err
}
