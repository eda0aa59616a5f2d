package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/sqldb"
)

// move takes an event to the reservation of an order, moves stock and publishes what the shop is
// told. Locks are taken in one order everywhere: the order's row first, then articles by name.
func move(ctx context.Context, tx *outbox.Tx, orderID string, in any) (Reservation, error) {
	was, err := load(ctx, tx.Tx, orderID)
	if err != nil {
		return Reservation{}, err
	}
	available := map[string]int64{}
	if paid, ok := in.(contract.PaymentSucceeded); ok && was.State == None {
		if available, err = lockStock(ctx, tx.Tx, paid.Lines); err != nil {
			return Reservation{}, err
		}
	}
	next, moves, events := was.Next(in, available)
	if next.State == was.State {
		return next, nil
	}
	lines, err := json.Marshal(next.Lines)
	if err != nil {
		return Reservation{}, fmt.Errorf("encode lines: %w", err)
	}
	if _, err := tx.Exec(ctx, `update reservation set state = $2, lines = $3 where order_id = $1`, orderID, next.State, string(lines)); err != nil {
		return Reservation{}, fmt.Errorf("store reservation %s: %w", orderID, err)
	}
	if err := apply(ctx, tx.Tx, moves); err != nil {
		return Reservation{}, err
	}
	return next, tx.Publish(ctx, events...)
}

// load reads and locks the reservation of an order, which begins as a row without a state.
func load(ctx context.Context, tx *sqldb.Tx, orderID string) (Reservation, error) {
	_, err := tx.Exec(ctx, `insert into reservation (order_id, state, lines) values ($1, '', 'null') on conflict (order_id) do nothing`, orderID)
	if err != nil {
		return Reservation{}, fmt.Errorf("open reservation %s: %w", orderID, err)
	}
	r := Reservation{OrderID: orderID}
	var lines string
	if err := tx.QueryRow(ctx, `select state, lines from reservation where order_id = $1`+lock(tx), orderID).Scan(&r.State, &lines); err != nil {
		return Reservation{}, fmt.Errorf("read reservation %s: %w", orderID, err)
	}
	if err := json.Unmarshal([]byte(lines), &r.Lines); err != nil {
		return Reservation{}, fmt.Errorf("read lines of reservation %s: %w", orderID, err)
	}
	return r, nil
}

// lock is how a row is locked; on SQLite the transaction itself is the lock.
func lock(tx *sqldb.Tx) string {
	if tx.Dialect() == sqldb.Postgres {
		return ` for update`
	}
	return ""
}

// lockStock reads and locks the stock of the articles.
func lockStock(ctx context.Context, tx *sqldb.Tx, lines []contract.Line) (map[string]int64, error) {
	skus := make([]string, len(lines))
	for i, l := range lines {
		skus[i] = l.SKU
	}
	slices.Sort(skus)
	available := make(map[string]int64, len(skus))
	for _, sku := range slices.Compact(skus) {
		var n int64
		err := tx.QueryRow(ctx, `select available from stock where sku = $1`+lock(tx), sku).Scan(&n)
		if errors.Is(err, sqldb.ErrNoRows) {
			continue // an article that was never counted
		}
		if err != nil {
			return nil, fmt.Errorf("read stock of %s: %w", sku, err)
		}
		available[sku] = n
	}
	return available, nil
}

func apply(ctx context.Context, tx *sqldb.Tx, moves []Move) error {
	moves = slices.Clone(moves)
	slices.SortFunc(moves, func(a, b Move) int { return strings.Compare(a.SKU, b.SKU) })
	for _, m := range moves {
		if _, err := tx.Exec(ctx, `update stock set available = available + $2, taken = taken - $2 where sku = $1`, m.SKU, m.Delta); err != nil {
			return fmt.Errorf("move stock of %s: %w", m.SKU, err)
		}
	}
	return nil
}

// Article is the stock of one article.
type Article struct {
	SKU       string `json:"sku"`
	Available int64  `json:"available"` // pieces for sale
	Taken     int64  `json:"taken"`     // pieces that orders hold or have got
	Counted   int64  `json:"counted"`   // available + taken
}

// count sets how many pieces of an article are for sale now.
func count(ctx context.Context, tx *sqldb.Tx, sku string, quantity int64) (Article, error) {
	_, err := tx.Exec(ctx, `insert into stock (sku, available, taken, counted) values ($1, 0, 0, 0) on conflict (sku) do nothing`, sku)
	if err != nil {
		return Article{}, fmt.Errorf("open stock of %s: %w", sku, err)
	}
	a := Article{SKU: sku}
	err = tx.QueryRow(ctx, `update stock set counted = counted + $2 - available, available = $2 where sku = $1 returning available, taken, counted`, sku, quantity).
		Scan(&a.Available, &a.Taken, &a.Counted)
	if err != nil {
		return Article{}, fmt.Errorf("count stock of %s: %w", sku, err)
	}
	return a, nil
}
