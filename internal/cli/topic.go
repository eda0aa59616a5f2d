package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

func (a *app) topicCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "topic", Short: "List, describe, plan and make topics"})
	cmd.AddCommand(a.topicListCommand(), a.topicDescribeCommand(), a.topicPlanCommand(), a.topicApplyCommand())
	return cmd
}

// topicView is a topic in a list.
type topicView struct {
	Topic       string `json:"topic"`
	Partitions  int    `json:"partitions"`
	Replication int    `json:"replication"`
	Records     int64  `json:"records"` // offsets from start to end
	Unhealthy   int    `json:"unhealthy"`
}

func viewTopic(t kafka.TopicDetail) topicView {
	v := topicView{Topic: t.Name, Partitions: len(t.Partitions), Records: t.Records()}
	for i, p := range t.Partitions {
		if n := len(p.Replicas); i == 0 || n < v.Replication {
			v.Replication = n
		}
		if p.Leader < 0 || len(p.InSync) < len(p.Replicas) {
			v.Unhealthy++
		}
	}
	return v
}

func (a *app) topicListCommand() *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the topics of the cluster",
		Long: `list shows each topic with its partitions, its replication, how many offsets it holds, and how many of
its partitions lack a leader or an in-sync replica.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			topics, err := client.ListTopics(cmd.Context())
			if err != nil {
				return err
			}
			var views []topicView
			for _, t := range topics {
				if internal || !t.Internal {
					views = append(views, viewTopic(t))
				}
			}
			return show(a, views, []string{"TOPIC", "PARTITIONS", "REPLICATION", "RECORDS", "UNHEALTHY"}, func(v topicView) []string {
				return []string{v.Topic, strconv.Itoa(v.Partitions), strconv.Itoa(v.Replication), strconv.FormatInt(v.Records, 10), strconv.Itoa(v.Unhealthy)}
			})
		},
	}
	cmd.Flags().BoolVar(&internal, "internal", false, "also the cluster's own topics")
	return cmd
}

// topicDetailView is a topic in full.
type topicDetailView struct {
	topicView
	Config         map[string]string `json:"config"` // set on the topic itself
	PartitionViews []partitionView   `json:"partition_list"`
}

type partitionView struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Replicas  []int32 `json:"replicas"`
	InSync    []int32 `json:"in_sync"`
	Start     int64   `json:"start"`
	End       int64   `json:"end"`
}

func (a *app) topicDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "describe TOPIC...",
		Short:             "Show partitions, offsets and settings of topics",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, names []string) error {
			client, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			topics, err := client.DescribeTopics(cmd.Context(), names...)
			if err != nil {
				return err
			}
			views := make([]topicDetailView, len(topics))
			for i, t := range topics {
				views[i] = viewTopicDetail(t)
			}
			if a.output != formTable {
				return show(a, views, nil, nil)
			}
			for i, v := range views {
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
}

func viewTopicDetail(t kafka.TopicDetail) topicDetailView {
	v := topicDetailView{topicView: viewTopic(t), Config: map[string]string{}}
	for _, c := range t.Configs {
		if !c.Default {
			v.Config[c.Name] = c.Value
		}
	}
	for _, p := range t.Partitions {
		v.PartitionViews = append(v.PartitionViews, partitionView{p.ID, p.Leader, p.Replicas, p.InSync, p.Start, p.End})
	}
	return v
}

func (v topicDetailView) write(w io.Writer) error {
	fmt.Fprintf(w, "topic %s: %d partitions, replication %d, %d records\n", plain(v.Topic), v.Partitions, v.Replication, v.Records)
	var names []string
	for name := range v.Config {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "  %s=%s\n", plain(name), plain(v.Config[name]))
	}
	var rows [][]string
	for _, p := range v.PartitionViews {
		rows = append(rows, []string{fmt.Sprint(p.Partition), fmt.Sprint(p.Leader), list(p.Replicas), list(p.InSync), fmt.Sprint(p.Start), fmt.Sprint(p.End)})
	}
	return writeTable(w, []string{"PARTITION", "LEADER", "REPLICAS", "IN-SYNC", "START", "END"}, rows)
}

func list(ids []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
}

// topicSource says which topics are declared.
type topicSource struct {
	files  []string
	prefix string
	grow   bool
}

func (s *topicSource) flags(cmd *cobra.Command) {
	s.sourceFlags(cmd)
	cmd.Flags().BoolVar(&s.grow, "grow", false, "also add partitions to topics that have fewer than declared: keys move, and their order breaks once")
}

// sourceFlags say where manifests come from.
func (s *topicSource) sourceFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&s.files, "file", "F", nil, "`file` with what a service's --manifest prints, JSON or YAML; repeat for more")
	f.StringVar(&s.prefix, "prefix", "", "`text` before the names of topics and groups of this binary's services")
}

const topicPlanLong = `

