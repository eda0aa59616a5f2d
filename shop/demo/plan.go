package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
)

// trouble is what an order meets. The first group says how the order has to end, the second meets
// the shop beside it.
type trouble string

const (
	noTrouble trouble = ""

	declined trouble = "declined payment"
	flaky    trouble = "failing gateway"
	hanging  trouble = "hanging gateway"
	dead     trouble = "dead gateway"
	soldOut  trouble = "sold out"
	scarce   trouble = "scarce article"
	cancel   trouble = "cancel"
	mailbox  trouble = "full mailbox"

	badRequest    trouble = "bad request"
	repeatRequest trouble = "request sent twice"
	badBytes      trouble = "random bytes"
	badJSON       trouble = "wrong JSON"
	badHeaders    trouble = "missing headers"
	badEnvelope   trouble = "broken envelope"
	unknownType   trouble = "unknown type"
	repeatEvent   trouble = "event sent twice"
)

// troubles are drawn from with equal chances.
var troubles = []trouble{
	declined, flaky, hanging, dead, soldOut, scarce, cancel, cancel, cancel, mailbox,
	badRequest, repeatRequest, badBytes, badJSON, badHeaders, badEnvelope, unknownType, repeatEvent, repeatEvent,
}

const (
	articles      = 20
	skuScarce     = "last-pieces"
	skuSoldOut    = "sold-out"
	plentyOfStock = 1_000_000_000
	scarceStock   = 5
	customers     = 50
)

// stock is what the shop has to begin with.
func stock() map[string]int64 {
	s := map[string]int64{skuScarce: scarceStock, skuSoldOut: 0}
	for i := range articles {
		s[sku(i)] = plentyOfStock
	}
	return s
}

func sku(i int) string { return fmt.Sprintf("article-%02d", i) }

// source is the randomness of one order and one purpose: the same in every run.
func source(seed uint64, n int, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(n)<<8|purpose)) //nolint:gosec // a simulation has to repeat
}

// Purposes of randomness.
const (
	forTrouble = iota
	forBasket
	forMoment
	forRecord
)

// draw is what order n meets.
func draw(seed uint64, n int, percent float64) trouble {
	r := source(seed, n, forTrouble)
	if r.Float64()*100 >= percent {
		return noTrouble
	}
	return troubles[r.IntN(len(troubles))]
}

// request is order n.
func request(seed uint64, n int, t trouble) order.Request {
	r := source(seed, n, forBasket)
	req := order.Request{CustomerID: fmt.Sprintf("customer-%02d", r.IntN(customers)), Currency: "EUR"}
	if r.IntN(10) == 0 {
		req.Currency = "USD"
	}
	for range 1 + r.IntN(3) {
		req.Items = append(req.Items, contract.Item{SKU: sku(r.IntN(articles)), Quantity: 1 + r.Int64N(4), UnitPrice: 100 + r.Int64N(9_900)})
	}
	switch t {
	case declined:
		req.CustomerID = payment.CustomerDeclined + req.CustomerID
	case flaky:
		req.CustomerID = payment.CustomerFlaky + req.CustomerID
	case hanging:
		req.CustomerID = payment.CustomerHanging + req.CustomerID
	case dead:
		req.CustomerID = payment.CustomerDead + req.CustomerID
	case mailbox:
		req.CustomerID = notification.CustomerFull + req.CustomerID
	case soldOut:
		req.Items = append(req.Items, contract.Item{SKU: skuSoldOut, Quantity: 1, UnitPrice: 500})
	case scarce:
		req.Items = append(req.Items, contract.Item{SKU: skuScarce, Quantity: 1, UnitPrice: 500})
	}
	return req
}

// moment is how long after its placing order n is cancelled: at once, or while it is under way.
func moment(seed uint64, n int) time.Duration {
	r := source(seed, n, forMoment)
	if r.IntN(3) == 0 {
		return 0
	}
	return time.Duration(r.Int64N(int64(150 * time.Millisecond)))
}

// outcome is how an order that met t may end: which states, and for which reason if cancelled.
func (t trouble) outcome() (completed bool, reason string) {
	switch t {
	case declined, dead:
		return false, order.ReasonPayment
	case soldOut:
		return false, order.ReasonStock
	case scarce:
		return true, order.ReasonStock
	case cancel:
		return true, order.ReasonCustomer
	}
	return true, ""
}
