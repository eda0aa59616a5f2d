package order

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/sqldb"
)

// load reads the order as its machine sees it, and locks its row if it is to be moved. The row is
// always locked first, so that two topics that move one order at once wait and don't deadlock.
func load(ctx context.Context, tx *sqldb.Tx, id string, lock bool) (Order, error) {
	query := `select id, customer_id, total, currency, state, reason from orders where id = $1`
	if lock && tx.Dialect() == sqldb.Postgres {
		query += ` for update`
	}
	var o Order
	err := tx.QueryRow(ctx, query, id).Scan(&o.ID, &o.CustomerID, &o.Total.Amount, &o.Total.Currency, &o.State, &o.Reason)
	if err != nil {
		return Order{}, fmt.Errorf("read order %s: %w", id, err)
	}
	return o, nil
}

// store writes what changed and publishes what the shop is told.
func store(ctx context.Context, tx *outbox.Tx, was, is Order, events []any) error {
	if was != is {
		var ended int64
		if is.State.Ended() {
			ended = time.Now().UnixMicro()
		}
		if _, err := tx.Exec(ctx, `update orders set state = $2, reason = $3, ended_at = $4 where id = $1`, is.ID, is.State, is.Reason, ended); err != nil {
			return fmt.Errorf("store order %s: %w", is.ID, err)
		}
	}
	for _, e := range events {
		if err := tx.Publish(ctx, leat.With(e, leat.CorrelationID(is.ID))); err != nil {
			return err
		}
	}
	return nil
}

// placed is what place found or made.
type placed struct {
	id   string
	hash string // of the request that made it
}

// place stores the order unless its key has one already, and returns the order that the key has.
func place(ctx context.Context, tx *outbox.Tx, o Order, items []contract.Item, key, hash string) (placed, error) {
	list, err := json.Marshal(items)
	if err != nil {
		return placed{}, fmt.Errorf("encode items: %w", err)
	}
	n, err := tx.Exec(ctx, `insert into orders (id, idempotency_key, request_hash, customer_id, currency, total, items, state, placed_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (idempotency_key) do nothing`,
		o.ID, key, hash, o.CustomerID, o.Total.Currency, o.Total.Amount, string(list), Placed, time.Now().UnixMicro())
	if err != nil {
		return placed{}, fmt.Errorf("store order: %w", err)
	}
	if n == 1 {
		created := contract.OrderCreated{OrderID: o.ID, CustomerID: o.CustomerID, Items: items, Total: o.Total}
		return placed{o.ID, hash}, tx.Publish(ctx, leat.With(created, leat.CorrelationID(o.ID)))
	}
	var p placed
	if err := tx.QueryRow(ctx, `select id, request_hash from orders where idempotency_key = $1`, key).Scan(&p.id, &p.hash); err != nil {
		return placed{}, fmt.Errorf("read the order of the idempotency key: %w", err)
	}
	return p, nil
}

// View is an order as HTTP shows it.
type View struct {
	OrderID    string          `json:"order_id"`
	CustomerID string          `json:"customer_id"`
	State      State           `json:"state"`
	Reason     string          `json:"reason,omitempty"`
	Total      contract.Money  `json:"total"`
	Items      []contract.Item `json:"items"`
	PlacedAt   time.Time       `json:"placed_at"`
	EndedAt    *time.Time      `json:"ended_at,omitempty"`
}

const viewColumns = `id, customer_id, state, reason, total, currency, items, placed_at, ended_at`

// scanner is a row to read from.
type scanner interface{ Scan(dest ...any) error }

func scanView(row scanner) (View, error) {
	var v View
	var items string
	var placedAt, endedAt int64
	if err := row.Scan(&v.OrderID, &v.CustomerID, &v.State, &v.Reason, &v.Total.Amount, &v.Total.Currency, &items, &placedAt, &endedAt); err != nil {
		return View{}, fmt.Errorf("read order: %w", err)
	}
	if err := json.Unmarshal([]byte(items), &v.Items); err != nil {
		return View{}, fmt.Errorf("read items of order %s: %w", v.OrderID, err)
	}
	v.PlacedAt = time.UnixMicro(placedAt).UTC()
	if endedAt != 0 {
		at := time.UnixMicro(endedAt).UTC()
		v.EndedAt = &at
	}
	return v, nil
}

// filter is what a listing asks for; empty members ask for nothing.
type filter struct {
	customer, state, after string
	limit                  int
}

func list(ctx context.Context, tx *sqldb.Tx, f filter) ([]View, error) {
	query, args := `select `+viewColumns+` from orders where id > $1`, []any{f.after}
	if f.customer != "" {
		args = append(args, f.customer)
		query += fmt.Sprintf(` and customer_id = $%d`, len(args))
	}
	if f.state != "" {
		args = append(args, f.state)
		query += fmt.Sprintf(` and state = $%d`, len(args))
	}
	args = append(args, f.limit+1)
	query += fmt.Sprintf(` order by id limit $%d`, len(args))
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	defer rows.Close()
	var views []View
	for rows.Next() {
		v, err := scanView(rows)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, rows.Err()
}
