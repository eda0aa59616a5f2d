package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// Status is what an outbox looks like.
type Status struct {
	Outbox  string        `json:"outbox"`            // its id
	Rows    int64         `json:"rows"`              // that wait; counted up to 100,000
	Head    int64         `json:"head,omitempty"`    // id of the first of them
	Age     time.Duration `json:"age_ns,omitempty"`  // of the first of them, by this process's clock
	Delayed int64         `json:"delayed,omitempty"` // events that are not due yet; counted up to 100,000
	Parked  int64         `json:"parked"`            // rows that could not leave
	Trouble string        `json:"trouble,omitempty"` // what keeps the head from leaving, "" where nothing does
	Since   time.Time     `json:"since,omitzero"`    // of the trouble
	// Writer is the age of the oldest transaction that may still write events, 0 where there is
	// none; on PostgreSQL only.
	Writer time.Duration `json:"writer_ns,omitempty"`
	// Slot is the replication slot in mode wal, nil where there is none.
	Slot *SlotStatus `json:"slot,omitempty"`
	// Leading says whether the relay that was asked does the work, or a part of it; others stand by.
	Leading bool  `json:"leading"`
	Leads   []int `json:"leads,omitempty"`  // the shards that it leads
	Shards  int   `json:"shards,omitempty"` // how many there are
	// Warning is what did not fit together when the relay that was asked took over: another database,
	// a restored one, a lost position.
	Warning string `json:"warning,omitempty"`
}

// statusRows bounds the counting.
const statusRows = 100_000

// Status looks at the outbox in the database, whoever relays it.
func (b *Box) Status(ctx context.Context) (s Status, err error) {
	err = b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		m, err := metaOf(ctx, tx, 0)
		if err != nil {
			return err
		}
		s = Status{Outbox: m.outbox, Shards: m.shards, Trouble: m.trouble, Since: m.troubleAt}
		if err := tx.QueryRow(ctx, `select count(*) from (select 1 from leat_outbox limit $1) waiting`, statusRows).Scan(&s.Rows); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `select count(*) from (select 1 from leat_outbox_delayed limit $1) waiting`, statusRows).Scan(&s.Delayed); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `select count(*) from leat_outbox_parked`).Scan(&s.Parked); err != nil {
			return err
		}
		if s.Slot, err = slotOf(ctx, tx, m.outbox); err != nil {
			return err
		}
		if s.Trouble == "" {
			s.Trouble = s.Slot.trouble()
		}
		return headOf(ctx, tx, &s)
	})
	if err != nil {
		return Status{}, fmt.Errorf("look at the outbox: %w", err)
	}
	return s, nil
}

func headOf(ctx context.Context, tx *sqldb.Tx, s *Status) error {
	query, args := `select id, at from leat_outbox order by id limit 1`, []any(nil)
	if tx.Dialect() == sqldb.Postgres {
		c, err := cursorOf(ctx, tx)
		if err != nil {
			return err
		}
		n, err := keptWaiting(ctx, tx, c, statusRows)
		if err != nil {
			return err
		}
		s.Rows = min(s.Rows+n, statusRows)
		var waits string
		waits, args = c.waits(nil)
		query = `select id, at from ((` + query + `) union all (select id, at from leat_outbox_kept where ` + waits + ` order by id limit 1)) heads order by id limit 1`
	}
	var at int64
	err := tx.QueryRow(ctx, query, args...).Scan(&s.Head, &at)
	switch {
	case err == nil:
		s.Age = max(time.Since(time.UnixMicro(at)), 0)
	case !errors.Is(err, sqldb.ErrNoRows):
		return err
	}
	if tx.Dialect() != sqldb.Postgres {
		return nil
	}
	var seconds float64
	if err := tx.QueryRow(ctx, oldestWriter).Scan(&seconds); err != nil {
		return err
	}
	s.Writer = time.Duration(seconds * float64(time.Second))
	return nil
}

const oldestWriter = `select coalesce(extract(epoch from clock_timestamp() - min(a.xact_start)), 0)::float8
	from pg_locks l join pg_stat_activity a on a.pid = l.pid
	where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted and l.relation in ` + written + `
	and l.database = (select oid from pg_database where datname = current_database())`

// state is what a shard's relay says of itself.
type state struct {
	leading bool
	err     error  // why it is not ready, nil while it leads or stands by
	told    bool   // trouble stands so in leat_outbox_meta
	trouble string // what keeps events from leaving
	seen    Status // at the last upkeep
}

// generation sets the shards that this process relays, or why there are none.
func (r *Relay) generation(shards []*shard, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shards, r.err = shards, err
}

// number is how many shards there are.
func (r *Relay) number() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.shards)
}

// Ready is nil while the relay leads or stands by, else it says what is wrong.
func (r *Relay) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := []error{r.err}
	for _, s := range r.shards {
		all = append(all, s.state.err)
	}
	return errors.Join(all...)
}

// Status looks at the outbox, and says whether this relay leads it, or a shard of it.
func (r *Relay) Status(ctx context.Context) (Status, error) {
	status, err := r.box.Status(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	status.Warning = r.warning
	for _, s := range r.shards {
		status.Leading = status.Leading || s.state.leading
		if s.state.leading {
			status.Leads = append(status.Leads, s.number)
		}
	}
	return status, err
}

// Skip is Box.Skip.
func (r *Relay) Skip(ctx context.Context, id int64) error { return r.box.Skip(ctx, id) }

// note says that the relay neither leads nor stands by.
func (s *shard) note(err error) { s.become(false, err) }

// standsBy says that another relay leads, and err why that is not enough to be ready.
func (s *shard) standsBy(err error) { s.become(false, err) }

// leads says that this relay leads, and err why it is not ready all the same.
func (s *shard) leads(err error) { s.become(true, err) }

func (s *shard) become(leading bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.leading, s.state.err = leading, err
}

// warn tells what a person should know and the relay can go on with.
func (s *shard) warn(ctx context.Context, what string) {
	s.log.ErrorContext(ctx, "the outbox and Kafka do not fit together", "error", what)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warning = what
}

// tell leaves word in the database of what keeps events from leaving, where it has changed.
func (s *shard) tell(ctx context.Context, trouble string) error {
	s.mu.Lock()
	same := s.state.told && s.state.trouble == trouble
	s.mu.Unlock()
	if same {
		return nil
	}
	if err := writeTrouble(ctx, s.db, s.number, trouble); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.told, s.state.trouble = true, trouble
	return nil
}
