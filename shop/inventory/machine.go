package inventory

import "github.com/leatdev/leat/shop/contract"

// State is where an order's reservation stands.
type State string

// The states of a reservation.
const (
	None     State = ""
	Reserved State = "reserved" // the goods are out of stock
	Rejected State = "rejected" // stock did not suffice
	Released State = "released" // the goods are back
	Voided   State = "voided"   // cancelled before it was paid: nothing was or will be taken
)

// Reservation is what was taken out of stock for one order.
type Reservation struct {
	OrderID string
	State   State
	Lines   []contract.Line
}

// Move changes the stock of one article.
type Move struct {
	SKU   string
	Delta int64 // negative: out of stock
}

// Next is what becomes of the reservation, how stock moves and what the shop is told when
// payment.succeeded or order.cancelled arrives, in any order and any number of times. available is
// the stock of the articles of a payment; an article that it does not name has none.
func (r Reservation) Next(in any, available map[string]int64) (Reservation, []Move, []any) {
	switch in := in.(type) {
	case contract.PaymentSucceeded:
		if r.State != None {
			return r, nil, nil
		}
		return r.reserve(in, available)
	case contract.OrderCancelled:
		switch r.State {
		case None:
			r.OrderID, r.State = in.OrderID, Voided
		case Reserved:
			r.State = Released
			return r, moves(r.Lines, +1), []any{contract.InventoryReleased{OrderID: r.OrderID, Lines: r.Lines}}
		}
	}
	return r, nil, nil
}

// reserve takes all of the goods or none.
func (r Reservation) reserve(in contract.PaymentSucceeded, available map[string]int64) (Reservation, []Move, []any) {
	r.OrderID, r.Lines = in.OrderID, in.Lines
	var missing []string
	for _, l := range in.Lines {
		if available[l.SKU] < l.Quantity {
			missing = append(missing, l.SKU)
		}
	}
	if missing != nil {
		r.State = Rejected
		return r, nil, []any{contract.InventoryRejected{OrderID: in.OrderID, Missing: missing}}
	}
	r.State = Reserved
	return r, moves(in.Lines, -1), []any{contract.InventoryReserved{OrderID: in.OrderID, CustomerID: in.CustomerID, Lines: in.Lines}}
}

func moves(lines []contract.Line, sign int64) []Move {
	out := make([]Move, len(lines))
	for i, l := range lines {
		out[i] = Move{l.SKU, sign * l.Quantity}
	}
	return out
}
