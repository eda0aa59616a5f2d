package outbox

import (
	"context"
	"fmt"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/sqldb"
)

// setup is what was found when the relay looked at its database and its cluster.
type setup struct {
	database      database
	transactional bool // the cluster's transactions can be relied on
	client        *kafka.Client
	letters       map[string]bool // topics of letters that are there, by the topic they are about
}

// transactionalID is this outbox's alone, and the shard's: staging beside production, or a new data directory on an
// old cluster, has another. It begins as the position topic is named, so that one service can be
// granted its own and no other's.
func (r *shard) transactionalID(s *setup) string {
	return r.name(r.cfg.PositionTopic + "." + s.database.Outbox)
}

// inspect looks whether the relay may start, and refuses where events could get lost or out of
// order unseen.
func (r *shard) inspect(ctx context.Context) (*setup, error) {
	m, err := readMeta(ctx, r.db, r.number)
	if err != nil {
		return nil, err
	}
	s := &setup{letters: map[string]bool{}, database: database{Outbox: m.outbox}}
	if r.db.Dialect() == sqldb.Postgres {
		if err := inspectPostgres(ctx, r.db, &s.database); err != nil {
			return nil, fmt.Errorf("inspect the outbox's table: %w", err)
		}
	}
	if s.client, err = kafka.Open(ctx, r.cfg.Kafka); err != nil {
		return nil, err
	}
	s.transactional = !s.client.Embedded()
	if err := r.inspectKafka(ctx, s); err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}

// inspectPostgres reads who the database is and checks what the order of ids rests on.
func inspectPostgres(ctx context.Context, db *sqldb.DB, d *database) error {
	return db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		var isolation, cache, identity, kind string
		var children int64
		err := tx.QueryRow(ctx, `select current_setting('transaction_isolation'),
				(select seqcache::text from pg_sequence where seqrelid = pg_get_serial_sequence('leat_outbox', 'id')::regclass),
				(select attidentity::text from pg_attribute where attrelid = c.oid and attname = 'id'),
				c.relkind::text || case when c.relispartition then 'p' else '' end,
				(select count(*) from pg_inherits where inhparent = c.oid)
			from pg_class c where c.oid = 'leat_outbox'::regclass`).Scan(&isolation, &cache, &identity, &kind, &children)
		if err != nil {
			return err
		}
		if err := tableFault(isolation, cache, identity, kind, children); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select (select system_identifier::text from pg_control_system()), substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`).
			Scan(&d.System, &d.Timeline)
	})
}

// tableFault says what of the table would break the order of ids.
func tableFault(isolation, cache, identity, kind string, children int64) error {
	switch {
	case cache != "1":
		return &SetupError{
			What: "the sequence of leat_outbox.id caches " + cache + " ids, so that ids are not drawn in the order in which locks are taken",
			Hint: "alter table leat_outbox alter column id set cache 1",
		}
	case identity != "a":
		return &SetupError{
			What: "leat_outbox.id is not GENERATED ALWAYS AS IDENTITY, so that ids can be drawn before the row is inserted",
			Hint: "alter table leat_outbox alter column id set generated always",
		}
	case kind != "r" || children > 0:
		return &SetupError{
			What: fmt.Sprintf("leat_outbox is partitioned, a partition or inherited from (kind %s, %d children)", kind, children),
			Hint: "make it a plain table: its lock is what shows who may still insert",
		}
	case isolation != "read committed":
		return &SetupError{
			What: "transactions begin as " + isolation + ", so that the relay would see locks of now and rows of before",
			Hint: "give the relay's user default_transaction_isolation 'read committed'",
		}
	}
	return nil
}
