package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/sqldb"
)

// What is too large for a topic is put into the store of payloads before the commit, and the event
// carries a reference to it. The table leat_outbox_payload names what was committed; what lies in the
// store and is not named there belongs to a transaction that was rolled back, and is swept.

// claim moves the data of a large message into the store.
func (b *Box) claim(ctx context.Context, m *leat.Message) error {
	_, err := b.put(ctx, m)
	return err
}

func (b *Box) put(ctx context.Context, m *leat.Message) (name string, err error) {
	name, err = blob.Claim(ctx, b.cfg.Payloads, b.cfg.Source, b.cfg.PayloadAbove, m)
	if name != "" {
		b.counts.claimed.Inc()
	}
	return name, err
}

// Claim moves the data of a large message that leaves by no transaction of the box, and names it in one
// of its own before it returns: so nothing is swept that an event in Kafka may name. Where the event then
// does not leave, its data is kept all the same, as long as others.
func (b *Box) Claim(ctx context.Context, m *leat.Message) error {
	name, err := b.put(ctx, m)
	if name == "" || err != nil {
		return err
	}
	err = b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, keepClaim, name, time.Now().UnixMicro())
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the payload %s: %w", name, err)
	}
	return nil
}

// keepClaims names the payloads of events that are about to be committed.
func (tx *Tx) keepClaims(ctx context.Context, events []outgoing) error {
	if tx.box.cfg.Payloads == nil {
		return nil
	}
	for i := range events {
		for _, h := range events[i].Headers {
			if h.Key != blob.HeaderName {
				continue
			}
			if _, err := tx.Exec(ctx, keepClaim, string(h.Value), time.Now().UnixMicro()); err != nil {
				return fmt.Errorf("keep the payload %s: %w", h.Value, err)
			}
		}
	}
	return nil
}

const keepClaim = `insert into leat_outbox_payload (name, at) values ($1, $2) on conflict (name) do update set at = excluded.at`

const (
	// orphanAge is how old a payload without an event is when it is swept: no transaction lasts as
	// long.
	orphanAge          = 48 * time.Hour
	sweepPayloadsEvery = time.Hour
)

// SweepPayloads deletes from the store of payloads what no committed event names, once it is two days
// old, and what was kept for PayloadKeep. KeepInbox, and so a relay, calls it once an hour.
func (b *Box) SweepPayloads(ctx context.Context) error {
	if b.cfg.Payloads == nil {
		return nil
	}
	now := time.Now()
	if err := errors.Join(b.expirePayloads(ctx, now), b.sweepOrphans(ctx, now)); err != nil {
		return fmt.Errorf("sweep payloads: %w", err)
	}
	return nil
}

// expirePayloads forgets what was kept long enough: first the payload, then its name, so that what
// is left of a sweep that ends in between is taken by the next.
func (b *Box) expirePayloads(ctx context.Context, now time.Time) error {
	for b.cfg.PayloadKeep > 0 {
		names, err := b.payloadsBefore(ctx, now.Add(-b.cfg.PayloadKeep))
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if err := b.cfg.Payloads.Delete(ctx, name); err != nil {
				return err
			}
			err := b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, `delete from leat_outbox_payload where name = $1`, name)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Box) payloadsBefore(ctx context.Context, t time.Time) (names []string, err error) {
	err = b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		names, err = namesIn(ctx, tx, `select name from leat_outbox_payload where at < $1 order by at limit $2`, t.UnixMicro(), sweepRows)
		return err
	})
	return names, err
}

// sweepOrphans goes through the payloads day by day. The first look takes them all, later ones only
// the days that have come of age since: a name tells its day.
func (b *Box) sweepOrphans(ctx context.Context, now time.Time) error {
	var from string
	err := b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select payloads_swept from leat_outbox_meta`).Scan(&from)
	})
	if err != nil {
		return err
	}
	until := now.Add(-orphanAge).UTC().Truncate(24 * time.Hour) // this day is still young
	prefixes := []string{b.cfg.Source + "/"}
	if last, err := time.Parse(time.DateOnly, from); err == nil {
		prefixes = nil
		for day := last; day.Before(until); day = day.AddDate(0, 0, 1) {
			prefixes = append(prefixes, b.cfg.Source+"/"+day.Format(time.DateOnly)+"/")
		}
	}
	for _, prefix := range prefixes {
		err := b.cfg.Payloads.Each(ctx, prefix, func(o blob.Object) error {
			day, _, _ := strings.Cut(strings.TrimPrefix(o.Name, b.cfg.Source+"/"), "/")
			if t, err := time.Parse(time.DateOnly, day); err != nil || !t.Before(until) || !o.At.Before(now.Add(-orphanAge)) {
				return nil
			}
			return b.sweepOrphan(ctx, o.Name)
		})
		if err != nil {
			return err
		}
	}
	return b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `update leat_outbox_meta set payloads_swept = $1`, until.Format(time.DateOnly))
		return err
	})
}

func (b *Box) sweepOrphan(ctx context.Context, name string) error {
	var kept []string
	err := b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) (err error) {
		kept, err = namesIn(ctx, tx, `select name from leat_outbox_payload where name = $1`, name)
		return err
	})
	if err != nil || len(kept) > 0 {
		return err
	}
	if err := b.cfg.Payloads.Delete(ctx, name); err != nil {
		return err
	}
	b.counts.orphans.Inc()
	return nil
}

func namesIn(ctx context.Context, tx *sqldb.Tx, query string, args ...any) (names []string, err error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
