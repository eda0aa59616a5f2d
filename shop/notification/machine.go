package notification

import (
	"fmt"

	"github.com/leatdev/leat/shop/contract"
)

// Why a customer is told something; each at most once per order.
const (
	ReasonCompleted  = "completed"
	ReasonCancelled  = "cancelled"
	ReasonRefunded   = "refunded"
	ReasonDispatched = "dispatched"
)

// Notice is what one customer is told about one order.
type Notice struct {
	OrderID    string
	CustomerID string
	Reason     string
	Subject    string
	Text       string
	Attempt    int64 // to send it, from 1; what comes back from the park topic goes on counting
}

// Of is the notice that an event calls for; ok is false where it calls for none. The order of
// arrival does not matter: each reason stands for itself.
func Of(in any) (n Notice, ok bool) {
	switch e := in.(type) {
	case contract.OrderCompleted:
		return Notice{
			OrderID: e.OrderID, CustomerID: e.CustomerID, Reason: ReasonCompleted,
			Subject: "Your order is complete", Text: fmt.Sprintf("Your order %s is complete. It cost %v.", e.OrderID, e.Total),
		}, true
	case contract.OrderCancelled:
		return Notice{
			OrderID: e.OrderID, CustomerID: e.CustomerID, Reason: ReasonCancelled,
			Subject: "Your order is cancelled", Text: fmt.Sprintf("Your order %s is cancelled: %s.", e.OrderID, e.Reason),
		}, true
	case contract.PaymentRefunded:
		return Notice{
			OrderID: e.OrderID, CustomerID: e.CustomerID, Reason: ReasonRefunded,
			Subject: "Your money is on its way back", Text: fmt.Sprintf("You get %v back for your order %s.", e.Amount, e.OrderID),
		}, true
	case contract.ShipmentDispatched:
		return Notice{
			OrderID: e.OrderID, CustomerID: e.CustomerID, Reason: ReasonDispatched,
			Subject: "Your order is on its way", Text: fmt.Sprintf("Your order %s has left our house. Tracking: %s.", e.OrderID, e.Tracking),
		}, true
	}
	return Notice{}, false
}
