package shop

import (
	"cmp"
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
	"github.com/leatdev/leat/shop/shipping"
)

// Config says what the services do outside of the house. The zero value stays inside.
type Config struct {
	// Encoding is how the events are written; "": leat.Avro, through the host's schema registry.
	Encoding leat.Encoding

	Payment      payment.Config
	Notification notification.Config
}

// ConfigFromEnv reads LEAT_SHOP_SMTP, the mail server that notices go to (see
// notification.NewSMTP); without it they go nowhere. get is os.Getenv.
func ConfigFromEnv(get func(string) string) (Config, error) {
	var cfg Config
	if url := get("LEAT_SHOP_SMTP"); url != "" {
		sender, err := notification.NewSMTP(url)
		if err != nil {
			return cfg, fmt.Errorf("read LEAT_SHOP_SMTP: %w", err)
		}
		cfg.Notification.Sender = sender
	}
	return cfg, nil
}

// Services are the services of the shop in the order in which an order meets them.
func Services(cfg Config) []service.Config {
	services := []service.Config{
		order.Service(),
		payment.Service(cfg.Payment),
		inventory.Service(),
		shipping.Service(),
		notification.Service(cfg.Notification),
	}
	for i := range services {
		services[i].Encoding = cmp.Or(cfg.Encoding, leat.Avro)
	}
	return services
}
