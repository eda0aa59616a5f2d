package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/lag"
)

// commander is a group that somebody is about to command.
type commander struct {
	a      *app
	client *kafka.Client
	group  lag.Group
	log    *control.Log
	state  *control.State
	yes    bool
	why    string
	wait   time.Duration
}

// consent adds the flags of commands that change something.
func (c *commander) consent(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do it; without it only what would be done is shown")
	cmd.Flags().StringVar(&c.why, "why", "", "`text` that is kept with the command")
}

// waiting adds the flag of commands that members answer.
func (c *commander) waiting(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&c.wait, "wait", 30*time.Second, "how long to wait for the members' answers; 0: not at all")
}

// open reads the group and what it was told before.
func (c *commander) open(ctx context.Context, group string) error {
	client, err := c.a.connect(ctx)
	if err != nil {
		return err
	}
	c.client = client
	groups, err := lag.Read(ctx, client, group)
	if errors.Is(err, lag.ErrNoGroup) {
		return fmt.Errorf("%w; see: leat group list", err)
	}
	if err != nil {
		return err
	}
	c.group = groups[0]
	if c.group.Share {
		return fmt.Errorf("%w: %s is a share group, whose brokers hand out single events: to pause it stop its members; to begin elsewhere stop them and use kafka-share-groups.sh --reset-offsets", control.ErrUnheeded, group)
	}
	if err := c.refuseAside(ctx); err != nil {
		return err
	}
	topic, err := controlTopic(ctx, client, group)
	if err != nil {
		return err
	}
	if topic == "" {
		return fmt.Errorf("group %s follows no control topic (%s with the group's prefix before it): its members make it when they start, if they may and are programs of leat", group, control.Topic)
	}
	c.log = control.NewLog(client, topic)
	c.state, err = c.log.Read(ctx)
	return err
}

// refuseAside is an error where the group reads nothing but another one's retry topics, under the names
// that Spring Kafka gives to both: its members heed what that one is told.
func (c *commander) refuseAside(ctx context.Context) error {
	cut := strings.LastIndex(c.group.Name, "-retry")
	if cut <= 0 || len(c.group.Partitions) == 0 {
		return nil
	}
	main, suffix := c.group.Name[:cut], c.group.Name[cut:]
	for _, p := range c.group.Partitions {
		if !strings.HasSuffix(p.Topic, suffix) {
			return nil
		}
	}
	names, err := lag.List(ctx, c.client)
	if err != nil || !slices.Contains(names, main) {
		return err
	}
	return fmt.Errorf("%w: group %s reads the retry topics of group %s: name that group, its commands hold for both", control.ErrUnheeded, c.group.Name, main)
}

func (c *commander) close() {
	if c.client != nil {
		c.client.Close()
	}
}

// controlTopic finds the control topic of a group, "" where there is none.
func controlTopic(ctx context.Context, client *kafka.Client, group string) (string, error) {
	all, err := client.ListTopics(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	return control.Find(names, group), nil
}

// record is a command of this moment.
func (c *commander) record(kind control.Kind) control.Record {
	return control.Record{Kind: kind, Group: c.group.Name, Partition: control.All, ID: leat.NewID(), By: whoami(), Why: c.why, At: time.Now()}
}

// whoami is user@host.
func whoami() string {
	name := "?"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return name + "@" + host
}

// source is the topic that commands to a partition name: where its events come from.
func (c *commander) source(p lag.Partition) string {
	topic, _ := control.SourceOf(c.group.Name, p.Topic)
	return topic
}

// affected are the group's partitions in the record's scope: those from which a member reads. A park
// partition goes with its source.
func (c *commander) affected(r control.Record) []lag.Partition {
	var in []lag.Partition
	for _, p := range c.group.Partitions {
		topic := c.source(p)
		if p.Topic == leat.ParkTopic(topic, c.group.Name) {
			continue
		}
		if r.Kind == control.Seek {
			topic = p.Topic // one place at a time
		}
		if r.Covers(topic, p.Partition) {
			in = append(in, p)
		}
	}
	return in
}

// do shows what is to be done, and writes the records if it may.
func (c *commander) do(ctx context.Context, views []commandView, records, lifted []control.Record) error {
	if err := show(c.a, views, commandHead, commandView.row); err != nil {
		return err
	}
	if !c.yes {
		c.a.say("nothing was done; with --yes it is")
		return nil
	}
	return c.log.Write(ctx, records, lifted)
}

// commandView is what a command does to one partition.
type commandView struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"` // null: not yet
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
	Effect    string `json:"effect"`
}

