package share

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Session is a member's work with what the brokers give it.
type Session struct {
	Client *kgo.Client
	Log    *slog.Logger
	Drain  time.Duration // how long a hand may take when the member stops
	Grace  time.Duration // and how long handlers may take to return then
	Cause  error         // of the end of their contexts
	// Handle works on one event until it is done, or to be given back. attempts ends with the time to work,
	// stopping when no attempt should begin any more.
	Handle func(stopping, attempts context.Context, r *kgo.Record) (done bool)

	Held     atomic.Int64 // events taken and not dealt with
	Handled  atomic.Int64 // events told done
	Released atomic.Int64 // events given back
}

// Deal handles a hand of events side by side and tells the end of each; life is that of the member, ctx
// ends when it stops. The client takes an event that was not spoken of for done at the next poll: so all
// have ended when it returns, but for those whose handlers ignore the end of their context.
func (s *Session) Deal(ctx, life context.Context, records []*kgo.Record) (left int) {
	attempts, cut := context.WithCancelCause(life)
	defer cut(nil)
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(s.Drain)
		defer timer.Stop()
		select {
		case <-timer.C:
			cut(s.Cause)
		case <-attempts.Done():
		}
	})
	defer stop()
	s.Held.Add(int64(len(records)))
	hand := newHand(records)
	locks, unlock := context.WithCancel(attempts)
	var keeper, workers sync.WaitGroup
	keeper.Go(func() { s.keepLocks(locks, hand, records[0].AcquisitionDeadline()) })
	for _, r := range records {
		workers.Go(func() { s.one(ctx, attempts, hand, r) })
	}
	left = s.wait(attempts, &workers, hand)
	unlock()
	keeper.Wait()
	return left
}

func (s *Session) one(ctx, attempts context.Context, hand *hand, r *kgo.Record) {
	done := false // of a handler that ends its goroutine
	defer func() {
		hand.drop(r)
		s.Held.Add(-1)
		if done {
			r.Ack(kgo.AckAccept)
			s.Handled.Add(1)
		} else {
			r.Ack(kgo.AckRelease)
			s.Released.Add(1)
		}
	}()
	done = s.Handle(ctx, attempts, r)
}

// wait waits until the hand is dealt with, and gives back what is in the hands of handlers that ignore
// the end of their context. It returns how many those are.
func (s *Session) wait(attempts context.Context, workers *sync.WaitGroup, hand *hand) (left int) {
	ended := make(chan struct{})
	go func() { // ends with the last handler
		workers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return 0
	case <-attempts.Done():
	}
	timer := time.NewTimer(s.Grace)
	defer timer.Stop()
	select {
	case <-ended:
		return 0
	case <-timer.C:
		return hand.giveBack()
	}
}

// keepLocks renews the brokers' locks on what is open until ctx ends, three times in the time of a lock.
func (s *Session) keepLocks(ctx context.Context, hand *hand, deadline time.Time) {
	every := time.NewTicker(max(time.Until(deadline)/3, 100*time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		if hand.renew() == 0 {
			continue
		}
		if err := s.Client.FlushAcks(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("renew the locks of events in hand", "err", err)
		}
	}
}
