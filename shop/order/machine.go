package order

import "github.com/leatdev/leat/shop/contract"

// State is where an order stands.
type State string

// The states of an order. Completed and Cancelled are the ends.
const (
	Placed     State = "placed"
	Cancelling State = "cancelling" // the customer asked; shipping decides
	Completed  State = "completed"
	Cancelled  State = "cancelled"
)

// Ended says whether nothing can change the order any more.
func (s State) Ended() bool { return s == Completed || s == Cancelled }

// Why orders are cancelled.
const (
	ReasonPayment  = "payment failed"
	ReasonStock    = "out of stock"
	ReasonCustomer = "customer"
)

// Order is one order as its machine sees it.
type Order struct {
	ID         string
	CustomerID string
	Total      contract.Money
	State      State
	Reason     string // of a cancellation
}

// CancelRequest is the customer's wish to have the order no longer.
type CancelRequest struct{}

// Next is what becomes of the order, and what the shop is told, when in arrives: CancelRequest or
// one of the four events that the service takes. Once ended an order stays as it is, so repeats and
// latecomers change nothing.
func (o Order) Next(in any) (Order, []any) {
	if o.State.Ended() {
		return o, nil
	}
	switch in.(type) {
	case CancelRequest:
		if o.State == Cancelling {
			return o, nil
		}
		o.State = Cancelling
		return o, []any{contract.OrderCancelRequested{OrderID: o.ID, CustomerID: o.CustomerID}}
	case contract.ShipmentDispatched:
		o.State = Completed
		return o, []any{contract.OrderCompleted{OrderID: o.ID, CustomerID: o.CustomerID, Total: o.Total}}
	case contract.PaymentFailed:
		return o.cancelled(ReasonPayment)
	case contract.InventoryRejected:
		return o.cancelled(ReasonStock)
	case contract.ShipmentCancelled:
		return o.cancelled(ReasonCustomer)
	}
	return o, nil
}

func (o Order) cancelled(reason string) (Order, []any) {
	o.State, o.Reason = Cancelled, reason
	return o, []any{contract.OrderCancelled{OrderID: o.ID, CustomerID: o.CustomerID, Reason: reason}}
}
