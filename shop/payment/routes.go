package payment

import (
	"net/http"

	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

// View is a charge as HTTP shows it, beside the gateway's books.
type View struct {
	OrderID  string         `json:"order_id"`
	State    State          `json:"state"`
	Amount   contract.Money `json:"amount"`
	Captured int64          `json:"captured"` // how often the gateway took the amount
	Returned int64          `json:"returned"` // how often it gave the amount back
}

func routes(s *service.Service) service.Routes {
	return ledger.Routes(s, service.Routes{
		"GET /charges": api.Handle(s.Logger(), func(w http.ResponseWriter, r *http.Request) error {
			return api.List(s, w, r, `select c.order_id, c.state, c.amount, c.currency, coalesce(s.captured, 0), coalesce(s.returned, 0)
				from charge c left join sandbox s on s.key = c.order_id where c.order_id > $1 order by c.order_id limit $2`,
				func(rows *sqldb.Rows) (v View, err error) {
					return v, rows.Scan(&v.OrderID, &v.State, &v.Amount.Amount, &v.Amount.Currency, &v.Captured, &v.Returned)
				}, func(v View) string { return v.OrderID })
		}),
	}, "charge")
}
