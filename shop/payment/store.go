package payment

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

// row is a charge with what the loop and the events need beside the machine.
type row struct {
	Charge
	attempts int64 // calls in the present state
	cause    ledger.Cause
}

const columns = `order_id, customer_id, amount, currency, lines, state, reference, attempts, event_id, trace_parent`

type scanner interface{ Scan(dest ...any) error }

func scan(s scanner) (row, error) {
	var r row
	var lines string
	err := s.Scan(&r.OrderID, &r.CustomerID, &r.Amount.Amount, &r.Amount.Currency, &lines, &r.State, &r.Reference, &r.attempts, &r.cause.EventID, &r.cause.TraceParent)
	if err != nil {
		return row{}, fmt.Errorf("read charge: %w", err)
	}
	if err := json.Unmarshal([]byte(lines), &r.Lines); err != nil {
		return row{}, fmt.Errorf("read lines of charge %s: %w", r.OrderID, err)
	}
	return r, nil
}

// load reads and locks the charge of an order, which begins with a row without a state: two events
// of two topics that come first at once wait for each other on that row.
func load(ctx context.Context, tx *sqldb.Tx, orderID string) (row, error) {
	_, err := tx.Exec(ctx, `insert into charge (order_id, customer_id, amount, currency, lines, state, reference, event_id, trace_parent)
		values ($1, '', 0, '', 'null', '', '', '', '') on conflict (order_id) do nothing`, orderID)
	if err != nil {
		return row{}, fmt.Errorf("open charge %s: %w", orderID, err)
	}
	query := `select ` + columns + ` from charge where order_id = $1`
	if tx.Dialect() == sqldb.Postgres {
		query += ` for update`
	}
	return scan(tx.QueryRow(ctx, query, orderID))
}

// move takes an input to the charge of an order, stores what changed and publishes what the shop is
// told. cause is the input's, or nil for an outcome, which was caused by what put the charge into
// its present state.
func move(ctx context.Context, tx *outbox.Tx, orderID string, in any, cause *ledger.Cause) (Charge, error) {
	was, err := load(ctx, tx.Tx, orderID)
	if err != nil {
		return Charge{}, err
	}
	next, events := was.Next(in)
	if next.State == was.State {
		return next, nil
	}
	because := was.cause
	if cause != nil {
		because = *cause
	}
	lines, err := json.Marshal(next.Lines)
	if err != nil {
		return Charge{}, fmt.Errorf("encode lines: %w", err)
	}
	_, err = tx.Exec(ctx, `update charge set customer_id = $2, amount = $3, currency = $4, lines = $5, state = $6, reference = $7,
		attempts = 0, due_at = $8, event_id = $9, trace_parent = $10 where order_id = $1`,
		orderID, next.CustomerID, next.Amount.Amount, next.Amount.Currency, string(lines), next.State, next.Reference,
		time.Now().UnixMicro(), because.EventID, because.TraceParent)
	if err != nil {
		return Charge{}, fmt.Errorf("store charge %s: %w", orderID, err)
	}
	for _, e := range events {
		if err := tx.Publish(ctx, because.Event(e.(contract.Event))); err != nil {
			return Charge{}, err
		}
	}
	return next, nil
}

// claim takes due charges and puts off their next call. The clock is the process's own: were two
// processes to disagree and call at once, the idempotency key makes one call of it.
func claim(ctx context.Context, tx *sqldb.Tx, n int, now time.Time, putOff time.Duration) ([]row, error) {
	locked := ""
	if tx.Dialect() == sqldb.Postgres {
		locked = ` for update skip locked`
	}
	rows, err := tx.Query(ctx, `with due as materialized (
			select order_id from charge where state in ('pending', 'refunding', 'voiding') and due_at <= $2
			order by due_at limit $3`+locked+`)
		update charge set attempts = attempts + 1, due_at = $1 where order_id in (select order_id from due) returning `+columns,
		now.Add(putOff).UnixMicro(), now.UnixMicro(), n)
	if err != nil {
		return nil, fmt.Errorf("claim charges: %w", err)
	}
	defer rows.Close()
	var claimed []row
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		claimed = append(claimed, r)
	}
	return claimed, rows.Err()
}

// putOff says when a charge is called for again, if it is still where it was claimed.
func putOff(ctx context.Context, tx *sqldb.Tx, r row, due time.Time) error {
	_, err := tx.Exec(ctx, `update charge set due_at = $4 where order_id = $1 and state = $2 and attempts = $3`, r.OrderID, r.State, r.attempts, due.UnixMicro())
	if err != nil {
		return fmt.Errorf("put off charge %s: %w", r.OrderID, err)
	}
	return nil
}
