package cli

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
)

// letterChoice is the flags that choose dead letters to do something with.
type letterChoice struct {
	group, key, reason, pattern, since, until, source string
	limit                                             int
	rounds                                            int32
	yes                                               bool
	why                                               string
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
	fl.IntVar(&f.limit, "limit", 0, "at most so many, the oldest of each partition first; 0: all. A held key goes back whole")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do it; without it only what would be done is shown")
	fl.StringVar(&f.why, "why", "", "`text` that is kept with the letters")
}

func (f *letterChoice) filter(cmd *cobra.Command) (want redrive.Filter, err error) {
	want.Reason = consumer.Reason(f.reason)
	if cmd.Flags().Changed("key") {
		want.Key = []byte(f.key)
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
	if f.limit < 0 || f.group == "" {
		return want, usagef("want --group, and --limit of 0 or more")
	}
	return want, nil
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

func viewChosen(p redrive.Plan) []chosenView {
	var views []chosenView
	index := map[chosenView]int{}
	count := func(l *redrive.Letter, refused string) {
		v := chosenView{Key: cmp.Or(string(l.Key), "-"), Reason: string(l.Reason), Refused: refused}
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
		Long: `redrive gives the events of dead letters back to their group, and to no other, through its park topic: the
group has to park the topic (consumer.Park). They run in the order of their source; where the group goes
on with a key after a dead letter (SkipKey) there is no order between them and the key's live events.
A held key (HoldKey) goes back whole, and then goes on.

What was done is noted in the dead-letter topic, with who, when and why. On Kafka, event and note are one
transaction: a command that was killed is simply given again. An event that came back --max times is
refused.`,
		Example: "  leat dlq redrive shop.orders --group payment --reason exhausted\n  leat dlq redrive shop.orders --group payment --error 'gateway' --limit 1 --yes",
	})
	cmd.Flags().Int32Var(&f.rounds, "max", redrive.MaxRounds, "how often one event may be redriven")
	return cmd
}

func (a *app) dlqDiscardCommand() *cobra.Command {
	f := letterChoice{rounds: 1 << 30}
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
		filter, err := f.filter(cmd)
		if err != nil {
			return err
		}
		client, err := a.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer client.Close()
		story, err := redrive.Read(cmd.Context(), client, f.group, args[0])
		if err != nil {
			return err
		}
		plan := story.Plan(filter, f.rounds)
		if err := show(a, viewChosen(plan), []string{"KEY", "REASON", "LETTERS", "REFUSED"}, chosenView.row); err != nil {
			return err
		}
		if !f.yes {
			a.say("nothing was done; with --yes it is")
			return nil
		}
		done, err := redrive.Job{
			Client: client, Group: f.group, Topic: args[0], Filter: filter, Rounds: f.rounds, Limit: f.limit,
			Act: act, By: whoami(), Why: f.why,
		}.Run(cmd.Context())
		a.say("%d letters %s", done, act)
		return err
	}
	return cmd
}
