package contract

import (
	"errors"
	"fmt"

	"github.com/leatdev/leat"
)

// Event is what every event of the shop can do.
type Event interface {
	leat.Named
	leat.Keyed
	// Validate reports why the payload can't be acted upon.
	Validate() error
}

// OrderCreated says that a customer placed an order.
type OrderCreated struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Items      []Item `json:"items"`
	Total      Money  `json:"total"`
}

// OrderCancelRequested says that the customer wants the order no longer; shipping decides.
type OrderCancelRequested struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
}

// OrderCompleted says that the order has ended with its goods on their way.
type OrderCompleted struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Total      Money  `json:"total"`
}

// OrderCancelled says that the order has ended without goods. Everything undone hangs on it.
type OrderCancelled struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Reason     string `json:"reason"` // "payment failed", "out of stock", "customer"
}

// PaymentSucceeded says that the gateway took the money. It carries the goods on to inventory.
type PaymentSucceeded struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Amount     Money  `json:"amount"`
	Lines      []Line `json:"lines"`
	Reference  string `json:"reference"` // the gateway's name for the charge
}

// PaymentFailed says that no money will be taken for the order.
type PaymentFailed struct {
	OrderID string `json:"order_id"`
	Reason  string `json:"reason"` // "declined", "gateway unavailable"
}

// PaymentRefunded says that the money taken for the order went back.
type PaymentRefunded struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Amount     Money  `json:"amount"`
}

// InventoryReserved says that the goods were taken out of stock for the order.
type InventoryReserved struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Lines      []Line `json:"lines"`
}

// InventoryRejected says that stock did not suffice; nothing was taken.
type InventoryRejected struct {
	OrderID string   `json:"order_id"`
	Missing []string `json:"missing"` // SKUs that were short
}

// InventoryReleased says that the goods taken for the order went back into stock.
type InventoryReleased struct {
	OrderID string `json:"order_id"`
	Lines   []Line `json:"lines"`
}

// ShipmentDispatched says that the goods left the house: the order can't be cancelled any more.
type ShipmentDispatched struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Lines      []Line `json:"lines"`
	Tracking   string `json:"tracking"`
}

// ShipmentCancelled says that the goods will never leave the house.
type ShipmentCancelled struct {
	OrderID string `json:"order_id"`
}

// NotificationSent says that the customer was told.
type NotificationSent struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Reason     string `json:"reason"`  // "completed", "cancelled", "refunded", "dispatched"
	Channel    string `json:"channel"` // "smtp", "sandbox"
}

// EventType is the contract's name.
func (OrderCreated) EventType() string { return "shop.order.created.v1" }

// EventType is the contract's name.
func (OrderCancelRequested) EventType() string { return "shop.order.cancel_requested.v1" }

// EventType is the contract's name.
func (OrderCompleted) EventType() string { return "shop.order.completed.v1" }

// EventType is the contract's name.
func (OrderCancelled) EventType() string { return "shop.order.cancelled.v1" }

// EventType is the contract's name.
func (PaymentSucceeded) EventType() string { return "shop.payment.succeeded.v1" }

// EventType is the contract's name.
func (PaymentFailed) EventType() string { return "shop.payment.failed.v1" }

// EventType is the contract's name.
func (PaymentRefunded) EventType() string { return "shop.payment.refunded.v1" }

// EventType is the contract's name.
func (InventoryReserved) EventType() string { return "shop.inventory.reserved.v1" }

// EventType is the contract's name.
func (InventoryRejected) EventType() string { return "shop.inventory.rejected.v1" }

// EventType is the contract's name.
func (InventoryReleased) EventType() string { return "shop.inventory.released.v1" }

// EventType is the contract's name.
func (ShipmentDispatched) EventType() string { return "shop.shipment.dispatched.v1" }

// EventType is the contract's name.
func (ShipmentCancelled) EventType() string { return "shop.shipment.cancelled.v1" }

// EventType is the contract's name.
func (NotificationSent) EventType() string { return "shop.notification.sent.v1" }

// EventKey is the order's id.
func (e OrderCreated) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e OrderCancelRequested) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e OrderCompleted) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e OrderCancelled) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e PaymentSucceeded) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e PaymentFailed) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e PaymentRefunded) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e InventoryReserved) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e InventoryRejected) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e InventoryReleased) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e ShipmentDispatched) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e ShipmentCancelled) EventKey() string { return e.OrderID }

// EventKey is the order's id.
func (e NotificationSent) EventKey() string { return e.OrderID }

// Validate reports what can't be acted upon.
func (e OrderCreated) Validate() error {
	return errors.Join(named(e.OrderID, e.CustomerID), goods(Lines(e.Items)), e.Total.Validate())
}

// Validate reports what can't be acted upon.
func (e OrderCancelRequested) Validate() error { return named(e.OrderID, e.CustomerID) }

// Validate reports what can't be acted upon.
func (e OrderCompleted) Validate() error {
	return errors.Join(named(e.OrderID, e.CustomerID), e.Total.Validate())
}

// Validate reports what can't be acted upon.
func (e OrderCancelled) Validate() error { return named(e.OrderID, e.CustomerID, e.Reason) }

// Validate reports what can't be acted upon.
func (e PaymentSucceeded) Validate() error {
	return errors.Join(named(e.OrderID, e.CustomerID, e.Reference), goods(e.Lines), e.Amount.Validate())
}

// Validate reports what can't be acted upon.
func (e PaymentFailed) Validate() error { return named(e.OrderID, e.Reason) }

// Validate reports what can't be acted upon.
func (e PaymentRefunded) Validate() error {
	return errors.Join(named(e.OrderID, e.CustomerID), e.Amount.Validate())
}

// Validate reports what can't be acted upon.
func (e InventoryReserved) Validate() error {
	return errors.Join(named(e.OrderID, e.CustomerID), goods(e.Lines))
}

// Validate reports what can't be acted upon.
func (e InventoryRejected) Validate() error { return named(e.OrderID, e.Missing...) }

// Validate reports what can't be acted upon.
func (e InventoryReleased) Validate() error { return errors.Join(named(e.OrderID), goods(e.Lines)) }

// Validate reports what can't be acted upon.
func (e ShipmentDispatched) Validate() error {
	return errors.Join(named(e.OrderID, e.CustomerID, e.Tracking), goods(e.Lines))
}

// Validate reports what can't be acted upon.
func (e ShipmentCancelled) Validate() error { return named(e.OrderID) }

// Validate reports what can't be acted upon.
func (e NotificationSent) Validate() error {
	if e.Reason == "" {
		return errors.Join(named(e.OrderID, e.CustomerID, e.Channel), errors.New("reason is empty"))
	}
	return named(e.OrderID, e.CustomerID, e.Reason, e.Channel)
}

// named checks the order's id, which has to be there, and further texts, which may be empty.
func named(orderID string, texts ...string) error {
	if orderID == "" {
		return errors.New("order_id is empty")
	}
	if err := ValidText(orderID); err != nil {
		return fmt.Errorf("order_id: %w", err)
	}
	for _, s := range texts {
		if err := ValidText(s); err != nil {
			return err
		}
	}
	return nil
}
