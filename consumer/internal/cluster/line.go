package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
)

// unfitEvery is how often a control topic is looked at that can't be used as it is.
const unfitEvery = time.Minute

// Line is the connection to a control topic.
type Line struct {
	Topic string
	Log   *slog.Logger
	// Take gets what the topic says, or why it is not followed.
	Take func(*control.State, error)

	closing sync.Once
	client  *kafka.Client
	log     *control.Log
}

// Open reads the topic whole: a partition that is paused, or to be read from elsewhere, must not begin
// with what its old offset says. It tries for as long as the cluster might still let it; where it never
// will (no right, or a topic that forgets), Take is told, and so is the log.
func (l *Line) Open(ctx context.Context, cluster kafka.Config) error {
	probe, err := cluster.NewClient()
	if err != nil {
		return err
	}
	probe.Close()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := l.open(ctx, cluster)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		l.Take(nil, err)
		if hopeless(err) && l.client != nil {
			l.Log.Warn("the group takes no commands while it runs (leat group pause, seek, ...): its control topic can't be used", "topic", l.Topic, "err", err)
			return nil
		}
		if l.client != nil {
			l.client.Close()
			l.client = nil
		}
		l.Log.Info("waiting for the control topic", "topic", l.Topic, "err", err)
		if Rest(ctx, pause); ctx.Err() != nil {
			return nil
		}
	}
}

// open connects and reads the topic once. Where only the topic is the trouble, the connection stays.
func (l *Line) open(ctx context.Context, cluster kafka.Config) (err error) {
	if l.client, err = kafka.Open(ctx, cluster); err != nil {
		l.client = nil
		return err
	}
	return l.read(ctx)
}

// read reads the topic from its beginning.
func (l *Line) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	l.log = l.Fresh()
	if err := l.log.Ensure(ctx); err != nil {
		return err
	}
	state, err := l.log.Read(ctx)
	if err != nil {
		return err
	}
	l.Take(state, nil)
	return nil
}

// hopeless says whether the control topic will stay out of reach until somebody changes the cluster.
func hopeless(err error) bool {
	return errors.Is(err, kafka.ErrNotAllowed) || errors.Is(err, control.ErrUnfit)
}

// Follow takes each new record, and begins anew with the topic when it can't be read on, until ctx ends.
// err is why it could not be read at Open.
func (l *Line) Follow(ctx context.Context, err error) {
	for told := err != nil; ctx.Err() == nil; {
		if err == nil {
			told = false
			err = l.log.Follow(ctx, func(s *control.State) { l.Take(s, nil) })
		}
		if ctx.Err() != nil {
			return
		}
		l.Take(nil, err)
		if !told {
			l.Log.Warn("follow the control topic: its last commands stay in force", "topic", l.Topic, "err", err)
			told = true
		}
		wait := lookEvery
		if hopeless(err) {
			wait = unfitEvery
		}
		Rest(ctx, wait)
		err = l.read(ctx)
	}
}

// Fresh is a log of its own on the same connection.
func (l *Line) Fresh() *control.Log { return control.NewLog(l.client, l.Topic) }

// Write writes records that replace none.
func (l *Line) Write(ctx context.Context, records ...control.Record) error {
	if err := l.Fresh().Write(ctx, records, nil); err != nil {
		return fmt.Errorf("write to the control topic: %w", err)
	}
	return nil
}

// Close ends the connection. A nil line has none.
func (l *Line) Close() {
	if l != nil && l.client != nil {
		l.closing.Do(l.client.Close)
	}
}
