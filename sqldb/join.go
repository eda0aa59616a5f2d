package sqldb

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
)

// JoinPgx makes a Tx of a transaction that someone else began and will end. Whoever that is calls
// Flush right before the commit and, where a signal after it matters, Committed after it.
func JoinPgx(tx pgx.Tx) *Tx { return &Tx{session: joinedPgx{tx}, dialect: Postgres} }

// JoinSQL is JoinPgx for a transaction of database/sql on that kind of database.
func JoinSQL(tx *sql.Tx, d Dialect) *Tx { return &Tx{session: joinedSQL{tx}, dialect: d} }

var errNotOurs = errors.New("this transaction was joined: whoever began it ends it")

// joinedPgx is somebody else's transaction.
type joinedPgx struct{ tx pgx.Tx }

func (s joinedPgx) exec(ctx context.Context, query string, args []any) (int64, error) {
	tag, err := s.tx.Exec(ctx, query, values(args)...)
	return tag.RowsAffected(), err
}

func (s joinedPgx) query(ctx context.Context, query string, args []any) (cursor, error) {
	rows, err := s.tx.Query(ctx, query, values(args)...)
	if err != nil {
		return nil, err
	}
	return &pgxCursor{rows}, nil
}

func (s joinedPgx) sql() *sql.Tx                        { return nil }
func (s joinedPgx) pgx(context.Context) (pgx.Tx, error) { return s.tx, nil }
func (s joinedPgx) commit(context.Context) error        { return errNotOurs }
func (s joinedPgx) rollback()                           {}
func (s joinedPgx) lost() bool                          { return s.tx.Conn().IsClosed() }
func (s joinedPgx) last(string, []any) bool             { return false }

// pgxCursor reads rows of a plain pgx transaction.
type pgxCursor struct{ rows pgx.Rows }

func (c *pgxCursor) next() bool            { return c.rows.Next() }
func (c *pgxCursor) scan(dest []any) error { return c.rows.Scan(dest...) }

func (c *pgxCursor) raw() [][]byte {
	if !hasRaw(c.rows) {
		return nil
	}
	return c.rows.RawValues()
}
func (c *pgxCursor) err() error   { return c.rows.Err() }
func (c *pgxCursor) close() error { c.rows.Close(); return c.rows.Err() }

// joinedSQL is somebody else's transaction of database/sql.
type joinedSQL struct{ tx *sql.Tx }

func (s joinedSQL) exec(ctx context.Context, query string, args []any) (int64, error) {
	return (&sqliteSession{tx: s.tx}).exec(ctx, query, values(args))
}

func (s joinedSQL) query(ctx context.Context, query string, args []any) (cursor, error) {
	return (&sqliteSession{tx: s.tx}).query(ctx, query, values(args))
}

func (s joinedSQL) sql() *sql.Tx { return s.tx }

func (s joinedSQL) pgx(context.Context) (pgx.Tx, error) {
	return nil, errors.New("pgx transaction: this one was joined by database/sql: use tx.SQL")
}

func (s joinedSQL) commit(context.Context) error { return errNotOurs }
func (s joinedSQL) rollback()                    {}
func (s joinedSQL) lost() bool                   { return false }
func (s joinedSQL) last(string, []any) bool      { return false }
