package sqldb_test

import (
	"context"
	stdsql "database/sql"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

const (
	benchTable  = `create table b (id bigint primary key, n bigint not null); insert into b values (1, 1)`
	benchUpdate = `update b set n = n + $1 where id = $2`
	benchRead   = `select n from b where id = $1`
)

// BenchmarkPostgresTx is a transaction of one or three statements: bare pgx, ours, and ours through
// database/sql.
func BenchmarkPostgresTx(b *testing.B) {
	d := sql.Postgres(b)
	db := open(b, d.URL)
	migrate(b, db, benchTable)
	pool, err := pgxpool.New(b.Context(), d.URL+"&search_path=shop&synchronous_commit=off")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	ours := open(b, d.URL+"&synchronous_commit=off")
	for _, n := range []int{1, 3} {
		name := map[int]string{1: "one", 3: "three"}[n]
		b.Run("pgx/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error {
					for range n {
						if _, err := tx.Exec(b.Context(), benchUpdate, 1, 1); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("sqldb/"+name, func(b *testing.B) { benchTx(b, ours, n) })
	}
	b.Run("pgx/read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var n int
			err := pgx.BeginTxFunc(b.Context(), pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
				return tx.QueryRow(b.Context(), benchRead, 1).Scan(&n)
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sqldb/read", func(b *testing.B) { benchView(b, ours) })
	b.Run("sqldb/three by database-sql", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(b, ours, func(ctx context.Context, tx *sqldb.Tx) error {
				for range 3 {
					if _, err := tx.SQL().ExecContext(ctx, benchUpdate, 1, 1); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}

// BenchmarkSQLiteTx is the same on a file without waiting for the disk.
func BenchmarkSQLiteTx(b *testing.B) {
	d := sql.SQLite(b)
	db := open(b, d.URL)
	migrate(b, db, benchTable)
	path := (&url.URL{Path: d.URL[len("sqlite:"):]}).EscapedPath()
	bare, err := stdsql.Open("sqlite", "file:"+path+"?_journal_mode=WAL&_synchronous=NORMAL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	bare.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = bare.Close() })
	for _, n := range []int{1, 3} {
		name := map[int]string{1: "one", 3: "three"}[n]
		b.Run("driver/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tx, err := bare.BeginTx(b.Context(), nil)
				if err != nil {
					b.Fatal(err)
				}
				for range n {
					if _, err := tx.ExecContext(b.Context(), benchUpdate, 1, 1); err != nil {
						b.Fatal(err)
					}
				}
				if err := tx.Commit(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("sqldb/"+name, func(b *testing.B) { benchTx(b, db, n) })
	}
	b.Run("driver/read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var n int
			if err := bare.QueryRowContext(b.Context(), benchRead, 1).Scan(&n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sqldb/read", func(b *testing.B) { benchView(b, db) })
}

func benchTx(b *testing.B, db *sqldb.DB, n int) {
	b.ReportAllocs()
	for b.Loop() {
		must(b, db, func(ctx context.Context, tx *sqldb.Tx) error {
			for range n {
				if _, err := tx.Exec(ctx, benchUpdate, 1, 1); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func benchView(b *testing.B, db *sqldb.DB) {
	b.ReportAllocs()
	for b.Loop() {
		if n := number(b, db, benchRead, 1); n == 0 {
			b.Fatal("nothing read")
		}
	}
}
