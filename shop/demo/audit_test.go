package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
	"github.com/leatdev/leat/shop/shipping"
)

const badPlace = "shop.orders/2@7"

// sound is what is found after three orders, one completed, one refunded and one declined, and one
// bad record, when all is well.
func sound() *evidence {
	money := contract.Money{Amount: 1500, Currency: "EUR"}
	placed := time.Unix(1000, 0)
	return &evidence{
		deeds: []deed{{order: "done"}, {trouble: cancel, order: "undone"}, {trouble: declined, order: "declined"}, {trouble: badBytes, order: "plain"}},
		fates: map[string]*fate{
			"done":     completed(money, placed),
			"plain":    completed(money, placed),
			"undone":   {state: order.Cancelled, reason: order.ReasonCustomer, total: money, placed: placed, ended: placed, charge: payment.Refunded, amount: money, captured: 1, returned: 1, goods: inventory.Released, shipment: shipping.Cancelled, notices: map[string]int{notification.ReasonCancelled: 1, notification.ReasonRefunded: 1}},
			"declined": {state: order.Cancelled, reason: order.ReasonPayment, total: money, placed: placed, ended: placed, charge: payment.Failed, amount: money, notices: map[string]int{notification.ReasonCancelled: 1}},
		},
		articles:  []inventory.Article{{SKU: "a", Available: 8, Taken: 2, Counted: 10}},
		reserved:  map[string]int64{"a": 2},
		shipped:   map[string]int64{"a": 2},
		summaries: []ledger.Summary{{Service: "order", Entries: 9}},
		lags:      map[string]int64{"order": 0},
		counted:   true,
		log: &logbook{
			bad:     []badAt{{badPlace, []string{"payment"}}},
			letters: map[string]int{letterKey("payment", badPlace): 1},
			reasons: map[string]bool{letterKey("payment", badPlace): true},
		},
	}
}

func completed(money contract.Money, at time.Time) *fate {
	return &fate{
		state: order.Completed, total: money, placed: at, ended: at.Add(time.Second), charge: payment.Charged, amount: money, captured: 1,
		goods: inventory.Reserved, shipment: shipping.Dispatched,
		notices: map[string]int{notification.ReasonCompleted: 1, notification.ReasonDispatched: 1},
	}
}

func TestAuditFindsNothingWhereAllIsWell(t *testing.T) {
	t.Parallel()
	r := audit(sound(), 1, time.Unix(0, 0))
	if !r.OK || len(r.Findings) != 0 {
		t.Errorf("found %q", r.Findings)
	}
	if r.Placed != 4 || r.Completed != 2 || r.Cancelled != 2 || r.DeadLetters != 1 || !r.MoneyBalanced || !r.StockBalanced {
		t.Errorf("report %+v", r)
	}
}

// Each thing that can go wrong is found by itself.
func TestAuditFindsEachFault(t *testing.T) {
	t.Parallel()
	key := letterKey("payment", badPlace)
	for name, c := range map[string]struct {
		spoil func(e *evidence)
		finds string
	}{
		"an order that was never placed":        {func(e *evidence) { e.deeds[0].order = "" }, "lost: "},
		"an order that nobody knows":            {func(e *evidence) { delete(e.fates, "declined") }, "lost: "},
		"an order without an end":               {func(e *evidence) { e.fates["done"].state = order.Placed }, "lost: "},
		"an order that should have failed":      {func(e *evidence) { e.deeds[0].trouble = declined }, "order: "},
		"an order that failed otherwise":        {func(e *evidence) { e.fates["declined"].reason = order.ReasonStock }, "order: "},
		"an order of nobody":                    {func(e *evidence) { e.fates["?"] = &fate{} }, "order: "},
		"two orders that are one":               {func(e *evidence) { e.deeds[3].order = "done" }, "order: "},
		"money taken twice":                     {func(e *evidence) { e.fates["done"].captured = 2 }, "money: "},
		"money not given back":                  {func(e *evidence) { e.fates["undone"].returned = 0 }, "money: "},
		"the wrong sum":                         {func(e *evidence) { e.fates["done"].amount.Amount-- }, "money: "},
		"a charge under way":                    {func(e *evidence) { e.fates["declined"].charge = payment.Voiding }, "money: "},
		"stock below nothing":                   {func(e *evidence) { e.articles[0].Available, e.articles[0].Taken = -1, 11 }, "stock: "},
		"stock that went without a parcel":      {func(e *evidence) { e.shipped["a"] = 1 }, "stock: "},
		"goods of an order that is no more":     {func(e *evidence) { e.fates["undone"].goods = inventory.Reserved }, "stock: "},
		"a notice that did not come":            {func(e *evidence) { delete(e.fates["done"].notices, notification.ReasonCompleted) }, "notification: "},
		"a notice that came twice":              {func(e *evidence) { e.fates["done"].notices[notification.ReasonCompleted]++ }, "notification: "},
		"a notice that still waits":             {func(e *evidence) { e.fates["done"].pending = 1 }, "notification: "},
		"an effect that came twice":             {func(e *evidence) { e.summaries[0].Doubled = 1 }, "effect: "},
		"a bad record without a letter":         {func(e *evidence) { delete(e.log.letters, key) }, "dead letter: "},
		"a bad record with two":                 {func(e *evidence) { e.log.letters[key] = 2 }, "dead letter: "},
		"a letter with an odd reason":           {func(e *evidence) { e.log.reasons[key] = false }, "dead letter: "},
		"a letter about a good record":          {func(e *evidence) { e.log.letters[letterKey("order", "shop.payments/0@1")] = 1 }, "dead letter: "},
		"a bad record that got lost":            {func(e *evidence) { e.log.bad, e.log.letters = nil, nil }, "bad record: "},
		"an unknown type that got lost":         {func(e *evidence) { e.deeds[3].trouble = unknownType }, "unknown type: "},
		"an unknown type passed over by no one": {func(e *evidence) { e.log.unknown = 1 }, "unknown type: "},
		"a repeat that got lost":                {func(e *evidence) { e.deeds[3].trouble = repeatEvent }, "duplicate: "},
		"a full mailbox that held nobody up":    {func(e *evidence) { e.deeds[3].trouble = mailbox }, "parked: "},
		"a group that is behind":                {func(e *evidence) { e.lags["order"] = 3 }, "lag: "},
		"an outbox that is not empty":           {func(e *evidence) { e.outboxes = 1 }, "outbox: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := sound()
			c.spoil(e)
			r := audit(e, 1, time.Unix(0, 0))
			if r.OK || !strings.Contains("\n"+strings.Join(r.Findings, "\n"), "\n"+c.finds) {
				t.Errorf("found %q, want one of %q", r.Findings, c.finds)
			}
		})
	}
}
