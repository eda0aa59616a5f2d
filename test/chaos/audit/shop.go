package audit

import (
	"maps"
	"slices"
	"strings"
)

// checkShop compares the tables of the shop's services with each other, with what was ordered, and with
// what is on the topics.
func (b *book) checkShop() {
	b.report.Orders = int64(len(b.rows["orders"]))
	b.checkOrders()
	b.checkMoney()
	b.checkStock()
	b.checkPublished()
	for _, w := range b.waiting {
		b.report.find(OutboxStuck, "%d events in the outbox of %s have not left: %s", w.Offset, w.Group, w.Reason)
	}
}

// checkOrders: what was accepted is there, what is there was ordered, and all of it has ended.
func (b *book) checkOrders() {
	orders := b.rows["orders"]
	asked := map[string]bool{}
	ordered := false
	for _, d := range b.inOrder {
		if d.op != Order {
			continue
		}
		ordered = true
		asked[d.key] = true
		if row, ok := orders[d.order]; d.is == OK && (!ok || row.Key != d.key) {
			b.report.find(OrderLost, "order %s was accepted for key %s and is not there", d.order, d.key)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(orders)) {
		row := orders[id]
		if ordered && !asked[row.Key] {
			b.report.find(OrderLost, "nobody placed order %s of key %s", id, row.Key)
		}
		if row.State != "completed" && row.State != "cancelled" {
			b.report.find(OrderOpen, "order %s is still %s", id, row.State)
		}
	}
	for id, c := range b.rows["charge"] {
		if c.State == "pending" || c.State == "refunding" || c.State == "voiding" {
			b.report.find(OrderOpen, "the charge of order %s is still %s", id, c.State)
		}
	}
	for id, n := range b.rows["notice"] {
		if n.State != "sent" {
			b.report.find(OrderOpen, "the notice %s is still %s", id, n.State)
		}
	}
}

// checkMoney: what is held is the total of each completed order, and nothing of any other.
func (b *book) checkMoney() {
	for id, s := range b.rows["sandbox"] {
		o, ok := b.rows["orders"][id]
		if s.In > 1 || s.Out > s.In {
			b.report.find(Money, "of order %s money was taken %d times and given back %d times", id, s.In, s.Out)
		}
		held := s.In - s.Out
		switch completed := o.State == "completed"; {
		case !ok:
			b.report.find(Money, "money was asked for an order %s that is not there", id)
		case completed && (held != 1 || s.Amount != o.Amount || s.Currency != o.Currency):
			b.report.find(Money, "order %s is completed over %d %s, held is %d times %d %s", id, o.Amount, o.Currency, held, s.Amount, s.Currency)
		case o.State == "cancelled" && held != 0:
			b.report.find(Money, "order %s is cancelled and %d %s of it are held", id, s.Amount, s.Currency)
		}
	}
	for id, o := range b.rows["orders"] {
		if _, ok := b.rows["sandbox"][id]; !ok && o.State == "completed" {
			b.report.find(Money, "order %s is completed and no money was taken", id)
		}
	}
}

// checkStock: for each article what is for sale and what was taken is what was counted, what was taken
// is what is reserved, and what is reserved was shipped, each order's goods with it or not at all.
func (b *book) checkStock() {
	reserved, shipped := map[string]int64{}, map[string]int64{}
	add := func(sum map[string]int64, goods []Good) {
		for _, g := range goods {
			sum[g.SKU] += g.Quantity
		}
	}
	for _, r := range b.rows["reservation"] {
		if r.State == "reserved" {
			add(reserved, r.Goods)
		}
	}
	for _, s := range b.rows["shipment"] {
		if s.State == "dispatched" {
			add(shipped, s.Goods)
		}
	}
	for sku, a := range b.rows["stock"] {
		if a.Out < 0 || a.In+a.Out != a.All {
			b.report.find(Stock, "%s: %d counted, %d for sale, %d taken", sku, a.All, a.Out, a.In)
		}
		if a.In != reserved[sku] || a.In != shipped[sku] {
			b.report.find(Stock, "%s: %d taken, %d reserved, %d shipped", sku, a.In, reserved[sku], shipped[sku])
		}
	}
	for id, o := range b.rows["orders"] {
		done := o.State == "completed"
		goods, parcel := b.rows["reservation"][id].State, b.rows["shipment"][id].State
		if o.State != "placed" && o.State != "cancelling" && ((goods == "reserved") != done || (parcel == "dispatched") != done) {
			b.report.find(Stock, "order %s is %s, its goods are %q and its shipment is %q", id, o.State, goods, parcel)
		}
	}
}

// bound is how often an event has to be published at least and may be at most.
type bound struct{ least, most int }

var (
	once  = bound{1, 1}
	maybe = bound{0, 1}
)

// told are the events that an order's rows say were published, each once or, where the row does not
// tell, at most once.
func (b *book) told(id string) map[string]bound {
	want := map[string]bound{}
	o := b.rows["orders"][id]
	switch o.State {
	case "completed":
		want["shop.order.completed.v1"] = once
	case "cancelled":
		want["shop.order.cancelled.v1"] = once
	}
	if o.State != "" {
		want["shop.order.created.v1"] = once
		want["shop.order.cancel_requested.v1"] = maybe
		if o.State == "cancelling" || o.Reason == "customer" {
			want["shop.order.cancel_requested.v1"] = once
		}
	}
	switch b.rows["charge"][id].State {
	case "charged", "refunding":
		want["shop.payment.succeeded.v1"] = once
	case "refunded":
		want["shop.payment.succeeded.v1"], want["shop.payment.refunded.v1"] = once, once
	case "failed":
		want["shop.payment.failed.v1"] = once
	case "voiding", "voided":
		want["shop.payment.failed.v1"] = maybe
	}
	switch b.rows["reservation"][id].State {
	case "reserved":
		want["shop.inventory.reserved.v1"] = once
	case "released":
		want["shop.inventory.reserved.v1"], want["shop.inventory.released.v1"] = once, once
	case "rejected":
		want["shop.inventory.rejected.v1"] = once
	}
	switch b.rows["shipment"][id].State {
	case "dispatched":
		want["shop.shipment.dispatched.v1"] = once
	case "cancelled":
		want["shop.shipment.cancelled.v1"] = once
	}
	return want
}

const noticeEvent = "shop.notification.sent.v1"

// checkPublished: events and rows are one to one. Of events that lie twice only one counts: the other
// is a fault of its own, or was put there on purpose.
func (b *book) checkPublished() {
	if len(b.rows["orders"]) == 0 {
		return
	}
	notices := map[string]int{}
	for id, n := range b.rows["notice"] {
		order, _, _ := strings.Cut(id, " ")
		if n.State == "sent" {
			notices[order]++
		}
	}
	published, known := map[string]map[string]int{}, map[string]bool{}
	for _, records := range b.committed {
		for i := range records {
			r := &records[i]
			if r.Mark != "" || known[r.ID] || !strings.HasPrefix(r.Type, "shop.") {
				continue
			}
			known[r.ID] = true
			if published[r.Key] == nil {
				published[r.Key] = map[string]int{}
			}
			published[r.Key][r.Type]++
		}
	}
	orders := maps.Clone(b.rows["orders"])
	for id := range published {
		orders[id] = b.rows["orders"][id]
	}
	for _, id := range slices.Sorted(maps.Keys(orders)) {
		want := b.told(id)
		if n := notices[id]; n > 0 {
			want[noticeEvent] = bound{n, n}
		}
		b.compare(id, want, published[id])
	}
}

func (b *book) compare(order string, want map[string]bound, have map[string]int) {
	for _, t := range slices.Sorted(maps.Keys(want)) {
		if n := have[t]; n < want[t].least {
			b.report.find(OutboxLost, "the tables say that %s of order %s was published %d times, on the topic it is %d times", t, order, want[t].least, n)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(have)) {
		if n := have[t]; n > want[t].most {
			b.report.find(OutboxPhantom, "%s of order %s is on the topic %d times, the tables say %d times", t, order, n, want[t].most)
		}
	}
}
