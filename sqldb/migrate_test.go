package sqldb_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

func TestMigrationsApplyOnceWhoeverRunsThem(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, _ *sqldb.DB) {
		var tree []string
		for i := 1; i <= 5; i++ {
			tree = append(tree, fmt.Sprintf("migrations/%04d_t.sql", i), fmt.Sprintf("create table t%d (n int); insert into t1 values (%d);", i, i))
		}
		var wg sync.WaitGroup
		for range 4 { // handles of their own, as processes have
			db := open(t, d.URL)
			wg.Go(func() {
				if err := db.Migrate(t.Context(), "shop", files(tree...)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		db := open(t, d.URL)
		if n := number(t, db, `select count(*) from t1`); n != 5 {
			t.Errorf("%d rows, want 5", n)
		}
		if n := number(t, db, `select count(*) from leat_migration where owner = 'shop'`); n != 5 {
			t.Errorf("%d migrations are noted, want 5", n)
		}
		// Another owner has numbers of its own.
		if err := db.Migrate(t.Context(), "other", files("0001_o.sql", "create table o (n int)")); err != nil {
			t.Error(err)
		}
	})
}

func TestFailingMigrationLeavesNothingAndNamesItsPlace(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		tree := files("0001_a.sql", "create table a (n int)",
			"0002_b.sql", "-- the second\ncreate table b (n int);\n\ninsert into b\n  values (1);\ninsert into nowhere values (1);")
		err := db.Migrate(t.Context(), "shop", tree)
		wants(t, err, "migrate shop", "0002_b.sql", "line 6", `"insert into nowhere values (1)"`)
		if n := number(t, db, `select count(*) from a`); n != 0 {
			t.Error("the first file is gone")
		}
		err = db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `select n from b where n = $1`, 1)
			return err
		})
		if err == nil {
			t.Error("the failed file left its first table")
		}
		tree["0002_b.sql"] = &fstest.MapFile{Data: []byte("create table b (n int)")}
		if err := db.Migrate(t.Context(), "shop", tree); err != nil {
			t.Errorf("the mended file, never applied: %v", err)
		}
	})
}

func TestMigrationsAreAppendOnly(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		first := []string{"0001_a.sql", "create table a (n int);\n", "0003_c.sql", "create table c (n int);\n"}
		tests := map[string]struct {
			files fs.FS
			want  []string // nothing: it is fine
		}{
			"same":             {files(first...), nil},
			"windows line end": {files("0001_a.sql", "create table a (n int);\r\n", first[2], first[3]), nil},
			"renamed":          {files("0001_renamed.sql", first[1], first[2], first[3]), nil},
			"older program":    {files(first[:2]...), nil},
			"changed":          {files("0001_a.sql", "create table a (n bigint);\n", first[2], first[3]), []string{"0001_a.sql", "as a new file"}},
			"missing":          {files(first[2:]...), []string{"0001_a.sql", "missing"}},
			"inserted":         {files(append(first, "0002_b.sql", "select 1")...), []string{"0002_b.sql", "higher number"}},
			"same number":      {files(append(first, "0003_d.sql", "select 1")...), []string{"0003_c.sql", "0003_d.sql", "same number"}},
			"bad name":         {files(append(first, "4_d.sql", "select 1")...), []string{"4_d.sql", "NNNN_name.sql"}},
		}
		if err := db.Migrate(t.Context(), "shop", files(first...)); err != nil {
			t.Fatal(err)
		}
		for name, test := range tests {
			err := db.Migrate(t.Context(), "shop", test.files)
			if test.want == nil && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if test.want != nil {
				wants(t, err, test.want...)
			}
		}
	})
}

func TestMigrationVariantsAndBodies(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		err := db.Migrate(t.Context(), "shop", files(
			"0001_t.sql", "create table t (n int, note text)",
			"0002_v.sql", "this is no SQL",
			"0002_v.postgres.sql", `
				create function note() returns trigger language plpgsql as $body$
				begin new.note := 'a;b'; return new; end; $body$;
				create trigger t_note before insert on t for each row execute function note();`,
			"0002_v.sqlite.sql", `
				create trigger t_note after insert on t begin
					update t set note = case when 1 then 'a;b' end;
				end;`,
			"0003_only.postgres.sql", "insert into t (n) values (3)",
			"0004_rest.sql", "insert into t (n) values (4); -- the end",
		))
		if err != nil {
			t.Fatal(err)
		}
		want := int64(1)
		if db.Dialect() == sqldb.Postgres {
			want = 2
		}
		if n := number(t, db, `select count(*) from t where note = 'a;b'`); n != want {
			t.Errorf("%d rows, want %d", n, want)
		}
	})
}

func TestTablesLieInTheSchemaAndNowhereElse(t *testing.T) {
	t.Parallel()
	d := sql.Postgres(t)
	shop := open(t, d.URL)
	migrate(t, shop, oneTable)
	bank, err := sqldb.Open(t.Context(), sqldb.Config{URL: d.URL, Schema: `Bank "of; it`})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bank.Close)
	migrate(t, bank, oneTable)
	exec(t, shop, `insert into n values ($1)`, 1)
	if n := d.Int(t, `select count(*) from shop.n`); n != 1 {
		t.Errorf("%d rows in shop.n, want 1", n)
	}
	if n := number(t, bank, `select count(*) from n`); n != 0 {
		t.Errorf("bank sees %d rows of shop", n)
	}
	if n := d.Int(t, `select count(*) from pg_tables where schemaname = 'public'`); n != 0 {
		t.Errorf("%d tables are in public", n)
	}
	// What somebody leaves in the session is nothing to the next transaction.
	one, err := sqldb.Open(t.Context(), sqldb.Config{URL: d.URL, Schema: "shop", MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	exec(t, one, `set search_path to "Bank ""of; it"`)
	if n := number(t, one, `select count(*) from n`); n != 1 {
		t.Errorf("%d rows after another search_path was left behind, want 1", n)
	}
}

func TestMigrationOfALongStatementOutlivesTheTimeout(t *testing.T) {
	t.Parallel()
	d := sql.Postgres(t)
	db := open(t, d.URL+"&statement_timeout=3000") // longer than any other statement takes
	slow := `select pg_sleep(4)`
	err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, slow)
		return err
	})
	wants(t, err, "statement_timeout", "raise it in the URL")
	if strings.Contains(err.Error(), "unavailable") {
		t.Error("a slow statement is the statement's fault")
	}
	migrate(t, db, slow)
}
