package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/lag"
)

func (a *app) groupCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "group", Short: "Look at consumer groups, how far they are behind, and tell them what to do"})
	cmd.AddCommand(a.groupListCommand(), a.groupDescribeCommand(), a.groupLagCommand(),
		a.groupPauseCommand(), a.groupResumeCommand(), a.groupDrainCommand(), a.groupSeekCommand(), a.groupRateCommand())
	return cmd
}

// groupView is a group in a list.
type groupView struct {
	Group      string `json:"group"`
	State      string `json:"state"`
	Members    int    `json:"members"`
	Partitions int    `json:"partitions"`
	Lag        int64  `json:"lag"`
	Unknown    int    `json:"unknown,omitempty"` // partitions whose offsets could not be read
	Type       string `json:"type"`              // consumer or share
	Control    string `json:"control,omitempty"` // commands in force
}

func viewGroup(g lag.Group, orders *control.State) groupView {
	v := groupView{Type: "consumer", Control: inForce(orders, g.Name), Group: g.Name, State: g.State, Members: len(g.Members), Partitions: len(g.Partitions), Lag: g.Total()}
	if g.Share {
		v.Type = "share"
	}
	for _, p := range g.Partitions {
		if p.Err != nil {
			v.Unknown++
		}
	}
	return v
}

func (v groupView) row() []string {
	return []string{v.Group, v.State, strconv.Itoa(v.Members), strconv.Itoa(v.Partitions), strconv.FormatInt(v.Lag, 10), v.Type, v.Control}
}

var groupHead = []string{"GROUP", "STATE", "MEMBERS", "PARTITIONS", "LAG", "TYPE", "CONTROL"}

// groups reads groups, and what they were told.
func (a *app) groups(ctx context.Context, names ...string) ([]lag.Group, map[string]*control.State, error) {
	client, err := a.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	groups, err := lag.Read(ctx, client, names...)
	if errors.Is(err, lag.ErrNoGroup) {
		return nil, nil, fmt.Errorf("%w; see: leat group list", err)
	}
	if err != nil {
		return nil, nil, err
	}
	orders, err := controlStates(ctx, client, groups)
	if err != nil {
		a.say("what the groups were told is not known: %v", err)
	}
	return groups, orders, nil
}

func (a *app) groupListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the groups with their state, members and lag",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			groups, orders, err := a.groups(cmd.Context())
			if err != nil {
				return err
			}
			var views []groupView
			for _, g := range groups {
				views = append(views, viewGroup(g, orders[g.Name]))
			}
			return show(a, views, groupHead, groupView.row)
		},
	}
}

// groupDetailView is a group in full.
type groupDetailView struct {
	groupView
	MemberList    []memberView         `json:"member_list"`
	PartitionList []groupPartitionView `json:"partition_list"`
	Orders        []orderView          `json:"orders"` // commands in force, and the last seek of each partition
}

type memberView struct {
	ID       string `json:"id"`
	ClientID string `json:"client_id"`
	Host     string `json:"host"`
}

type groupPartitionView struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"` // null: not yet
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Finished  int64  `json:"finished,omitempty"` // above committed
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
	Error     string `json:"error,omitempty"`
}

func viewGroupDetail(g lag.Group, orders *control.State) groupDetailView {
	v := groupDetailView{groupView: viewGroup(g, orders), Orders: viewOrders(orders, g.Name), MemberList: []memberView{}, PartitionList: []groupPartitionView{}}
	for _, m := range g.Members {
		v.MemberList = append(v.MemberList, memberView(m))
	}
	for _, p := range g.Partitions {
		pv := groupPartitionView{Topic: p.Topic, Partition: p.Partition, Start: p.Start, End: p.End, Finished: p.Finished, Lag: p.Lag, Member: p.Member}
		if p.Committed != lag.None {
			pv.Committed = &p.Committed
		}
		if p.Err != nil {
			pv.Error = p.Err.Error()
		}
		v.PartitionList = append(v.PartitionList, pv)
	}
	return v
}

func (a *app) groupDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "describe GROUP",
		Short: "Show the members, offsets and lag of a group",
		Long: `describe shows the members of a group and, for each partition, the offset that the group has committed, the end
of the log, and the lag between them. FINISHED is how much above the committed offset is finished already,
behind an event that takes longer; it is no lag. Of a share group COMMITTED is the lowest event that is not done,
and the lag is what its brokers tell, or else all above that.

What the group has parked counts by the records of its park topic, which are decisions as well as events.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeGroups,
		RunE: func(cmd *cobra.Command, args []string) error {
			groups, orders, err := a.groups(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			v := viewGroupDetail(groups[0], orders[groups[0].Name])
			return showOne(a, v, v.write)
		},
	}
}

func (v groupDetailView) write(w io.Writer) error {
	if v.Type == "share" {
		fmt.Fprint(w, "share ")
	}
	fmt.Fprintf(w, "group %s: %s, %d members, lag %d\n", plain(v.Group), v.State, v.Members, v.Lag)
	if len(v.MemberList) > 0 {
		var rows [][]string
		for _, m := range v.MemberList {
			rows = append(rows, []string{m.ID, m.ClientID, m.Host})
		}
		if err := writeTable(w, []string{"MEMBER", "CLIENT", "HOST"}, rows); err != nil {
			return err
		}
	}
	var rows [][]string
	for _, p := range v.PartitionList {
		committed := ""
		if p.Committed != nil {
			committed = fmt.Sprint(*p.Committed)
		}
		rows = append(rows, []string{p.Topic, fmt.Sprint(p.Partition), committed, fmt.Sprint(p.End), fmt.Sprint(p.Lag), fmt.Sprint(p.Finished), p.Member, p.Error})
	}
	if err := writeTable(w, []string{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "FINISHED", "MEMBER", "ERROR"}, rows); err != nil || len(v.Orders) == 0 {
		return err
	}
	rows = nil
	for _, o := range v.Orders {
		rows = append(rows, o.row())
	}
	return writeTable(w, orderHead, rows)
}

func (a *app) groupLagCommand() *cobra.Command {
	var limit int64
	cmd := &cobra.Command{
		Use:   "lag [GROUP...]",
		Short: "Check that groups are not too far behind",
		Long: `lag shows how many records lie between what each group has committed and the end of its topics. It leaves
with 3 where a group is behind by more than --max. A park topic counts by its records, decisions of its owner as
well as events, so a key that is held counts though nothing is to be done; leat_consumer_parked_events counts events.`,
		ValidArgsFunction: a.completeGroups,
		RunE: func(cmd *cobra.Command, names []string) error {
			if limit < 0 {
				return usagef("--max %d: want 0 or more", limit)
			}
			groups, orders, err := a.groups(cmd.Context(), names...)
			if err != nil {
				return err
			}
			var views []groupView
			var behind int
			for _, g := range groups {
				v := viewGroup(g, orders[g.Name])
				views = append(views, v)
				if v.Lag > limit || v.Unknown > 0 {
					behind++
				}
			}
			if err := show(a, views, groupHead, groupView.row); err != nil {
				return err
			}
			if behind > 0 {
				return foundf("%d of %d groups are behind by more than %d, or can't be told", behind, len(views), limit)
			}
			return nil
		},
	}
	cmd.Flags().Int64Var(&limit, "max", 0, "records that a group may be behind")
	return cmd
}

// completeGroups offers the groups of the cluster to the shell.
func (a *app) completeGroups(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	client, err := a.connect(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer client.Close()
	names, err := lag.List(cmd.Context(), client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
