package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/chaos/audit"
	"github.com/leatdev/leat/test/fleet"
)

// watch looks at the cluster while it suffers: what may never go back is written down again and again.
type watch struct {
	adm    *kadm.Client
	log    *audit.Log
	topics []string
	groups []string
}

func newWatch(brokers []string, log *audit.Log, topics, groups []string) (*watch, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RequestTimeoutOverhead(3*time.Second), kgo.RequestRetries(3), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &watch{kadm.NewClient(cl), log, topics, groups}, nil
}

// run takes samples until ctx ends. A sample that can't be had is none.
func (w *watch) run(ctx context.Context) error {
	for pause(ctx, time.Second) {
		sample, cancel := context.WithTimeout(ctx, 5*time.Second)
		ends, errEnds := w.adm.ListEndOffsets(sample, w.topics...)
		if errEnds == nil {
			errEnds = w.marks(ends)
		}
		_, errOffsets := w.offsets(sample, false)
		cancel()
		for _, err := range []error{errEnds, errOffsets} {
			if errors.Is(err, errHistory) {
				return err
			}
		}
	}
	return nil
}

// errHistory is that the history can't be written.
var errHistory = errors.New("write the history of the cluster")

// marks writes down the high watermarks of partitions that told theirs.
func (w *watch) marks(ends kadm.ListedOffsets) error {
	var errs []error
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err == nil && o.Offset >= 0 {
			if err := w.log.See(audit.Line{Op: audit.Mark, Topic: o.Topic, Partition: o.Partition, Offset: o.Offset}); err != nil {
				errs = append(errs, errHistory, err)
			}
		}
	})
	return errors.Join(errs...)
}

// offsets writes down the committed offsets of all groups and returns them.
func (w *watch) offsets(ctx context.Context, final bool) (map[string]map[string]int64, error) {
	all := map[string]map[string]int64{}
	for _, group := range w.groups {
		got, err := w.adm.FetchOffsets(ctx, group)
		if err == nil {
			err = got.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("read the offsets of %s: %w", group, err)
		}
		all[group] = map[string]int64{}
		for _, at := range got.Sorted() {
			all[group][place(at.Topic, at.Partition)] = at.At
			line := audit.Line{Op: audit.Offset, Group: group, Topic: at.Topic, Partition: at.Partition, Offset: at.At, Final: final}
			if err := w.log.See(line); err != nil {
				return nil, errors.Join(errHistory, err)
			}
		}
	}
	return all, nil
}

// ends are the high watermarks, or the last stable offsets, by topic/partition.
func (w *watch) ends(ctx context.Context, stable bool) (map[string]kadm.ListedOffset, error) {
	list := w.adm.ListEndOffsets
	if stable {
		list = w.adm.ListCommittedOffsets
	}
	listed, err := list(ctx, w.topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("read where the topics end: %w", err)
	}
	ends := map[string]kadm.ListedOffset{}
	listed.Each(func(o kadm.ListedOffset) { ends[place(o.Topic, o.Partition)] = o })
	return ends, nil
}

// sample writes down what each process holds.
func sample(ctx context.Context, log *audit.Log, members []*member, idle bool) error {
	for _, m := range members {
		if m.service == "" {
			continue
		}
		var text string
		err := persist(ctx, func() (err error) {
			text, err = fleet.Get(ctx, m.addr, "/metrics")
			return err
		})
		if err != nil {
			return fmt.Errorf("ask %s what it holds: %w", m.name, err)
		}
		line := audit.Line{
			Op: audit.Sample, Key: m.name, Idle: idle, Final: !idle,
			Goroutines: int64(fleet.Sum(text, "go_goroutines")), Files: int64(fleet.Sum(text, "process_open_fds")), Bytes: int64(fleet.Sum(text, "process_resident_memory_bytes")),
		}
		if line.Goroutines == 0 || line.Files == 0 || line.Bytes == 0 {
			return fmt.Errorf("%s does not say what it holds", m.name)
		}
		if err := log.See(line); err != nil {
			return err
		}
	}
	return nil
}
