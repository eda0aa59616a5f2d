package sqldb_test

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

const valueTable = `create table v (id text primary key, i bigint, f double precision, b boolean, s text, raw bytea, j jsonb, at timestamp with time zone)`

type values struct {
	I   *int64
	F   *float64
	B   *bool
	S   *string
	Raw []byte
	J   *string
	At  *time.Time
}

func TestValuesComeBackAlike(t *testing.T) {
	east := time.FixedZone("east", 5*3600)
	at := time.Date(2026, 3, 4, 23, 59, 58, 123456789, east)
	cut := time.Date(2026, 3, 4, 18, 59, 58, 123456000, time.UTC)
	tests := map[string]struct{ in, want values }{
		"null":     {},
		"extremes": {in: values{I: new(int64(math.MinInt64)), F: new(1.5), B: new(true), S: new("a'b$1?1")}},
		"zeros":    {in: values{I: new(int64(0)), F: new(0.0), B: new(false), S: new(""), Raw: []byte{}}},
		"bytes":    {in: values{I: new(int64(math.MaxInt64)), Raw: []byte{0, 255, '$'}}},
		"json":     {in: values{J: new(`[1, "a"]`)}},
		"time":     {in: values{At: &at}, want: values{At: &cut}},
	}
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, valueTable)
		for name, test := range tests {
			in, want := test.in, test.want
			if cmp.Equal(want, values{}) {
				want = in
			}
			var got values
			must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, `insert into v (id, i, f, b, s, raw, j, at) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
					name, in.I, in.F, in.B, in.S, in.Raw, in.J, in.At)
				if err != nil {
					return err
				}
				return tx.QueryRow(ctx, `select i, f, b, s, raw, j, at from v where id = $1`, name).
					Scan(&got.I, &got.F, &got.B, &got.S, &got.Raw, &got.J, &got.At)
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: want -, got +%s", name, diff)
			}
			if got.At != nil && got.At.Location() != time.UTC {
				t.Errorf("%s: the time is in %v, want UTC", name, got.At.Location())
			}
			if (got.Raw == nil) != (want.Raw == nil) {
				t.Errorf("%s: bytes are nil: %t, want %t", name, got.Raw == nil, want.Raw == nil)
			}
		}
	})
}

func TestTimesCompareInSQLAndComeOutOfExpressions(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, `create table e (at timestamp with time zone)`)
		base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		steps := []time.Duration{0, time.Microsecond, 10 * time.Microsecond, 100 * time.Millisecond, time.Second, 26 * time.Hour}
		for _, s := range steps {
			exec(t, db, `insert into e values ($1)`, base.Add(s).Local())
		}
		for i, s := range steps {
			if n := number(t, db, `select count(*) from e where at <= $1`, base.Add(s)); n != int64(i+1) {
				t.Errorf("%d rows are not after %v, want %d", n, s, i+1)
			}
		}
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			var last time.Time
			var none *time.Time
			if err := tx.QueryRow(ctx, `select max(at) from e`).Scan(&last); err != nil {
				return err
			}
			if want := base.Add(26 * time.Hour); last != want {
				t.Errorf("max is %v, want %v", last, want)
			}
			if err := tx.QueryRow(ctx, `select max(at) from e where at < $1`, base).Scan(&none); err != nil {
				return err
			}
			if none != nil {
				t.Errorf("max of nothing is %v, want nil", none)
			}
			var maybe stdsql.NullTime
			if err := tx.QueryRow(ctx, `select min(at) from e`).Scan(&maybe); err != nil || !maybe.Valid || !maybe.Time.Equal(base) {
				t.Errorf("min is %v, %v; want %v", maybe, err, base)
			}
			return nil
		})
	})
}

func TestPlaceholdersAreTheSameOnBoth(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			var got []string
			for range 2 { // the second one is prepared
				var a, b, c string
				err := tx.QueryRow(ctx, `select cast($2 as text), /* $3 */ cast($1 as text) || '$2' || cast($2 as text), cast($12 as text) -- $9
					where $3 = $4 and $5 = $6 and $7 = $8 and $9 = $10 and $11 = 'k'`,
					"one", "two", "c", "c", "e", "e", "g", "g", "i", "i", "k", "twelve").Scan(&a, &b, &c)
				if err != nil {
					return err
				}
				got = append(got, a, b, c)
			}
			want := []string{"two", "one$2two", "twelve", "two", "one$2two", "twelve"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("want -, got +", diff)
			}
			return nil
		})
	})
}

func TestRawJSONIsTextForTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		migrate(t, db, valueTable)
		exec(t, db, `insert into v (id, j) values ('j', $1)`, json.RawMessage(`{"n": 7}`))
		query := `select j ->> 'n' from v`
		var got string
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			if d.IsPostgres() {
				return tx.QueryRow(ctx, query).Scan(&got)
			}
			return tx.QueryRow(ctx, `select cast(j ->> 'n' as text) from v`).Scan(&got)
		})
		if got != "7" {
			t.Errorf("n is %q, want 7", got)
		}
	})
}

func TestRowsAndNoRows(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, `create table n (n bigint)`)
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			var none int
			if err := tx.QueryRow(ctx, `select n from n`).Scan(&none); !errors.Is(err, sqldb.ErrNoRows) {
				t.Errorf("a row of nothing is %v, want ErrNoRows", err)
			}
			changed, err := tx.Exec(ctx, `insert into n values ($1), ($2), ($3)`, 1, 2, 3)
			if err != nil || changed != 3 {
				t.Errorf("insert changed %d, %v; want 3", changed, err)
			}
			rows, err := tx.Query(ctx, `select n from n order by n`)
			if err != nil {
				return err
			}
			var got []int
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					return err
				}
				got = append(got, n)
			}
			if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" {
				t.Error("want -, got +", diff)
			}
			if err := errors.Join(rows.Err(), rows.Close(), rows.Close()); err != nil {
				return err
			}
			changed, err = tx.Exec(ctx, `update n set n = n + 10 where n > $1`, 1)
			if err != nil || changed != 2 {
				t.Errorf("update changed %d, %v; want 2", changed, err)
			}
			return nil
		})
		if n := number(t, db, `select sum(n) from n`); n != 26 {
			t.Errorf("the sum is %d, want 26", n)
		}
	})
}
