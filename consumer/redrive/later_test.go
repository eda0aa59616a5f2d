package redrive_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/leattest/broker"
)

// later says whether a handler with the options has retry topics.
func later(options []leat.HandlerOption) bool {
	var h leat.Handler
	for _, o := range options {
		o(&h)
	}
	return h.Later != nil
}

// What went through the retry topics to the dead letters goes back to its group alone, and from there
// straight to the dead letters again: it has waited before.
func TestLettersOfRetryTopicsGoBackToTheirGroup(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Unordered(), consumer.WithRetry(leat.Retry{Attempts: 1}),
			consumer.RetryTopics(leat.RetryTopics{Delays: []time.Duration{50 * time.Millisecond}}))
		others := r.bystander(t, b)
		r.letters(t, 3)
		r.failing(1)
		j := r.job(redrive.Redriven)
		j.Wait = true
		if n, err := j.Run(t.Context()); err != nil || n.Handled != 2 || n.Again != 1 {
			t.Errorf("redriven: %+v (%v), want two handled and one back", n, err)
		}
		r.states(t, redrive.Done, redrive.DeadAgain, redrive.Done)
		if n := len(b.ReadAll(t, r.topic.Name+"."+r.group+".retry-1", kgo.ReadCommitted())); n != 3 {
			t.Errorf("%d records in the retry topic, want the three of before", n)
		}
		seen(t, others, 5)
		r.mu.Lock()
		defer r.mu.Unlock()
		slices.Sort(r.done)
		if !slices.Equal(r.done, []int{0, 2, 3, 4}) || !r.from[leat.Position{Topic: r.topic.Name, Offset: 2}] {
			t.Errorf("effects %v, of events that lay at %v", r.done, r.from)
		}
	})
}
