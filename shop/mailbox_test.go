package shop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/lag"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/shop"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/notification"
)

// mailman gives nothing to customers whose mailbox is full, until he may.
type mailman struct {
	may   chan struct{}
	given atomic.Int64
}

func (*mailman) Channel() string { return "test" }

func (m *mailman) Send(_ context.Context, n notification.Notice) error {
	if strings.HasPrefix(n.CustomerID, notification.CustomerFull) {
		select {
		case <-m.may:
		default:
			return errors.New("the mailbox is full")
		}
	}
	m.given.Add(1)
	return nil
}

// Nobody else waits for a full mailbox. Its notices come back from the park topic, and are given once,
// also where their events come twice.
func TestFullMailboxMakesNobodyElseWait(t *testing.T) {
	t.Parallel()
	m := &mailman{may: make(chan struct{})}
	r := run(t, shop.Config{Notification: notification.Config{
		Sender:  m,
		Retry:   leat.Retry{Attempts: 2, Base: time.Millisecond},
		Parking: leat.Parking{Tiers: []time.Duration{50 * time.Millisecond}},
	}})
	r.stock("tea", 1000)
	full := r.ended(r.place("full", basket(notification.CustomerFull+"ada"))).OrderID
	for i := range 10 {
		r.ended(r.place(fmt.Sprint("k", i), basket("bob")))
	}
	wait := func(what string, want map[string]int) {
		leattest.Eventually(t, what, func() error {
			if got := r.notices(full); !maps.Equal(got, want) {
				return fmt.Errorf("got %v, want %v", got, want)
			}
			return nil
		})
	}
	wait("all others are told", map[string]int{"pending for ada": 2, "sent": 20})
	c := broker.Open(t, r.stack.Config())
	sendAgain(t, c, contract.Orders.Name)
	close(m.may)
	wait("all are told", map[string]int{"sent for ada": 2, "sent": 20})
	leattest.Eventually(t, "nothing waits any more, in the park topics either", func() error {
		groups, err := lag.Read(t.Context(), c, "notification")
		if err == nil && groups[0].Total() > 0 {
			err = fmt.Errorf("%d records do", groups[0].Total())
		}
		return err
	})
	var s ledger.Summary
	if r.call("GET", "/ledger/notification?audit=1", "", nil, &s); s.Entries != 22 || s.Doubled != 0 || m.given.Load() != 22 {
		t.Errorf("22 notices: %d were given, the ledger says %+v", m.given.Load(), s)
	}
}

// notices counts the notices by state, those of one order apart.
func (r *running) notices(ada string) map[string]int {
	var page struct{ Items []notification.View }
	r.call("GET", "/notifications?limit=1000", "", nil, &page)
	n := map[string]int{}
	for _, v := range page.Items {
		if v.OrderID == ada {
			v.State += " for ada"
		}
		n[v.State]++
	}
	return n
}

// sendAgain repeats all events of a topic.
func sendAgain(t *testing.T, c *kafka.Client, topic string) {
	t.Helper()
	p, err := c.Producer(kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var raws []kafka.Raw
	for w, err := range c.Tail(t.Context(), kafka.TailConfig{Topics: []string{topic}}) {
		if err != nil {
			t.Fatal(err)
		}
		raw := kafka.Raw{Topic: topic, Partition: -1, Key: w.Key(), Value: w.Value()}
		for key, value := range w.Headers() {
			raw.Headers = append(raw.Headers, leat.Header{Key: key, Value: value})
		}
		raws = append(raws, raw)
	}
	if err := p.SendRaw(t.Context(), raws...); err != nil {
		t.Fatal(err)
	}
}
