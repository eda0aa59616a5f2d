package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat"
)

const (
	defaultMaxMessage = 1_000_012 // franz-go's limit of a batch
	brokerMaxMessage  = 1_048_588 // a broker's own default of max.message.bytes
	// StoryBytes is how much larger than its source a dead letter topic's limit is: the headers that
	// tell the story of the failure come on top of a record that may be at its own limit.
	StoryBytes = 64 << 10
)

// TopicState is a topic as declarations see it.
type TopicState struct {
	Name        string
	Partitions  int
	Replication int               // of the partition that has the least
	Config      map[string]string // all settings in force
}

// TopicStates tells of the topics that exist among the names, by name. The settings are nil where the
// user may not see them.
func (c *Client) TopicStates(ctx context.Context, names ...string) (map[string]TopicState, error) {
	infos := map[string]TopicState{}
	if len(names) == 0 {
		return infos, nil
	}
	details, err := c.adm.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return nil, &Error{Op: "list topics", Partition: -1, Err: asRefusal(err), Hint: rightHint(err, "Describe on the topics")}
	}
	for name, d := range details {
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			continue
		case d.Err != nil:
			return nil, &Error{Op: "describe", Topic: name, Partition: -1, Err: asRefusal(d.Err), Hint: rightHint(d.Err, "Describe on the topic")}
		}
		info := TopicState{Name: name, Partitions: len(d.Partitions)}
		for _, p := range d.Partitions {
			if n := len(p.Replicas); info.Replication == 0 || n < info.Replication {
				info.Replication = n
			}
		}
		infos[name] = info
	}
	return infos, c.describeConfigs(ctx, infos)
}

func (c *Client) describeConfigs(ctx context.Context, infos map[string]TopicState) error {
	if len(infos) == 0 {
		return nil
	}
	var names []string
	for name := range infos {
		names = append(names, name)
	}
	configs, err := c.adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return &Error{Op: "describe the settings of topics", Partition: -1, Err: err}
	}
	for _, rc := range configs {
		switch {
		case errors.Is(rc.Err, kerr.TopicAuthorizationFailed), errors.Is(rc.Err, kerr.UnknownTopicOrPartition):
			continue
		case rc.Err != nil:
			return &Error{Op: "describe the settings of", Topic: rc.Name, Partition: -1, Err: rc.Err}
		}
		info := infos[rc.Name]
		info.Config = map[string]string{}
		for _, s := range rc.Configs {
			info.Config[s.Key] = s.MaybeValue()
		}
		infos[rc.Name] = info
	}
	return nil
}

// asRefusal makes an error that says that the user may not do that an ErrNotAllowed.
func asRefusal(err error) error {
	if notAllowed(err) {
		return fmt.Errorf("%w (%w)", ErrNotAllowed, err)
	}
	return err
}

func rightHint(err error, right string) string {
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return "this user needs the right to " + right + "; see: leat acl plan"
	}
	return ""
}

// MaxMessageBytes is the largest message that can be sent to each topic: the client's own limit
// (max.request.size, 1,000,012 bytes unless set) or the topic's max.message.bytes, whichever is less.
// Where the user may not see a topic's settings, the client's limit stands. ErrNoTopic says that one
// does not exist.
func (c *Client) MaxMessageBytes(ctx context.Context, topics ...string) (map[string]int, error) {
	infos, err := c.TopicStates(ctx, topics...)
	if err != nil {
		return nil, err
	}
	limits := map[string]int{}
	for _, name := range topics {
		info, exists := infos[name]
		if !exists {
			return nil, &Error{Op: "find the limit of", Topic: name, Partition: -1, Err: ErrNoTopic, Hint: "its owner creates it at start; see: leat topic plan"}
		}
		limits[name] = cmp.Or(c.set.maxMessage, defaultMaxMessage)
		if n, err := strconv.Atoi(info.Config["max.message.bytes"]); err == nil {
			limits[name] = min(limits[name], n)
		}
	}
	return limits, nil
}

// DeadLetterTopics declares, for a group that reads the topics, the topics of its dead letters: as
// many partitions as the source has, room for the story on top of the largest record, the broker's
// own time stamps (a record keeps its old one in a header, and would expire at once by it), and no
// retention. Other settings of the source, its clean-up above all, do not hold for them.
func (c *Client) DeadLetterTopics(ctx context.Context, group string, topics ...string) ([]leat.Topic, error) {
	infos, err := c.TopicStates(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var letters []leat.Topic
	for _, name := range slices.Compact(slices.Sorted(slices.Values(topics))) {
		info, exists := infos[name]
		if !exists {
			return nil, &Error{Op: "declare the dead letters of", Topic: name, Partition: -1, Err: ErrNoTopic, Hint: "start its owner first, which creates it; see: leat topic plan"}
		}
		letters = append(letters, deadLetterTopic(info, group))
	}
	return letters, nil
}

// ParkTopics declares, for a group that parks events of the topics, the topics that it parks them in:
// like those of the dead letters.
func (c *Client) ParkTopics(ctx context.Context, group string, topics ...string) ([]leat.Topic, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	letters, err := c.DeadLetterTopics(ctx, group, topics...)
	if err != nil {
		return nil, err
	}
	sources := slices.Compact(slices.Sorted(slices.Values(topics)))
	for i := range letters {
		letters[i].Name = leat.ParkTopic(sources[i], group)
	}
	return letters, nil
}

// RetryTopics declares the topics in which events of a source wait to be tried again: like that of the
// dead letters.
func (c *Client) RetryTopics(ctx context.Context, group, source string, names ...string) ([]leat.Topic, error) {
	if len(names) == 0 {
		return nil, nil
	}
	letters, err := c.DeadLetterTopics(ctx, group, source)
	if err != nil {
		return nil, err
	}
	var topics []leat.Topic
	for _, name := range slices.Compact(slices.Clone(names)) {
		t := letters[0]
		t.Name = name
		topics = append(topics, t)
	}
	return topics, nil
}

func deadLetterTopic(source TopicState, group string) leat.Topic {
	largest, err := strconv.Atoi(source.Config["max.message.bytes"])
	if err != nil {
		largest = brokerMaxMessage
	}
	return leat.Topic{
		Name:       leat.DeadLetters(source.Name, group),
		Partitions: source.Partitions,
		Config: map[string]string{
			"cleanup.policy":         "delete",
			"max.message.bytes":      strconv.Itoa(largest + StoryBytes),
			"message.timestamp.type": "LogAppendTime",
			"retention.ms":           "-1",
			"retention.bytes":        "-1",
		},
	}
}