var commandHead = []string{"TOPIC", "PARTITION", "COMMITTED", "LAG", "MEMBER", "EFFECT"}

func (v commandView) row() []string {
	committed := ""
	if v.Committed != nil {
		committed = strconv.FormatInt(*v.Committed, 10)
	}
	return []string{v.Topic, strconv.Itoa(int(v.Partition)), committed, strconv.FormatInt(v.Lag, 10), v.Member, v.Effect}
}

func viewCommand(p lag.Partition, effect string) commandView {
	v := commandView{Topic: p.Topic, Partition: p.Partition, Lag: p.Lag, Member: p.Member, Effect: effect}
	if p.Committed != lag.None {
		v.Committed = &p.Committed
	}
	return v
}

// parseScope reads TOPIC or TOPIC/PARTITION.
func parseScope(text string) (topic string, partition int32, err error) {
	topic, number, narrow := strings.Cut(text, "/")
	if !narrow {
		return topic, control.All, nil
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 || topic == "" {
		return "", 0, usagef("%q: want TOPIC or TOPIC/PARTITION", text)
	}
	return topic, int32(n), nil
}

// orderView is a command that is in force, or an answer.
type orderView struct {
	Kind  string    `json:"kind"`
	Scope string    `json:"scope"`
	State string    `json:"state"`
	By    string    `json:"by,omitempty"`
	At    time.Time `json:"at,omitzero"`
	Why   string    `json:"why,omitempty"`
}

var orderHead = []string{"COMMAND", "SCOPE", "STATE", "BY", "AT", "WHY"}

func (v orderView) row() []string {
	return []string{v.Kind, v.Scope, v.State, v.By, stamp(v.At), v.Why}
}

// viewOrders are the commands to a group that are in force, and the last seek of each partition.
func viewOrders(s *control.State, group string) []orderView {
	views := []orderView{}
	if s == nil {
		return views
	}
	for _, r := range s.Of(group) {
		v := orderView{Kind: string(r.Kind), Scope: r.Scope(), State: "in force", By: r.By, At: r.At, Why: r.Why}
		switch r.Kind {
		case control.Pause:
			if r.Drain {
				v.Kind = "drain"
			}
		case control.Rate:
			v.State = fmt.Sprintf("%g/s", r.PerSecond)
		case control.Seek:
			v.State = fmt.Sprintf("to %d (%s), pending", r.Offset, r.Asked)
			if a, done := s.Answer(r); done {
				v.State = fmt.Sprintf("to %d (%s), done %s, was at %d", r.Offset, r.Asked, stamp(a.At), a.From)
			}
		default:
			continue
		}
		views = append(views, v)
	}
	return views
}

// inForce says in few words what a group was told, for a list.
func inForce(s *control.State, group string) string {
	if s == nil {
		return ""
	}
	var words []string
	count := map[string]int{}
	for _, r := range s.Of(group) {
		switch r.Kind {
		case control.Pause, control.Rate:
			count[string(r.Kind)]++
		case control.Seek:
			if _, done := s.Answer(r); !done {
				count[string(r.Kind)]++
			}
		}
	}
	for _, kind := range []string{"pause", "rate", "seek"} {
		if n := count[kind]; n > 1 {
			words = append(words, fmt.Sprintf("%s x%d", kind, n))
		} else if n == 1 {
			words = append(words, kind)
		}
	}
	return strings.Join(words, ", ")
}

// controlStates reads the control topics that the groups follow, each once.
func controlStates(ctx context.Context, client *kafka.Client, groups []lag.Group) (map[string]*control.State, error) {
	all, err := client.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	byTopic, byGroup := map[string]*control.State{}, map[string]*control.State{}
	for _, g := range groups {
		topic := control.Find(names, g.Name)
		if topic == "" {
			continue
		}
		if byTopic[topic] == nil {
			if byTopic[topic], err = control.NewLog(client, topic).Read(ctx); err != nil {
				return nil, err
			}
		}
		byGroup[g.Name] = byTopic[topic]
	}
	return byGroup, nil
}
