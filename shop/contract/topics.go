package contract

import "github.com/leatdev/leat"

// The five topics of the shop, one per service, which owns it.
var (
	Orders        = topic("shop.orders", OrderCreated{}, OrderCancelRequested{}, OrderCompleted{}, OrderCancelled{})
	Payments      = topic("shop.payments", PaymentSucceeded{}, PaymentFailed{}, PaymentRefunded{})
	Inventory     = topic("shop.inventory", InventoryReserved{}, InventoryRejected{}, InventoryReleased{})
	Shipments     = topic("shop.shipments", ShipmentDispatched{}, ShipmentCancelled{})
	Notifications = topic("shop.notifications", NotificationSent{})
)

// Topics are all topics of the shop.
func Topics() []leat.Topic {
	return []leat.Topic{Orders, Payments, Inventory, Shipments, Notifications}
}

func topic(name string, carries ...any) leat.Topic {
	return leat.Topic{Name: name, Carries: carries}
}
