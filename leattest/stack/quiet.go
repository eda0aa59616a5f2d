package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/service"
)

// patience is how long Quiet waits, in the bubble's time: longer than sessions and transactions of
// crashed processes live.
const patience = 10 * time.Minute

// between is how long Quiet lets pass between two looks, in the bubble's time: a look costs real time.
const between = 300 * time.Millisecond

// Quiet waits until all has happened that was caused: no group lags, no outbox holds an event. What
// parts still have in hand is for the test to know. Some process has to run each service.
func (s *Stack) Quiet() {
	s.t.Helper()
	cl := s.broker.Client(s.t)
	adm := kadm.NewClient(cl)
	leattest.Within(s.t, patience, "the stack is quiet", func() (err error) {
		defer func() {
			if err != nil {
				time.Sleep(between)
			}
		}()
		if err := s.evict(cl); err != nil {
			return err
		}
		before, err := s.lag(adm)
		if err != nil {
			return err
		}
		if err := s.outboxes(); err != nil {
			return err
		}
		// An event that left an outbox between the two looks shows in the ends of the topics.
		after, err := s.lag(adm)
		if err != nil {
			return err
		}
		if before != after {
			return fmt.Errorf("the topics grew from %d to %d records", before, after)
		}
		return nil
	})
}

// lag is an error while a group lags or a transaction is open, else the sum of the ends of all topics.
func (s *Stack) lag(adm *kadm.Client) (sum int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	starts, err := adm.ListStartOffsets(ctx)
	if err != nil {
		return 0, fmt.Errorf("list starts: %w", err)
	}
	stable, err := adm.ListCommittedOffsets(ctx)
	if err != nil {
		return 0, fmt.Errorf("list stable ends: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx)
	if err != nil {
		return 0, fmt.Errorf("list ends: %w", err)
	}
	var open []string
	ends.Each(func(end kadm.ListedOffset) {
		sum += end.Offset
		if to, ok := stable.Lookup(end.Topic, end.Partition); !ok || end.Err != nil || to.Err != nil || to.Offset < end.Offset {
			open = append(open, fmt.Sprintf("%s/%d", end.Topic, end.Partition))
		}
	})
	if len(open) > 0 {
		return 0, fmt.Errorf("transactions are open on %s", strings.Join(open, ", "))
	}
	for _, c := range s.cfg.Services {
		if late, err := s.late(ctx, adm, c, starts, ends); err != nil || len(late) > 0 {
			return 0, errors.Join(err, fmt.Errorf("group %s lags on %s", s.cfg.Prefix+c.Name, strings.Join(late, ", ")))
		}
	}
	return sum, nil
}

// late are the partitions whose end the service's group has not committed.
func (s *Stack) late(ctx context.Context, adm *kadm.Client, c service.Config, starts, ends kadm.ListedOffsets) (late []string, err error) {
	if len(c.Handlers) == 0 {
		return nil, nil
	}
	committed, err := adm.FetchOffsets(ctx, s.cfg.Prefix+c.Name)
	if err != nil {
		return nil, fmt.Errorf("fetch offsets: %w", err)
	}
	for _, topic := range s.reads(c) {
		if _, there := ends[topic]; !there && !strings.HasSuffix(topic, leat.RedriveTopic("", s.cfg.Prefix+c.Name)) {
			late = append(late, topic+", which is not there")
		}
		for _, end := range ends[topic] {
			at := int64(0)
			if start, ok := starts.Lookup(end.Topic, end.Partition); ok {
				at = start.Offset
			}
			if o, ok := committed.Lookup(end.Topic, end.Partition); ok && o.At >= 0 {
				at = o.At
			}
			if at < end.Offset {
				late = append(late, fmt.Sprintf("%s/%d at %d of %d", end.Topic, end.Partition, at, end.Offset))
			}
		}
	}
	return late, nil
}

// reads are the topics whose offsets the service's group commits. Those by which dead letters go back are
// made when the first one does.
func (s *Stack) reads(c service.Config) []string {
	var topics []string
	for _, h := range c.Handlers {
		topic, group := s.cfg.Prefix+h.Topic.Name, s.cfg.Prefix+c.Name
		topics = append(topics, topic, leat.RedriveTopic(topic, group))
		if h.Parking != nil { // what is parked is committed past once it is finished
			topics = append(topics, leat.ParkTopic(s.cfg.Prefix+h.Topic.Name, s.cfg.Prefix+c.Name))
		}
		if h.Later != nil {
			for _, tier := range h.Later.Tiers(s.cfg.Prefix+h.Topic.Name, s.cfg.Prefix+c.Name) {
				if tier.Group == s.cfg.Prefix+c.Name {
					topics = append(topics, tier.Topic)
				}
			}
		}
	}
	return topics
}

func (s *Stack) outboxes() error {
	for _, c := range s.cfg.Services {
		db := s.Database(c.Name)
		if _, err := os.Stat(strings.TrimPrefix(db.URL, "sqlite:")); err != nil {
			return fmt.Errorf("service %s has not started", c.Name)
		}
		if n := db.Int(s.t, "select count(*) from leat_outbox"); n > 0 {
			return fmt.Errorf("%d events are in the outbox of %s", n, c.Name)
		}
	}
	return nil
}

// Records are the events of a topic that a read_committed reader from the start sees, by partition
// and offset.
func (s *Stack) Records(topic string) []*kgo.Record {
	s.t.Helper()
	return s.broker.ReadAll(s.t, s.Topic(topic), kgo.ReadCommitted())
}

// DeadLetters are the dead letters of a service from a topic.
func (s *Stack) DeadLetters(topic, name string) []*kgo.Record {
	s.t.Helper()
	return s.broker.ReadAll(s.t, leat.DeadLetters(s.Topic(topic), s.cfg.Prefix+name), kgo.ReadCommitted())
}
