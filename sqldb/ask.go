package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Question is a query of Ask.
type Question struct {
	Query string
	Args  []any
}

// Ask puts questions, one after the other, and has read take in the rows of each; n counts from 0. On
// PostgreSQL all of them are one round trip, and each has a snapshot of its own, taken after the answer
// before was complete: what a later one sees is not older. On SQLite they share a snapshot. The
// questions must change nothing. As with Tx, all of it may happen more than once.
func (db *DB) Ask(ctx context.Context, read func(n int, rows *Rows) error, questions ...Question) error {
	if db.dialect != Postgres {
		return db.View(ctx, func(ctx context.Context, tx *Tx) error { return tx.ask(ctx, read, questions) })
	}
	return db.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		s, ok := tx.session.(*pgSession)
		if !ok || s.engine.pooled { // a pooler might prepare in one session and run in another
			return tx.ask(ctx, read, questions)
		}
		return tx.note(s.ask(ctx, func(n int, c cursor) error { return read(n, &Rows{cursor: c, tx: tx}) }, questions))
	})
}

// ask puts one question after the other.
func (tx *Tx) ask(ctx context.Context, read func(n int, rows *Rows) error, questions []Question) error {
	for n, q := range questions {
		rows, err := tx.Query(ctx, q.Query, q.Args...)
		if err != nil {
			return err
		}
		err = read(n, rows)
		if closed := rows.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ask sends the begin, the questions and the commit as one packet: the session has then ended.
func (s *pgSession) ask(ctx context.Context, read func(n int, c cursor) error, questions []Question) error {
	if first, err := s.ready(ctx); err != nil || !first {
		return errors.Join(err, errOver)
	}
	begin, b := s.engine.begins[s.mode], &pgx.Batch{}
	for _, statement := range begin {
		b.Queue(statement)
	}
	for _, q := range questions {
		b.Queue(q.Query, values(q.Args)...)
	}
	b.Queue("commit")
	results := s.conn.SendBatch(ctx, b)
	err := answers(results, len(begin), len(questions), func(n int, rows pgx.Rows) error {
		c := &pgCursor{session: s, rows: rows}
		s.open = c
		err := read(n, c)
		if closed := c.close(); err == nil {
			err = closed
		}
		return err
	})
	if closed := results.Close(); err == nil {
		err = closed
	}
	return s.started(err)
}

// answers goes through what a packet of statements brings.
func answers(results pgx.BatchResults, begins, questions int, read func(n int, rows pgx.Rows) error) error {
	for range begins {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	for n := range questions {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		if err := read(n, rows); err != nil {
			return err
		}
	}
	if _, err := results.Exec(); err != nil {
		return fmt.Errorf("end of questions: %w", err)
	}
	return nil
}
