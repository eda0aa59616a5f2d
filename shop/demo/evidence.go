package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
	"github.com/leatdev/leat/shop/shipping"
)

// fate is what the services say of one order.
type fate struct {
	state    order.State
	reason   string
	total    contract.Money
	placed   time.Time
	ended    time.Time
	charge   payment.State
	amount   contract.Money
	captured int64
	returned int64
	goods    inventory.State
	shipment shipping.State
	notices  map[string]int // by reason, those that were sent
	pending  int            // notices that were not
}

// evidence is everything that the audit judges.
type evidence struct {
	deeds     []deed // what the generator meant
	fates     map[string]*fate
	articles  []inventory.Article
	reserved  map[string]int64 // SKU -> pieces that reservations hold
	shipped   map[string]int64 // SKU -> pieces that were dispatched
	summaries []ledger.Summary
	lags      map[string]int64 // group -> records
	outboxes  float64          // events that have not left
	passed    float64          // events that groups passed over, as their processes count
	counted   bool             // passed tells of all of the demo: no process was started anew
	contract  *error           // what went wrong when a contract was changed; nil: none was
	log       *logbook
}

func (e *evidence) fate(orderID string) *fate {
	f := e.fates[orderID]
	if f == nil {
		f = &fate{notices: map[string]int{}}
		e.fates[orderID] = f
	}
	return f
}

// gather asks every service.
func gather(ctx context.Context, c *client, services []string) (*evidence, error) {
	e := &evidence{fates: map[string]*fate{}, reserved: map[string]int64{}, shipped: map[string]int64{}}
	err := pages(ctx, c, "order", "/orders", func(v order.View) {
		f := e.fate(v.OrderID)
		f.state, f.reason, f.total, f.placed = v.State, v.Reason, v.Total, v.PlacedAt
		if v.EndedAt != nil {
			f.ended = *v.EndedAt
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the orders: %w", err)
	}
	err = pages(ctx, c, "payment", "/charges", func(v payment.View) {
		f := e.fate(v.OrderID)
		f.charge, f.amount, f.captured, f.returned = v.State, v.Amount, v.Captured, v.Returned
	})
	if err != nil {
		return nil, fmt.Errorf("read the charges: %w", err)
	}
	if err := e.gatherGoods(ctx, c); err != nil {
		return nil, err
	}
	err = pages(ctx, c, "notification", "/notifications", func(v notification.View) {
		f := e.fate(v.OrderID)
		if v.State != "sent" {
			f.pending++
			return
		}
		f.notices[v.Reason]++
	})
	if err != nil {
		return nil, fmt.Errorf("read the notifications: %w", err)
	}
	for _, name := range services {
		s, err := c.summary(ctx, name, true)
		if err != nil {
			return nil, fmt.Errorf("read the ledger of %s: %w", name, err)
		}
		e.summaries = append(e.summaries, s)
	}
	return e, nil
}

func (e *evidence) gatherGoods(ctx context.Context, c *client) error {
	err := pages(ctx, c, "inventory", "/stock", func(a inventory.Article) { e.articles = append(e.articles, a) })
	if err != nil {
		return fmt.Errorf("read the stock: %w", err)
	}
	err = pages(ctx, c, "inventory", "/reservations", func(v inventory.View) {
		e.fate(v.OrderID).goods = v.State
		if v.State == inventory.Reserved {
			add(e.reserved, v.Lines)
		}
	})
	if err != nil {
		return fmt.Errorf("read the reservations: %w", err)
	}
	err = pages(ctx, c, "shipping", "/shipments", func(v shipping.View) {
		e.fate(v.OrderID).shipment = v.State
		if v.State == shipping.Dispatched {
			add(e.shipped, v.Lines)
		}
	})
	if err != nil {
		return fmt.Errorf("read the shipments: %w", err)
	}
	return nil
}

func add(sum map[string]int64, lines []contract.Line) {
	for _, l := range lines {
		sum[l.SKU] += l.Quantity
	}
}

// logbook is what lies on the topics beside the shop's own events.
type logbook struct {
	bad     []badAt         // records that are no events, or can't be read
	unknown int             // events of unknown type
	repeats int             // events that were sent again
	letters map[string]int  // "group topic/partition@offset" -> dead letters, those that are one folded
	reasons map[string]bool // ... -> it has a reason
	parked  int             // events that waited in a park topic and came back
}

// badAt is a bad record with the groups that have to refuse it.
type badAt struct {
	at     string
	groups []string
}

// readTopics reads all topics of the shop, all their dead letters and all that was parked, from the start.
func readTopics(ctx context.Context, c *kafka.Client, prefix string, services []service.Config) (*logbook, error) {
	readers := readersOf(services)
	book := &logbook{letters: map[string]int{}, reasons: map[string]bool{}}
	known := map[string]bool{}
	for _, t := range contract.Topics() {
		kinds, err := t.Kinds()
		if err != nil {
			return nil, err
		}
		for _, k := range kinds {
			known[t.Name+" "+k.Type] = true
		}
	}
	for w, err := range c.Tail(ctx, kafka.TailConfig{Topics: topics(prefix)}) {
		if err != nil {
			return nil, fmt.Errorf("read the shop's topics: %w", err)
		}
		book.see(w, prefix, readers, known)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the shop's topics: %w", context.Cause(ctx))
	}
	if err := book.readLetters(ctx, c, prefix, readers); err != nil {
		return nil, err
	}
	return book, book.readParked(ctx, c, prefix, services)
}
