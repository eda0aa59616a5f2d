package payment

import "github.com/leatdev/leat/shop/contract"

// State is where a charge stands.
type State string

// The states of a charge. The gateway is still owed a call in Pending, Refunding and Voiding; the
// others are ends, except that Charged may be refunded.
const (
	None      State = ""
	Pending   State = "pending"   // the gateway is asked to take the money
	Charged   State = "charged"   // it has
	Failed    State = "failed"    // it declined
	Refunding State = "refunding" // it is asked to give the money back
	Refunded  State = "refunded"  // it has
	Voiding   State = "voiding"   // it is asked to undo whatever the charge's key has done, and to do nothing more
	Voided    State = "voided"    // it has, or was never asked for anything
)

// Open says whether the gateway is still owed a call.
func (s State) Open() bool { return s == Pending || s == Refunding || s == Voiding }

// Charge is the payment of one order.
type Charge struct {
	OrderID    string
	CustomerID string
	Amount     contract.Money
	Lines      []contract.Line // carried on to inventory
	State      State
	Reference  string // the gateway's name for the money it took
}

// What the gateway, or giving up on it, ends a call with.
type (
	// Captured says that the gateway took the money.
	Captured struct{ Reference string }
	// Declined says that the gateway will not take the money.
	Declined struct{ Reason string }
	// GaveUp says that the attempts at taking the money are used up, and that nobody knows whether
	// one of them took it.
	GaveUp struct{}
	// Returned says that a refund or a void is done: the gateway holds no money of this charge.
	Returned struct{}
)

// Why payments fail when the gateway did not say.
const reasonUnavailable = "gateway unavailable"

// Next is what becomes of the charge, and what the shop is told, when in arrives: order.created,
// order.cancelled or one of the gateway's outcomes, in any order and any number of times. A refund
// hangs on order.cancelled and on the state, so it happens once per charge however many triggers
// there are.
func (c Charge) Next(in any) (Charge, []any) {
	switch in := in.(type) {
	case contract.OrderCreated:
		if c.State != None {
			return c, nil
		}
		c.OrderID, c.CustomerID = in.OrderID, in.CustomerID
		c.Amount, c.Lines = in.Total, contract.Lines(in.Items)
		c.State = Pending
	case contract.OrderCancelled:
		return c.cancelled(in), nil
	case Captured, Declined, GaveUp:
		return c.answered(in)
	case Returned:
		switch c.State {
		case Refunding:
			c.State = Refunded
			return c, []any{contract.PaymentRefunded{OrderID: c.OrderID, CustomerID: c.CustomerID, Amount: c.Amount}}
		case Voiding:
			c.State = Voided
		}
	}
	return c, nil
}

// cancelled undoes what there is to undo. A call may be under way while the charge is pending, so
// only the gateway can say what it did: it is told to void the key.
func (c Charge) cancelled(in contract.OrderCancelled) Charge {
	switch c.State {
	case None: // a tombstone: order.created is still to come and must not charge
		c.OrderID, c.CustomerID, c.State = in.OrderID, in.CustomerID, Voided
	case Pending:
		c.State = Voiding
	case Charged:
		c.State = Refunding
	}
	return c
}

// answered ends a call that was to take the money. If the charge is no longer pending the answer is
// late: the void that is under way gives back what was taken.
func (c Charge) answered(in any) (Charge, []any) {
	if c.State != Pending {
		return c, nil
	}
	switch in := in.(type) {
	case Captured:
		c.State, c.Reference = Charged, in.Reference
		return c, []any{contract.PaymentSucceeded{
			OrderID: c.OrderID, CustomerID: c.CustomerID, Amount: c.Amount, Lines: c.Lines, Reference: c.Reference,
		}}
	case Declined:
		c.State = Failed
		return c, []any{contract.PaymentFailed{OrderID: c.OrderID, Reason: in.Reason}}
	default: // GaveUp
		c.State = Voiding
		return c, []any{contract.PaymentFailed{OrderID: c.OrderID, Reason: reasonUnavailable}}
	}
}
