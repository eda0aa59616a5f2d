package ledger

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/sqldb"
)

// Entry is one handled event.
type Entry struct {
	Seq       int64     `json:"seq"`
	Service   string    `json:"service"` // where the event comes from
	Type      string    `json:"type"`
	EventID   string    `json:"event_id"`
	At        time.Time `json:"at"`      // when it happened there
	SeenAt    time.Time `json:"seen_at"` // when it was handled here
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Detail    string    `json:"detail,omitempty"`
}

// Of are the entries of an order after seq, in the order of handling.
func Of(ctx context.Context, tx *sqldb.Tx, orderID string, after int64) ([]Entry, error) {
	rows, err := tx.Query(ctx, `select seq, event_source, event_type, event_id, happened_at, entered_at, topic, topic_partition, topic_offset, detail
		from ledger where order_id = $1 and seq > $2 order by seq`, orderID, after)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	entries := []Entry{}
	for rows.Next() {
		var e Entry
		var at, seen int64
		if err := rows.Scan(&e.Seq, &e.Service, &e.Type, &e.EventID, &at, &seen, &e.Topic, &e.Partition, &e.Offset, &e.Detail); err != nil {
			return nil, fmt.Errorf("read a ledger entry: %w", err)
		}
		e.At, e.SeenAt = time.UnixMicro(at).UTC(), time.UnixMicro(seen).UTC()
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return entries, nil
}

// Summary is what a service shows of itself to an audit.
type Summary struct {
	Service string           `json:"service"`
	Entries int64            `json:"entries"`           // events handled
	Doubled int64            `json:"doubled"`           // of them, more often than once per event id
	Example string           `json:"example,omitempty"` // the id of one that was
	States  map[string]int64 `json:"states"`            // rows of the service's table by state
}

// Routes adds GET /ledger/NAME, the summary of the service, whose machine keeps the column state in
// the table of the given name.
func Routes(s *service.Service, routes service.Routes, table string) service.Routes {
	routes["GET /ledger/"+s.Name()] = api.Handle(s.Logger(), func(w http.ResponseWriter, r *http.Request) error {
		sum := Summary{Service: s.Name(), States: map[string]int64{}}
		err := s.View(r.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			if err := sum.count(ctx, tx, table); err != nil || r.URL.Query().Get("audit") == "" {
				return err
			}
			return sum.audit(ctx, tx)
		})
		if err != nil {
			return err
		}
		return api.Write(w, http.StatusOK, sum)
	})
	return routes
}

func (s *Summary) count(ctx context.Context, tx *sqldb.Tx, table string) error {
	rows, err := tx.Query(ctx, `select state, count(*) from `+table+` group by state`)
	if err != nil {
		return fmt.Errorf("count %s: %w", table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return fmt.Errorf("count %s: %w", table, err)
		}
		s.States[state] = n
	}
	return rows.Err()
}

func (s *Summary) audit(ctx context.Context, tx *sqldb.Tx) error {
	err := tx.QueryRow(ctx, `select count(*) from ledger`).Scan(&s.Entries)
	if err != nil {
		return fmt.Errorf("count the ledger: %w", err)
	}
	err = tx.QueryRow(ctx, `select count(*), coalesce(min(event_id), '') from
		(select event_id from ledger group by event_source, event_id having count(*) > 1) as doubled`).Scan(&s.Doubled, &s.Example)
	if err != nil {
		return fmt.Errorf("look for doubled effects: %w", err)
	}
	return nil
}
