package shipping

import "github.com/leatdev/leat/shop/contract"

// State is where a shipment stands.
type State string

// The states of a shipment. Dispatched and Cancelled are ends, and whichever comes first stays.
const (
	None       State = ""
	Dispatched State = "dispatched"
	Cancelled  State = "cancelled"
)

// Shipment is what leaves the house for one order.
type Shipment struct {
	OrderID  string
	State    State
	Lines    []contract.Line
	Tracking string
}

// Next is what becomes of the shipment, and what the shop is told, when inventory.reserved or
// order.cancel_requested arrives, in any order and any number of times. Two topics have no mutual
// order, so this one row decides between dispatch and cancel: the first to arrive wins, and a
// cancel that is first stays as a tombstone for the goods that come later.
func (s Shipment) Next(in any) (Shipment, []any) {
	if s.State != None {
		return s, nil
	}
	switch in := in.(type) {
	case contract.InventoryReserved:
		s.OrderID, s.State, s.Lines = in.OrderID, Dispatched, in.Lines
		s.Tracking = "LEAT-" + in.OrderID
		return s, []any{contract.ShipmentDispatched{OrderID: in.OrderID, CustomerID: in.CustomerID, Lines: in.Lines, Tracking: s.Tracking}}
	case contract.OrderCancelRequested:
		s.OrderID, s.State = in.OrderID, Cancelled
		return s, []any{contract.ShipmentCancelled{OrderID: in.OrderID}}
	}
	return s, nil
}