Declared are all topics that the named services of this binary make, or those of files with what
"YOUR-SERVICE --manifest" prints: owned ones, dead letters, parked events and the like, and where groups
are commanded and outboxes keep their positions. Nothing is ever planned that loses records.`

func (a *app) topicPlanCommand() *cobra.Command {
	var s topicSource
	cmd := &cobra.Command{
		Use:   "plan [SERVICE...]",
		Short: "Show what the cluster's topics lack of what is declared",
		Long: `plan compares the declared topics with the cluster and changes nothing. It leaves with 3 where something
is to do, or differs.` + topicPlanLong,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			client, manifests, err := a.plannable(cmd.Context(), s, names)
			if err != nil {
				return err
			}
			defer client.Close()
			plan, waiting, err := s.plan(cmd.Context(), client, manifests)
			if err != nil {
				return err
			}
			views := append(viewPlan(plan), waiting...)
			if err := a.showPlan(views); err != nil {
				return err
			}
			if len(views) == 0 {
				a.say("the topics are as declared")
				return nil
			}
			return foundf("the topics are not as declared; to change what can be changed: leat topic apply")
		},
	}
	s.flags(cmd)
	return cmd
}

func (a *app) topicApplyCommand() *cobra.Command {
	var s topicSource
	cmd := &cobra.Command{
		Use:   "apply [SERVICE...]",
		Short: "Make the topics that are declared and missing, and raise what can be raised",
		Long: `apply does what "leat topic plan" shows. It leaves with 3 where something remains: a difference that is
