package cli

import (
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer/redrive"
)

func (a *app) dlqAdoptCommand() *cobra.Command {
	var (
		group string
		yes   bool
	)
	cmd := &cobra.Command{
		Use:   "adopt TOPIC --group GROUP",
		Short: "Make dead letters of the group out of Spring Kafka's",
		Long: `adopt reads a topic to which Spring Kafka writes dead letters (shop.orders-dlt, or shop.orders.DLT), of
DeadLetterPublishingRecoverer or @RetryableTopic. Those of the group become letters of leat's in the
dead-letter topic of their source, where list, show, redrive, edit and discard find them: the event as it
was, and the story as Spring tells it. Spring's topic is left as it is. A record that the group has a letter
of is passed over, whatever has become of that, so the command can be given again.`,
		Example:           "  leat dlq adopt shop.orders-dlt --group payment\n  leat dlq adopt shop.orders-dlt --group payment --yes",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopics,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.adoptLetters(cmd, args[0], group, yes) },
	}
	cmd.Flags().StringVarP(&group, "group", "g", "", "the `group` that could not handle them; required")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do it; without it only what would be done is shown")
	return cmd
}

func (a *app) adoptLetters(cmd *cobra.Command, from, group string, yes bool) error {
	if group == "" {
		return usagef("want --group")
	}
	client, err := a.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer client.Close()
	letters, passed, err := redrive.Adoptable(cmd.Context(), client, group, from)
	if err != nil {
		return err
	}
	if passed > 0 {
		a.say("%d records are passed over: of other groups, or no dead letters of Spring's", passed)
	}
	var views []letterView
	for _, l := range letters {
		views = append(views, viewLetter(l.DeadLetter, l.At))
	}
	err = show(a, views, []string{"SOURCE", "REASON", "ATTEMPTS", "LAST FAILURE", "ERROR"}, func(v letterView) []string {
		return []string{v.Source, v.Reason, strconv.Itoa(v.Attempts), stamp(v.Last), short(v.Error)}
	})
	if err != nil {
		return err
	}
	if !yes {
		a.say("nothing was done; with --yes it is")
		return nil
	}
	written := 0
	for len(letters) > 0 {
		topic := letters[0].Source.Topic
		n := slices.IndexFunc(letters, func(l *redrive.Letter) bool { return l.Source.Topic != topic })
		if n < 0 {
			n = len(letters)
		}
		done, err := redrive.Job{Client: client, Group: group, Topic: topic}.Adopt(cmd.Context(), letters[:n])
		if written += done; err != nil {
			a.say("%d letters adopted", written)
			return err
		}
		letters = letters[n:]
	}
	a.say("%d letters adopted", written)
	return nil
}
