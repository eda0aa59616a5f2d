package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer/redrive"
)

// heldView is a held key.
type heldView struct {
	Key       string `json:"key"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first"`   // offset of the first dead event at the source
	Letters   int    `json:"letters"` // dead letters of the hold
}

func (v heldView) row() []string {
	return []string{v.Key, strconv.Itoa(int(v.Partition)), strconv.FormatInt(v.First, 10), strconv.Itoa(v.Letters)}
}

func (a *app) dlqReleaseCommand() *cobra.Command {
	var (
		group, key, why string
		yes             bool
	)
	cmd := &cobra.Command{
		Use:   "release TOPIC --group GROUP --key KEY",
		Short: "Let a held key go on without its dead letters",
		Long: `release lets a key that is held after a dead letter (HoldKey) go on with what comes next. Its dead letters
stay open, with a note: what is redriven of them later has no order with the key's live events. Where a letter
is not there yet, or one comes meanwhile, nothing is done, and the key is to be looked at again.`,
		Example:           "  leat dlq release shop.orders --group payment --key o-17 --yes",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			if group == "" || !cmd.Flags().Changed("key") {
				return usagef("want --group and --key")
			}
			client, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			job := redrive.Job{Client: client, Group: group, Topic: args[0], By: whoami(), Why: why}
			name, err := a.codec.KeyBytes(cmd.Context(), args[0], key)
			if err != nil {
				return err
			}
			held, err := job.Held(cmd.Context(), name)
			if err != nil {
				return err
			}
			var views []heldView
			for _, h := range held {
				views = append(views, heldView{key, h.Partition, h.First, h.Count})
			}
			if err := show(a, views, []string{"KEY", "PARTITION", "FIRST", "LETTERS"}, heldView.row); err != nil {
				return err
			}
			if !yes {
				a.say("nothing was done; with --yes it is")
				return nil
			}
			if err := job.Release(cmd.Context(), name); err != nil {
				return err
			}
			a.say("the key goes on")
			return nil
		},
	}
	cmd.Flags().StringVarP(&group, "group", "g", "", "the `group` that holds the key; required")
	cmd.Flags().StringVar(&key, "key", "", "the `key`; required")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do it; without it only what would be done is shown")
	cmd.Flags().StringVar(&why, "why", "", "`text` that is kept with its letters")
	return cmd
}
