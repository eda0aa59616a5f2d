package outbox

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// member is this process among those that relay an outbox with shards. Each holds a lease, the first
// that is free, so that they can be counted.
type member struct {
	db     *sqldb.DB
	holder string
	ttl    time.Duration
	lease  *sqldb.Lease // nil: none is held
}

// count is the number of processes that are there, this one included; 0 where it is not known.
func (m *member) count(ctx context.Context, well bool) int {
	ctx, cancel := context.WithTimeout(ctx, m.ttl)
	defer cancel()
	switch {
	case !well: // others take its part
		m.leave(ctx)
	case m.lease == nil:
		m.join(ctx)
	default:
		if err := m.lease.Renew(ctx); errors.Is(err, sqldb.ErrLeaseLost) {
			m.lease = nil
			m.join(ctx)
		}
	}
	held, err := m.db.Leases(ctx, memberLeases)
	if err != nil {
		return 0
	}
	if m.lease == nil {
		return len(held) + 1
	}
	return max(len(held), 1)
}

func (m *member) join(ctx context.Context) {
	for i := range maxShards {
		lease := m.db.Lease(sqldb.LeaseConfig{Name: memberLeases + strconv.Itoa(i), Holder: m.holder, TTL: m.ttl})
		_, err := lease.Acquire(ctx)
		if err == nil {
			m.lease = lease
		}
		if !errors.Is(err, sqldb.ErrLeaseHeld) {
			return
		}
	}
}

func (m *member) leave(ctx context.Context) {
	if m.lease != nil {
		_ = m.lease.Release(ctx) // else it runs out
		m.lease = nil
	}
}
