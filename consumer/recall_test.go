package consumer

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/kafka"
)

type recalled struct{}

func (recalled) EventType() string { return "test.thing.recalled.v1" }

// The client may wait with a commit for the member's new epoch, and send it when the partition is ours
// again. That another member has had it meanwhile, it does not know.
func TestACommitIsCalledBackWhenItsPartitionGoes(t *testing.T) {
	t.Parallel()
	for protocol, want := range map[string]error{cluster.ServerSide: errLostMeanwhile, cluster.Classic: nil} {
		h := leat.NewHandler[recalled](leat.Topic{Name: "t", Carries: []any{recalled{}}}, nil)
		h.Handle = func(context.Context, *leat.Envelope) error { return nil }
		nowhere := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }
		c, err := New(Config{Group: "g", Protocol: protocol, Handlers: []leat.Handler{h}, Kafka: kafka.Config{Dial: nowhere}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		gone, stays := c.adopt(at{"t", 0}, "m"), c.adopt(at{"t", 1}, "m")
		c.mu.Unlock()
		dismiss := func(p *partition) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.dismissPart(p, ErrRevoked)
		}
		ctx, stop := c.recallable(t.Context(), map[*partition]lane.Place{gone: {Mark: lane.Mark{Offset: 1}}})
		dismiss(stays)
		if ctx.Err() != nil {
			t.Errorf("%s: called back for a partition that is not in it", protocol)
		}
		dismiss(gone)
		if cause := context.Cause(ctx); !errors.Is(cause, want) {
			t.Errorf("%s: cause %v, want %v", protocol, cause, want)
		}
		stop()
		c.client.Close()
		c.letters.Close()
	}
}
