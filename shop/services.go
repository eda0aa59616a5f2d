package shop

import (
	"fmt"

	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
	"github.com/leatdev/leat/shop/shipping"
)

// Config says what the services do outside of the house. The zero value stays inside.
type Config struct {
	Payment      payment.Config
	Notification notification.Config
}

// ConfigFromEnv reads LEAT_SHOP_SMTP, the mail server that notices go to (see
// notification.NewSMTP); without it they go to the log. get is os.Getenv.
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
	return []service.Config{
		order.Service(),
		payment.Service(cfg.Payment),
		inventory.Service(),
		shipping.Service(),
		notification.Service(cfg.Notification),
	}
}
