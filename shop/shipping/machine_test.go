package shipping_test

import (
	"fmt"
	"testing"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/shipping"
)

var (
	reserved = contract.InventoryReserved{OrderID: "o1", CustomerID: "c1", Lines: []contract.Line{{SKU: "tea", Quantity: 1}}}
	request  = contract.OrderCancelRequested{OrderID: "o1", CustomerID: "c1"}
)

func TestFirstToArriveDecides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    []any
		state shipping.State
		out   string
	}{
		"dispatch":                        {[]any{reserved}, shipping.Dispatched, "contract.ShipmentDispatched"},
		"cancel":                          {[]any{request}, shipping.Cancelled, "contract.ShipmentCancelled"},
		"dispatch before cancel":          {[]any{reserved, request}, shipping.Dispatched, "contract.ShipmentDispatched"},
		"cancel before dispatch":          {[]any{request, reserved}, shipping.Cancelled, "contract.ShipmentCancelled"},
		"dispatch twice":                  {[]any{reserved, reserved}, shipping.Dispatched, "contract.ShipmentDispatched"},
		"cancel twice":                    {[]any{request, request}, shipping.Cancelled, "contract.ShipmentCancelled"},
		"cancel, dispatch, cancel":        {[]any{request, reserved, request}, shipping.Cancelled, "contract.ShipmentCancelled"},
		"dispatch, cancel, dispatch":      {[]any{reserved, request, reserved}, shipping.Dispatched, "contract.ShipmentDispatched"},
		"something else, which is no one": {[]any{contract.OrderCompleted{OrderID: "o1"}, request}, shipping.Cancelled, "contract.ShipmentCancelled"},
	} {
		var s shipping.Shipment
		var out string
		for _, in := range c.in {
			var events []any
			s, events = s.Next(in)
			for _, e := range events {
				out += fmt.Sprintf("%T", e)
			}
		}
		if s.State != c.state || out != c.out {
			t.Errorf("%s: %s, published %s", name, s.State, out)
		}
	}
}

func ExampleShipment_Next() {
	var s shipping.Shipment
	s, _ = s.Next(contract.OrderCancelRequested{OrderID: "o1"})
	s, events := s.Next(contract.InventoryReserved{OrderID: "o1"})
	fmt.Println(s.State, len(events))
	// Output: cancelled 0
}
