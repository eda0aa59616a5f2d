package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/mail"
)

const (
	lookEvery    = 2 * time.Second  // while a topic is missing
	returnsEvery = 10 * time.Second // for redrive topics that are made later, and partitions
)

// Source is a topic that a group reads, and the topics that it needs beside it.
type Source struct {
	Topic   string
	Letters string
	Park    string // "": none
	Retries []string
}

// Watch waits for topics that do not exist yet, creates those that belong to the ones that do, warns when
// partitions were added, and lets the client read the redrive topics that somebody has made.
type Watch struct {
	Client  *kgo.Client
	Log     *slog.Logger
	Sources []Source
	Returns []string                             // redrive topics
	Look    <-chan struct{}                      // asks it to look now
	Missing func(topic, why string)              // a topic can't be read
	Found   func(topic string) (wasMissing bool) // it can
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	of := watcher{Watch: w, adm: kadm.NewClient(w.Client), partitions: map[string]int{}}
	for {
		wait := returnsEvery
		if !of.look(ctx) {
			wait = lookEvery
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-w.Look:
			Rest(ctx, lookEvery/4)
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// watcher is what a Watch knows.
type watcher struct {
	*Watch
	adm        *kadm.Client
	partitions map[string]int // of the topics that exist
	read       []string       // redrive topics that the group reads
}

// look asks the cluster for the topics once, and reports whether nothing is left to wait for.
func (w *watcher) look(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	asked := slices.Clone(w.Returns)
	for _, s := range w.Sources {
		asked = append(asked, s.Topic, s.Letters)
		asked = append(asked, s.Retries...)
		if s.Park != "" {
			asked = append(asked, s.Park)
		}
	}
	found, err := w.adm.ListTopics(ctx, asked...)
	if err != nil {
		w.Log.Debug("look for topics", "err", err)
		return false
	}
	w.readReturns(found)
	complete := true
	for _, s := range w.Sources {
		source, t := s.Topic, found[s.Topic]
		switch {
		case errors.Is(t.Err, kerr.TopicAuthorizationFailed):
			w.Missing(source, "looking at it is not allowed: give the user READ and DESCRIBE on the topic")
			complete = false
			continue
		case t.Err != nil || len(t.Partitions) == 0:
			w.Missing(source, "it does not exist yet: the group waits until its owner has created it")
			complete = false
			continue
		}
		if w.Found(source) {
			w.Log.Info("topic can be read now", "topic", source)
			w.Client.ForceMetadataRefresh()
		}
		if was := w.partitions[source]; was != 0 && was != len(t.Partitions) {
			w.Log.Warn("partitions were added: events of one key may now lie on two partitions, and their order across the change is lost", "topic", source, "before", was, "now", len(t.Partitions))
		}
		w.partitions[source] = len(t.Partitions)
		if found[s.Letters].Err != nil {
			complete = w.createLetters(ctx, source, s.Letters, "dead-letter topic", len(t.Partitions)) && complete
		}
		complete = w.createRetries(ctx, &s, found, len(t.Partitions)) && complete
		if s.Park != "" {
			complete = w.createPark(ctx, source, s.Park, found[s.Park], len(t.Partitions)) && complete
		}
	}
	return complete
}

// readReturns lets the group read the redrive topics that somebody has made.
func (w *watcher) readReturns(found kadm.TopicDetails) {
	for _, name := range w.Returns {
		if t := found[name]; t.Err != nil || len(t.Partitions) == 0 || slices.Contains(w.read, name) {
			continue
		}
		w.read = append(w.read, name)
		w.Log.Info("the group takes dead letters back", "topic", name)
		w.Client.AddConsumeTopics(name)
	}
}

// createPark creates the park topic of a source, or adds the partitions that the source was given
// since: events are parked in the partition of their source's number.
func (w *watcher) createPark(ctx context.Context, source, name string, have kadm.TopicDetail, partitions int) bool {
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
		w.Log.Info("partitions added to the park topic, as its source has more", "topic", name, "partitions", partitions)
		return true
	}
	if ctx.Err() == nil {
		w.Log.Warn("add partitions to the park topic: add them by hand; until then the source's new partitions wait", "topic", name, "partitions", partitions, "err", err)
	}
	return false
}

// createLetters creates the dead-letter topic, or the park topic, of a source: as many partitions, room for
// the story, the time of writing as its records' time (with the source's own, retention could take a
// letter at once). Where that is not allowed it says what to create.
func (w *watcher) createLetters(ctx context.Context, source, name, what string, partitions int) bool {
	configs := map[string]*string{
		"cleanup.policy":         new("delete"),
		"retention.ms":           new("-1"),
		"retention.bytes":        new("-1"),
		"message.timestamp.type": new("LogAppendTime"),
	}
	if largest, err := LargestBatch(ctx, w.adm, source); err == nil && largest > 0 {
		configs["max.message.bytes"] = new(strconv.Itoa(largest + mail.Room))
	}
	_, err := w.adm.CreateTopic(ctx, int32(partitions), -1, configs, name)
	switch {
	case err == nil:
		w.Log.Info(what+" created", "topic", name)
		return true
	case errors.Is(err, kerr.TopicAlreadyExists):
		return true
	case ctx.Err() != nil:
		return false
	}
	w.Log.Warn(fmt.Sprintf("create the %s: create it by hand with %d partitions, retention.ms=-1, message.timestamp.type=LogAppendTime and max.message.bytes %d above the source's; until then what has to be written there stops its partition", what, partitions, mail.Room),
		"topic", name, "err", err)
	return true
}

// createRetries creates the retry topics of a source that are missing, and says of those that are there
// that they can be read.
func (w *watcher) createRetries(ctx context.Context, s *Source, found kadm.TopicDetails, partitions int) (complete bool) {
	complete = true
	for _, name := range s.Retries {
		if found[name].Err != nil {
			complete = w.createLetters(ctx, s.Topic, name, "retry topic", partitions) && complete
			w.Client.ForceMetadataRefresh()
			continue
		}
		w.Found(name)
	}
	return complete
}
