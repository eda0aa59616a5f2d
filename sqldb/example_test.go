package sqldb_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/leatdev/leat/sqldb"
)

func Example() {
	dir, err := os.MkdirTemp("", "bank")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := sqldb.Open(ctx, sqldb.Config{URL: "sqlite:" + filepath.Join(dir, "bank.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	// A service embeds its migrations directory instead.
	migrations := fstest.MapFS{"0001_account.sql": {Data: []byte(`
		create table account (id text primary key, cents bigint not null);
		insert into account values ('a', 500), ('b', 0);`)}}
	if err := db.Migrate(ctx, "bank", migrations); err != nil {
		log.Fatal(err)
	}

	err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		tx.AfterCommit(func() { fmt.Println("committed") })
		if _, err := tx.Exec(ctx, `update account set cents = cents - $1 where id = $2`, 200, "a"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update account set cents = cents + $1 where id = $2`, 200, "b")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	var cents int64
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select cents from account where id = $1`, "b").Scan(&cents)
	})
	fmt.Println(cents, err)
	// Output:
	// committed
	// 200 <nil>
}
