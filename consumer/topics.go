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
	letters, parks := w.c.deadLetterTopics(), w.c.parkTopics()
	sources := slices.Sorted(maps.Keys(letters))
	asked := slices.AppendSeq(slices.AppendSeq(slices.Clone(sources), maps.Values(letters)), maps.Values(parks))
	found, err := w.adm.ListTopics(ctx, asked...)
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
			complete = w.createLetters(ctx, source, letters[source], "dead-letter topic", len(t.Partitions)) && complete
		}
		if name := parks[source]; name != "" {
			complete = w.createPark(ctx, source, name, found[name], len(t.Partitions)) && complete
		}
	}
	return complete
}

// createPark creates the park topic of a source, or adds the partitions that the source was given
// since: events are parked in the partition of their source's number.
func (w *topicWatch) createPark(ctx context.Context, source, name string, have kadm.TopicDetail, partitions int) bool {
	if have.Err != nil {
		return w.createLetters(ctx, source, name, "park topic", partitions)
	}
	if len(have.Partitions) >= partitions {
		return true
	}
	resps, err := w.adm.UpdatePartitions(ctx, partitions, name)
	if err == nil {
		err = resps[name].Err
	}
	if err == nil {
		w.c.log.Info("partitions added to the park topic, as its source has more", "topic", name, "partitions", partitions)
		return true
	}
	if ctx.Err() == nil {
		w.c.log.Warn("add partitions to the park topic: add them by hand; until then the source's new partitions wait", "topic", name, "partitions", partitions, "err", err)
	}
	return false
}

// createLetters creates the dead-letter topic, or the park topic, of a source: as many partitions, room for the story,
// the time of writing as its records' time (with the source's own, retention could take a letter at
// once). Where that is not allowed it says what to create.
func (w *topicWatch) createLetters(ctx context.Context, source, name, what string, partitions int) bool {
	configs := map[string]*string{
		"cleanup.policy":         new("delete"),
		"retention.ms":           new("-1"),
		"retention.bytes":        new("-1"),
		"message.timestamp.type": new("LogAppendTime"),
	}
	if largest, ok := w.largestRecord(ctx, source); ok {
		configs["max.message.bytes"] = new(strconv.Itoa(largest + letterRoom))
	}
	_, err := w.adm.CreateTopic(ctx, int32(partitions), -1, configs, name)
	switch {
	case err == nil:
		w.c.log.Info(what+" created", "topic", name)
		return true
	case errors.Is(err, kerr.TopicAlreadyExists):
		return true
	case ctx.Err() != nil:
		return false
	}
	w.c.log.Warn(fmt.Sprintf("create the %s: create it by hand with %d partitions, retention.ms=-1, message.timestamp.type=LogAppendTime and max.message.bytes %d above the source's; until then what has to be written there stops its partition", what, partitions, letterRoom),
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
