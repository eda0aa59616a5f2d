package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/lag"
	"github.com/leatdev/leat/service"
)

// Verdicts of the doctor.
const (
	verdictOK   = "ok"
	verdictNote = "note" // worth knowing, nothing to do
	verdictWarn = "warn" // can lose events or promises one day
	verdictFail = "fail" // does not work
	verdictSkip = "skip" // could not be looked at
)

// finding is what one check of the doctor says.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Do      string `json:"do,omitempty"`
}

// maxSkew is how far clocks may be apart: leases and times of events go by them.
const maxSkew = 2 * time.Second

func (a *app) doctorCommand() *cobra.Command {
	var s topicSource
	cmd := &cobra.Command{
		Use:   "doctor [SERVICE...]",
		Short: "Check cluster, database, clocks and topics for what will hurt",
		Long: `doctor checks that the settings are right, that the cluster lets this user in, how its clock stands, which
of its settings can lose events, whether the topics of the named services of this binary (or of --file)
are as declared, which of their groups (without names: of all groups) have work and nobody to do it, and that the database of --database-url
answers. It changes nothing, and leaves with 3 where it warns or something fails.`,
		Example:           "  leat doctor\n  leat doctor order payment --brokers kafka:9092 --database-url postgres://db/shop",
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.doctor(cmd, s, names)
		},
	}
	cmd.Flags().AddFlag(a.settingFlag("database-url", "database-url", "d"))
	s.flags(cmd)
	cmd.Flags().Lookup("grow").Hidden = true
	return cmd
}

func (a *app) doctor(cmd *cobra.Command, s topicSource, names []string) error {
	var manifests []service.Manifest
	if len(names)+len(s.files) > 0 {
		var err error
		if manifests, err = a.manifests(s, names); err != nil {
			return err
		}
	}
	host, err := a.load()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	var found []finding
	client, err := kafka.Open(ctx, host.Kafka)
	if err != nil {
		found = append(found, failure("cluster", err))
	} else {
		defer client.Close()
		found = append(found, finding{"cluster", verdictOK, fmt.Sprintf("reached, cluster id %s", client.ClusterID()), ""})
		found = append(found, clusterClock(ctx, client))
		found = append(found, dangerFindings(ctx, client, manifests)...)
		found = append(found, topicFindings(ctx, client, manifests)...)
		found = append(found, groupFindings(ctx, client, manifests)...)
	}
	named := cmd.Flags().Changed("database-url") || a.getenv("LEAT_DATABASE_URL") != ""
	found = append(found, a.databaseFindings(ctx, host.DatabaseURL, named, names)...)
	return a.showFindings(found)
}

func (a *app) showFindings(found []finding) error {
	worst := 0
	for _, f := range found {
		if f.Verdict == verdictWarn || f.Verdict == verdictFail {
			worst++
		}
	}
	err := show(a, found, []string{"VERDICT", "CHECK", "DETAIL", "DO"}, func(f finding) []string {
		return []string{f.Verdict, f.Check, f.Detail, f.Do}
	})
	if err == nil && worst > 0 {
		return foundf("%d of %d findings need you", worst, len(found))
	}
	return err
}

// failure is the finding that an error makes.
func failure(check string, err error) finding {
	f := finding{Check: check, Verdict: verdictFail, Detail: err.Error()}
	if e, ok := errors.AsType[*kafka.Error](err); ok && e.Hint != "" {
		plain := *e
		plain.Hint = ""
		f.Detail, f.Do = plain.Error(), e.Hint
	}
	return f
}

func clusterClock(ctx context.Context, client *kafka.Client) finding {
	skew, margin, err := client.ClockSkew(ctx)
	if err != nil {
		return finding{"cluster clock", verdictSkip, err.Error(), ""}
	}
	return clockFinding("cluster clock", skew, margin)
}

// clockFinding judges a skew that is known up to margin.
func clockFinding(check string, skew, margin time.Duration) finding {
	detail := fmt.Sprintf("%s ahead of this machine, give or take %s", skew.Round(time.Millisecond), margin.Round(time.Millisecond))
	if skew.Abs()-margin > maxSkew {
		return finding{check, verdictWarn, detail, "set the clocks by NTP: leases and the times of events go by them"}
	}
	return finding{check, verdictOK, detail, ""}
}

