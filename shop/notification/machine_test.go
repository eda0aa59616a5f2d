package notification_test

import (
	"fmt"
	"testing"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/notification"
)

func TestEveryReasonStandsForItself(t *testing.T) {
	t.Parallel()
	eur := contract.Money{Amount: 5, Currency: "EUR"}
	for want, in := range map[string]any{
		notification.ReasonCompleted:  contract.OrderCompleted{OrderID: "o1", CustomerID: "c1", Total: eur},
		notification.ReasonCancelled:  contract.OrderCancelled{OrderID: "o1", CustomerID: "c1", Reason: "customer"},
		notification.ReasonRefunded:   contract.PaymentRefunded{OrderID: "o1", CustomerID: "c1", Amount: eur},
		notification.ReasonDispatched: contract.ShipmentDispatched{OrderID: "o1", CustomerID: "c1", Tracking: "t1"},
	} {
		n, ok := notification.Of(in)
		if !ok || n.Reason != want || n.OrderID != "o1" || n.CustomerID != "c1" || n.Subject == "" || n.Text == "" {
			t.Errorf("%T: %+v %v", in, n, ok)
		}
	}
	if n, ok := notification.Of(contract.OrderCreated{OrderID: "o1"}); ok {
		t.Errorf("an order that was placed calls for %+v", n)
	}
}

func ExampleOf() {
	n, _ := notification.Of(contract.OrderCancelled{OrderID: "o1", Reason: "out of stock"})
	fmt.Println(n.Text)
	// Output: Your order o1 is cancelled: out of stock.
}
