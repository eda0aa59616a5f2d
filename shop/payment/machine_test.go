package payment_test

import (
	"fmt"
	"testing"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/payment"
)

var (
	created   = contract.OrderCreated{OrderID: "o1", CustomerID: "c1", Items: []contract.Item{{SKU: "tea", Quantity: 1, UnitPrice: 5}}, Total: contract.Money{Amount: 5, Currency: "EUR"}}
	cancelled = contract.OrderCancelled{OrderID: "o1", CustomerID: "c1"}
	captured  = payment.Captured{Reference: "g1"}
	refused   = payment.Declined{Reason: "declined"}
	gaveUp    = payment.GaveUp{}
	returned  = payment.Returned{}
)

func TestNext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    []any
		state payment.State
		out   []any
	}{
		"charge":                        {[]any{created, captured}, payment.Charged, []any{contract.PaymentSucceeded{}}},
		"decline":                       {[]any{created, refused}, payment.Failed, []any{contract.PaymentFailed{}}},
		"give up, and void the key":     {[]any{created, gaveUp, returned}, payment.Voided, []any{contract.PaymentFailed{}}},
		"refund":                        {[]any{created, captured, cancelled, returned}, payment.Refunded, []any{contract.PaymentSucceeded{}, contract.PaymentRefunded{}}},
		"refund once":                   {[]any{created, captured, cancelled, returned, cancelled, returned}, payment.Refunded, []any{contract.PaymentSucceeded{}, contract.PaymentRefunded{}}},
		"tombstone":                     {[]any{cancelled, created}, payment.Voided, nil},
		"tombstone, then a late answer": {[]any{cancelled, created, captured}, payment.Voided, nil},
		"cancel under way, late money":  {[]any{created, cancelled, captured, returned}, payment.Voided, nil},
		"cancel under way, late no":     {[]any{created, cancelled, refused, returned}, payment.Voided, nil},
		"cancel after decline":          {[]any{created, refused, cancelled}, payment.Failed, []any{contract.PaymentFailed{}}},
		"cancel after giving up":        {[]any{created, gaveUp, cancelled, returned}, payment.Voided, []any{contract.PaymentFailed{}}},
		"money after giving up":         {[]any{created, gaveUp, captured, returned}, payment.Voided, []any{contract.PaymentFailed{}}},
		"created twice":                 {[]any{created, captured, created}, payment.Charged, []any{contract.PaymentSucceeded{}}},
		"answer out of nowhere":         {[]any{captured, returned}, payment.None, nil},
	} {
		var got payment.Charge
		var out []any
		for _, in := range c.in {
			var events []any
			got, events = got.Next(in)
			out = append(out, events...)
		}
		if got.State != c.state || types(out) != types(c.out) {
			t.Errorf("%s: %s after %s, want %s after %s", name, got.State, types(out), c.state, types(c.out))
		}
	}
}

func types(events []any) (s string) {
	for _, e := range events {
		s += fmt.Sprintf("%T ", e)
	}
	return s
}

// Every sequence of inputs, likely or not: at most one success, one failure, one refund; no refund
// without a success, no success beside a failure; and after a cancel no charge stays.
func TestEveryOrderOfArrivalKeepsTheRules(t *testing.T) {
	t.Parallel()
	inputs := []any{created, cancelled, captured, refused, gaveUp, returned}
	var walk func(c payment.Charge, depth int, out []any, wasCancelled bool)
	walk = func(c payment.Charge, depth int, out []any, wasCancelled bool) {
		n := map[string]int{}
		for _, e := range out {
			n[fmt.Sprintf("%T", e)]++
		}
		succeeded, failed, refunded := n["contract.PaymentSucceeded"], n["contract.PaymentFailed"], n["contract.PaymentRefunded"]
		if succeeded+failed > 1 || refunded > succeeded {
			t.Fatalf("published %s", types(out))
		}
		if wasCancelled && (c.State == payment.Charged || c.State == payment.Pending || c.State == payment.None) {
			t.Fatalf("cancelled and still %q after %s", c.State, types(out))
		}
		if depth == 0 {
			return
		}
		for _, in := range inputs {
			next, events := c.Next(in)
			_, is := in.(contract.OrderCancelled)
			walk(next, depth-1, append(out[:len(out):len(out)], events...), wasCancelled || is)
		}
	}
	walk(payment.Charge{}, 6, nil, false)
}

func ExampleCharge_Next() {
	var c payment.Charge
	c, _ = c.Next(contract.OrderCancelled{OrderID: "o1"}) // it came first
	c, events := c.Next(contract.OrderCreated{OrderID: "o1"})
	fmt.Println(c.State, len(events))
	// Output: voided 0
}
