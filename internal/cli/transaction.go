package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/kafka"
)

func (a *app) transactionCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "transaction", Short: "Find and end transactions that hang"})
	cmd.AddCommand(a.transactionMendCommand())
	return cmd
}

// hangView is a transaction that hangs in a partition.
type hangView struct {
	ID        string    `json:"transactional_id"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Last      time.Time `json:"last_write"`
	Ended     string    `json:"ended"` // commit, abort, or "" for not known
}

func (v hangView) row() []string {
	return []string{v.ID, v.Topic, strconv.Itoa(int(v.Partition)), strconv.FormatInt(v.Offset, 10), v.Last.UTC().Format(time.RFC3339), v.Ended}
}

func (a *app) transactionMendCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "mend [ID...]",
		Short: "End transactions whose markers Kafka left out, as they were decided",
		Long: `mend finds transactions that have ended for their coordinator and that a partition takes for open: readers
of what is committed stand still there, and no timeout ends it. It looks at the transactional ids that are
named, or at all of the cluster, leat's or not, and shows for each partition from which offset on it
hangs, and how the transaction ended. With --yes it writes the missing markers, with that end.
kafka-transactions.sh would abort, also what was committed.

It needs transaction.version 2, Describe on the transactional ids, Read on the topics, and for --yes Alter
on the cluster. Where the coordinator has forgotten the end, it reads it in __transaction_state, if it may.
It leaves with 3 where something hangs at the end.`,
		Example: "  leat transaction mend\n  leat transaction mend --yes",
		RunE: func(cmd *cobra.Command, ids []string) error {
			client, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			hangs, err := client.Hangs(cmd.Context(), ids...)
			if err != nil {
				return err
			}
			views, left := make([]hangView, len(hangs)), len(hangs)
			for i, h := range hangs {
				views[i] = hangView{h.TransactionalID, h.Topic, h.Partition, h.Offset, h.Last, h.End}
			}
			if err := show(a, views, []string{"ID", "TOPIC", "PARTITION", "OFFSET", "LAST WRITE", "ENDED"}, hangView.row); err != nil {
				return err
			}
			if len(hangs) == 0 {
				a.say("nothing hangs, as far as this user may see")
			}
			if yes && len(hangs) > 0 {
				if left, err = a.mend(cmd, client, hangs, ids); err != nil {
					return err
				}
			}
			if left > 0 {
				return foundf("%d partitions have a transaction that hangs", left)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "write the missing markers")
	return cmd
}

// mend ends what hangs, and counts what still does.
func (a *app) mend(cmd *cobra.Command, client *kafka.Client, hangs []kafka.Hang, ids []string) (int, error) {
	if err := client.Mend(cmd.Context(), hangs); err != nil {
		return 0, err
	}
	left, err := client.Hangs(cmd.Context(), ids...)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(a.cfg.Stderr, "%d of %d do not hang any more\n", len(hangs)-len(left), len(hangs))
	return len(left), nil
}