left to people, or dead letters of a topic that is not there yet.` + topicPlanLong,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.applyTopics(cmd.Context(), s, names)
		},
	}
	s.flags(cmd)
	return cmd
}

// plannable reads the declarations and opens the cluster.
func (a *app) plannable(ctx context.Context, s topicSource, names []string) (*kafka.Client, []service.Manifest, error) {
	manifests, err := a.manifests(s, names)
	if err != nil {
		return nil, nil, err
	}
	client, err := a.connect(ctx)
	return client, manifests, err
}

// plan compares the declarations with the cluster; waiting are the topics that can't be planned yet.
func (s topicSource) plan(ctx context.Context, client *kafka.Client, manifests []service.Manifest) (plan *kafka.Plan, waiting []planView, err error) {
	topics, waiting, err := declared(ctx, client, manifests)
	if err != nil {
		return nil, nil, err
	}
	plan, err = client.PlanTopics(ctx, topics, kafka.PlanConfig{Grow: s.grow})
	for _, m := range manifests {
		if err == nil && m.Outbox != nil {
			var positions *kafka.Plan
			if positions, err = outbox.PlanPositions(ctx, client, m.Outbox.PositionTopic, m.Outbox.Shards); err == nil {
				plan.Add(positions)
			}
		}
	}
	return plan, waiting, err
}

// applyTopics plans again after what it did: dead letters can only be planned once their source is
// there.
func (a *app) applyTopics(ctx context.Context, s topicSource, names []string) error {
	client, manifests, err := a.plannable(ctx, s, names)
	if err != nil {
		return err
	}
	defer client.Close()
	var done []planView
	for {
		plan, waiting, err := s.plan(ctx, client, manifests)
		if err != nil {
			return errors.Join(err, a.showPlan(done))
		}
		if plan.Empty() {
			left := append(viewPlan(plan), waiting...)
			if err := a.showPlan(append(done, left...)); err != nil {
				return err
			}
			if len(left) > 0 {
				return foundf("%d differences are left", len(left))
			}
			return nil
		}
		if err := plan.Apply(ctx); err != nil {
			return errors.Join(err, a.showPlan(done))
		}
		plan.Differ = nil // told in the end
		done = append(done, viewPlan(plan)...)
	}
}

// manifests are those of the named services, or of the files.
func (a *app) manifests(s topicSource, names []string) ([]service.Manifest, error) {
	if len(s.files) > 0 && len(names) > 0 {
		return nil, usagef("services of this binary or --file, not both")
	}
	var all []service.Manifest
	for _, file := range s.files {
		found, err := readManifests(file)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(s.files) > 0 {
		return all, nil
	}
	services, err := a.chosen(names)
	if err != nil {
		return nil, err
	}
	if len(services) == 0 {
		return nil, usagef("there are no services in this binary: name a manifest with --file")
	}
	for _, c := range services {
		all = append(all, c.Manifest(s.prefix))
	}
	return all, nil
}

// readManifests reads a file with manifests or lists of them, one document or several. YAML is read by
// way of JSON, so that both have the same names.
func readManifests(path string) ([]service.Manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	docs, err := documents(data)
	if err != nil {
		return nil, fmt.Errorf("read the manifest %s: %w", path, err)
	}
	text, err := json.Marshal(docs)
	if err != nil {
		return nil, fmt.Errorf("read the manifest %s: %w", path, err)
	}
	var all []service.Manifest
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("read the manifest %s: %w", path, err)
	}
	for _, m := range all {
		if len(m.Owns)+len(m.Consumes) == 0 {
			return nil, fmt.Errorf("the manifest %s owns and consumes nothing", path)
		}
	}
	return all, nil
}

// documents are those of JSON or YAML text, all of them: several JSON values need nothing between them.
func documents(data []byte) (docs []any, err error) {
	decode := yaml.NewDecoder(bytes.NewReader(data)).Decode
	if text := bytes.TrimSpace(data); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		decode = json.NewDecoder(bytes.NewReader(data)).Decode
	}
	for {
		var doc any
		switch err := decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		}
		if list, ok := doc.([]any); ok {
			docs = append(docs, list...)
		} else {
			docs = append(docs, doc)
		}
	}
}

// planView is a plan as data.
type planView struct {
	Act   string `json:"act"` // create, alter, grow, leave, wait
	Topic string `json:"topic"`
	Name  string `json:"name,omitempty"`
	Have  string `json:"have,omitempty"`
	Want  string `json:"want,omitempty"`
	Why   string `json:"why,omitempty"`
}

func viewPlan(p *kafka.Plan) []planView {
	var views []planView
	for _, t := range p.Create {
		partitions := t.Partitions
		if partitions == 0 {
			partitions = leat.DefaultPartitions
		}
		views = append(views, planView{Act: "create", Topic: t.Name, Name: "partitions", Want: strconv.Itoa(partitions)})
	}
	for _, s := range p.Alter {
		views = append(views, planView{Act: "alter", Topic: s.Topic, Name: s.Name, Have: s.Have, Want: s.Want})
	}
	for _, g := range p.Grow {
		views = append(views, planView{Act: "grow", Topic: g.Topic, Name: "partitions", Have: strconv.Itoa(g.Have), Want: strconv.Itoa(g.Want)})
	}
	for _, d := range p.Differ {
		views = append(views, planView{Act: "leave", Topic: d.Topic, Name: d.Name, Have: d.Have, Want: d.Want, Why: d.Why})
	}
	return views
}

func (a *app) showPlan(views []planView) error {
	return show(a, views, []string{"ACT", "TOPIC", "NAME", "HAVE", "WANT", "WHY"}, func(v planView) []string {
		return []string{v.Act, v.Topic, v.Name, v.Have, v.Want, v.Why}
	})
}
