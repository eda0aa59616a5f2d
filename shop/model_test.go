package shop_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
	"github.com/leatdev/leat/shop/shipping"
)

// The whole choreography of one order as a value: four machines, four topics with a position per
// group, a gateway and a customer. Every interleaving of its steps is walked through.
type world struct {
	order    order.Order
	charge   payment.Charge
	goods    inventory.Reservation
	shipment shipping.Shipment

	topics  [4][]any // by topicOrders...
	read    [8]int   // by the index of a subscription
	stock   int64    // pieces of the one article
	gateway gateway  // outside of the shop
	repeats int      // deliveries of what was delivered before that are still allowed
	asked   bool     // the customer has asked to cancel
	ends    [2]int   // completed and cancelled, as published
}

type gateway struct {
	held, voided bool
	answer       bool // an answer to a capture is on its way
	returns      int
}

const (
	topicOrders = iota
	topicPayments
	topicInventory
	topicShipments
)

var subscriptions = []struct {
	group string
	topic int
}{
	{"order", topicPayments},
	{"order", topicInventory},
	{"order", topicShipments},
	{"payment", topicOrders},
	{"inventory", topicOrders},
	{"inventory", topicPayments},
	{"shipping", topicOrders},
	{"shipping", topicInventory},
}

func TestEveryInterleavingEndsBalanced(t *testing.T) {
	t.Parallel()
	for name, stock := range map[string]int64{"enough stock": 5, "too little stock": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := []contract.Item{{SKU: "tea", Quantity: 2, UnitPrice: 999}}
			total, _ := contract.Total(items, "EUR")
			w := world{order: order.Order{ID: "o1", CustomerID: "c1", Total: total, State: order.Placed}, stock: stock, repeats: 1}
			w.topics[topicOrders] = []any{contract.OrderCreated{OrderID: "o1", CustomerID: "c1", Items: items, Total: total}}
			seen, ends := map[string]bool{}, map[string]int{}
			walk(t, w, stock, seen, ends, nil)
			t.Logf("%d worlds, ends: %v", len(seen), ends)
			if stock == 5 && ends["completed"] == 0 || ends["cancelled"] == 0 {
				t.Errorf("some end was never reached: %v", ends)
			}
		})
	}
}

func walk(t *testing.T, w world, stock int64, seen map[string]bool, ends map[string]int, path []string) {
	key := fmt.Sprintf("%#v", w)
	if seen[key] || t.Failed() {
		return
	}
	seen[key] = true
	moved := false
	step := func(name string, next world, progress bool) {
		moved = moved || progress
		walk(t, next, stock, seen, ends, append(slices.Clone(path), name))
	}
	if w.stock < 0 {
		t.Fatalf("stock is %d after %v", w.stock, path)
	}
	for i, s := range subscriptions {
		if at := w.read[i]; at < len(w.topics[s.topic]) {
			next := w
			next.read[i]++
			e := w.topics[s.topic][at]
			step(fmt.Sprintf("%s reads %T", s.group, e), deliver(next, s.group, e), true)
		}
		if w.repeats > 0 && w.read[i] > 0 {
			next := w
			next.repeats--
			for _, e := range w.topics[s.topic][:w.read[i]] {
				step(fmt.Sprintf("%s reads %T again", s.group, e), deliver(next, s.group, e), false)
			}
		}
	}
	for name, next := range gatewaySteps(w) {
		step(name, next, true)
	}
	if !w.asked && !w.order.State.Ended() {
		next := w
		next.asked = true
		step("the customer cancels", orderTakes(next, order.CancelRequest{}), false)
	}
	if !moved {
		checkEnd(t, w, stock, path)
		ends[string(w.order.State)]++
	}
}

// deliver hands an event to a group: types that it does not take are passed over.
func deliver(w world, group string, e any) world {
	switch group {
	case "order":
		return orderTakes(w, e)
	case "payment":
		return paymentTakes(w, e)
	case "inventory":
		var moves []inventory.Move
		var out []any
		w.goods, moves, out = w.goods.Next(e, map[string]int64{"tea": w.stock})
		for _, m := range moves {
			w.stock += m.Delta
		}
		return publish(w, topicInventory, out)
	default:
		var out []any
		w.shipment, out = w.shipment.Next(e)
		return publish(w, topicShipments, out)
	}
}

func orderTakes(w world, in any) world {
	var out []any
	w.order, out = w.order.Next(in)
	for _, e := range out {
		switch e.(type) {
		case contract.OrderCompleted:
			w.ends[0]++
		case contract.OrderCancelled:
			w.ends[1]++
		}
	}
	return publish(w, topicOrders, out)
}

func paymentTakes(w world, in any) world {
	var out []any
	w.charge, out = w.charge.Next(in)
	return publish(w, topicPayments, out)
}

func publish(w world, topic int, events []any) world {
	w.topics[topic] = append(slices.Clone(w.topics[topic]), events...)
	return w
}

// gatewaySteps are what can happen between the payment service and the gateway: a capture takes
// effect, and apart from that its answer arrives, late or never; refunds and voids do both at once
// because they are tried until they are answered.
func gatewaySteps(w world) map[string]world {
	steps := map[string]world{}
	pending, voiding := w.charge.State == payment.Pending, w.charge.State == payment.Voiding
	if (pending || voiding) && !w.gateway.held && !w.gateway.voided {
		next := w
		next.gateway.held, next.gateway.answer = true, true
		if pending {
			steps["the gateway takes the money"] = next
		}
	}
	if w.gateway.answer {
		next := w
		next.gateway.answer = false
		steps["the gateway's answer arrives"] = paymentTakes(next, payment.Captured{Reference: "g1"})
	}
	if pending {
		steps["the attempts are used up"] = paymentTakes(w, payment.GaveUp{})
		if !w.gateway.held {
			steps["the gateway declines"] = paymentTakes(w, payment.Declined{Reason: "declined"})
		}
	}
	if voiding || w.charge.State == payment.Refunding {
		next := w
		if next.gateway.held && next.gateway.returns == 0 {
			next.gateway.returns++
		}
		next.gateway.voided = true
		steps["the gateway gives back"] = paymentTakes(next, payment.Returned{})
	}
	return steps
}

func checkEnd(t *testing.T, w world, stock int64, path []string) {
	t.Helper()
	money := w.gateway.held && w.gateway.returns == 0
	taken := stock - w.stock
	switch w.order.State {
	case order.Completed:
		if w.ends != [2]int{1, 0} || !money || taken != 2 || w.shipment.State != shipping.Dispatched || w.charge.State != payment.Charged {
			t.Fatalf("completed, but money %v, taken %d, shipment %s, charge %s, ends %v after\n%q", money, taken, w.shipment.State, w.charge.State, w.ends, path)
		}
	case order.Cancelled:
		if w.ends != [2]int{0, 1} || money || taken != 0 || w.shipment.State == shipping.Dispatched || w.charge.State.Open() {
			t.Fatalf("cancelled, but money %v, taken %d, shipment %s, charge %s, ends %v after\n%q", money, taken, w.shipment.State, w.charge.State, w.ends, path)
		}
	default:
		t.Fatalf("nothing can happen any more and the order is %s after\n%q", w.order.State, path)
	}
}
