package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	lookEvery  = 2 * time.Second // while a topic is missing
	checkEvery = time.Minute     // for partitions added later
	askTimeout = 10 * time.Second

	// letterRoom is how much larger than its source's largest record a dead letter may be.
	letterRoom = 64 << 10
)

// watchTopics waits for topics that do not exist yet, creates the dead-letter topics of those that
// do, and warns when partitions were added. Run waits for it.
func (c *Consumer) watchTopics(ctx context.Context) {
	adm := kadm.NewClient(c.client)
	w := topicWatch{c: c, adm: adm, partitions: map[string]int{}}
	for {
		wait := checkEvery
		if !w.look(ctx) {
			wait = lookEvery
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.lookup:
			rest(ctx, lookEvery/4)
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// topicWatch is what the watcher knows.
type topicWatch struct {
	c          *Consumer
	adm        *kadm.Client
	partitions map[string]int // of the topics that exist
}

// look asks the cluster for the topics once, and reports whether nothing is left to wait for.
func (w *topicWatch) look(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	letters := w.c.deadLetterTopics()
	sources := slices.Sorted(maps.Keys(letters))
	found, err := w.adm.ListTopics(ctx, slices.AppendSeq(slices.Clone(sources), maps.Values(letters))...)
	if err != nil {
		w.c.log.Debug("look for topics", "err", err)
		return false
	}
	complete := true
	for _, source := range sources {
		t := found[source]
		switch {
		case errors.Is(t.Err, kerr.TopicAuthorizationFailed):
			w.c.setMissing(source, "looking at it is not allowed: give the user READ and DESCRIBE on the topic")
			complete = false
			continue
		case t.Err != nil || len(t.Partitions) == 0:
			w.c.setMissing(source, "it does not exist yet: the group waits until its owner has created it")
			complete = false
			continue
		}
		if w.c.setFound(source) {
			w.c.log.Info("topic can be read now", "topic", source)
			w.c.client.ForceMetadataRefresh()
		}
		if was := w.partitions[source]; was != 0 && was != len(t.Partitions) {
			w.c.log.Warn("partitions were added: events of one key may now lie on two partitions, and their order across the change is lost", "topic", source, "before", was, "now", len(t.Partitions))
		}
		w.partitions[source] = len(t.Partitions)
		if found[letters[source]].Err != nil {
			complete = w.createLetters(ctx, source, letters[source], len(t.Partitions)) && complete
		}
	}
	return complete
}

// createLetters creates the dead-letter topic of a source: as many partitions, room for the story,
// the time of writing as its records' time (with the source's own, retention could take a letter at
// once). Where that is not allowed it says what to create.
func (w *topicWatch) createLetters(ctx context.Context, source, name string, partitions int) bool {
	configs := map[string]*string{
		"cleanup.policy":         new("delete"),
		"retention.ms":           new("-1"),
		"message.timestamp.type": new("LogAppendTime"),
	}
	if largest, ok := w.largestRecord(ctx, source); ok {
		configs["max.message.bytes"] = new(strconv.Itoa(largest + letterRoom))
	}
	_, err := w.adm.CreateTopic(ctx, int32(partitions), -1, configs, name)
	switch {
	case err == nil:
		w.c.log.Info("dead-letter topic created", "topic", name)
		return true
	case errors.Is(err, kerr.TopicAlreadyExists):
		return true
	case ctx.Err() != nil:
		return false
	}
	w.c.log.Warn(fmt.Sprintf("create the dead-letter topic: create it by hand with %d partitions, retention.ms=-1, message.timestamp.type=LogAppendTime and max.message.bytes %d above the source's; until then a dead letter stops its partition", partitions, letterRoom),
		"topic", name, "err", err)
	return true
}

// largestRecord is the source's max.message.bytes, where we may ask.
func (w *topicWatch) largestRecord(ctx context.Context, topic string) (int, bool) {
	all, err := w.adm.DescribeTopicConfigs(ctx, topic)
	if err != nil || len(all) != 1 {
		return 0, false
	}
	for _, c := range all[0].Configs {
		if c.Key == "max.message.bytes" && c.Value != nil {
			n, err := strconv.Atoi(*c.Value)
			return n, err == nil
		}
	}
	return 0, false
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