func dangerFindings(ctx context.Context, client *kafka.Client, manifests []service.Manifest) []finding {
	topics, _, err := declared(ctx, client, manifests)
	if err != nil {
		return []finding{failure("dangers", err)}
	}
	dangers, err := client.Dangers(ctx, topics)
	if err != nil {
		return []finding{failure("dangers", err)}
	}
	var found []finding
	for _, d := range dangers {
		f := finding{Check: "danger", Verdict: verdictWarn, Detail: d.What + ": " + d.Why, Do: d.Do}
		if d.Topic != "" {
			f.Check = "danger of " + d.Topic
		}
		if client.Embedded() {
			f.Verdict = verdictNote
		}
		found = append(found, f)
	}
	if client.Embedded() {
		return found
	}
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	there, err := client.TopicStates(ctx, names...)
	if err != nil {
		return append(found, failure("dangers", err))
	}
	return append(found, lookedAt(there, len(found))...)
}

// lookedAt says how far dangers were looked for in topics that are there, where that is not told by those
// that were found.
func lookedAt(there map[string]kafka.TopicState, found int) []finding {
	var unseen []string
	for name, t := range there {
		if t.Config == nil {
			unseen = append(unseen, name)
		}
	}
	slices.Sort(unseen)
	switch {
	case len(unseen) > 0:
		return []finding{{"dangers", verdictSkip, "this user may not see the settings of " + strings.Join(unseen, ", "), "give it the right to DescribeConfigs on them"}}
	case found > 0:
		return nil
	case len(there) == 0:
		return []finding{{"dangers", verdictOK, "no setting of the cluster loses events; with -F FILE its topics are looked at, too", ""}}
	}
	return []finding{{"dangers", verdictOK, "no setting of the cluster or the topics loses events", ""}}
}

func topicFindings(ctx context.Context, client *kafka.Client, manifests []service.Manifest) []finding {
	if len(manifests) == 0 {
		return []finding{{"topics", verdictSkip, "no service and no manifest was named", ""}}
	}
	plan, waiting, err := topicSource{}.plan(ctx, client, manifests)
	if err != nil {
		return []finding{failure("topics", err)}
	}
	plan.Create = slices.DeleteFunc(plan.Create, func(t leat.Topic) bool {
		return slices.ContainsFunc(manifests, func(m service.Manifest) bool {
			return m.Outbox != nil && slices.Contains(m.Outbox.DeadLetters, t.Name) // made at need
		})
	})
	changes := append(viewPlan(plan), waiting...)
	if len(changes) == 0 {
		return []finding{{"topics", verdictOK, "as declared", ""}}
	}
	var found []finding
	for _, c := range changes {
		detail := c.Why
		if c.Name != "" {
			detail = fmt.Sprintf("%s is %q, declared is %q; %s", c.Name, c.Have, c.Want, c.Act)
		}
		found = append(found, finding{"topic " + c.Topic, verdictWarn, detail, "leat topic plan"})
	}
	return found
}

// groupFindings names the groups that are behind and have no member: those of the named services, or
// all of the cluster.
func groupFindings(ctx context.Context, client *kafka.Client, manifests []service.Manifest) []finding {
	groups, err := lag.Read(ctx, client)
	if err != nil {
		return []finding{failure("groups", err)}
	}
	var found []finding
	if len(manifests) > 0 {
		groups = slices.DeleteFunc(groups, func(g lag.Group) bool {
			return !slices.ContainsFunc(manifests, func(m service.Manifest) bool { return m.Group == g.Name })
		})
	}
	for _, g := range groups {
		if n := g.Total(); n > 0 && len(g.Members) == 0 {
			found = append(found, finding{"group " + g.Name, verdictWarn, fmt.Sprintf("%d records behind and no member", n), "start the service"})
		}
	}
	if len(found) == 0 {
		return []finding{{"groups", verdictOK, fmt.Sprintf("%d groups, none is behind without a member", len(groups)), ""}}
	}
	return found
}
