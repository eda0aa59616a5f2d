package sqldb

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// parting is a statement that is kept for the commit.
type parting struct {
	query string
	args  []any
}

func (s *pgSession) last(query string, args []any) bool {
	s.kept = append(s.kept, parting{query, values(args)})
	return true
}

// end commits: with what was kept for it, and the begin where nothing has brought that yet, in one
// packet. open says that nothing is committed and the transaction is still to be rolled back: the
// server passes over what comes after the first error.
func (s *pgSession) end(ctx context.Context) (tag pgconn.CommandTag, open bool, err error) {
	if len(s.kept) == 0 {
		tag, err = s.conn.Exec(ctx, "commit")
		return tag, false, err
	}
	if !s.begun && s.engine.pooled { // a pooler might prepare in one session and run in another
		if err := s.begin(ctx); err != nil {
			return tag, true, err
		}
	}
	b := &pgx.Batch{}
	if !s.begun {
		for _, begin := range s.engine.begins[s.mode] {
			b.Queue(begin)
		}
	}
	for _, k := range s.kept {
		b.Queue(k.query, k.args...)
	}
	before := b.Len()
	b.Queue("commit")
	results := s.conn.SendBatch(ctx, b)
	for range before {
		if _, err := results.Exec(); err != nil {
			_ = results.Close()
			_, refused := errors.AsType[*pgconn.PgError](err)
			return tag, refused || !s.conn.IsClosed(), err
		}
	}
	tag, err = results.Exec()
	if closed := results.Close(); err == nil {
		err = closed
	}
	return tag, false, err
}
