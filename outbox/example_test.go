package outbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

type charged struct {
	OrderID string `json:"order_id"`
}

func (charged) EventType() string  { return "shop.payment.succeeded.v1" }
func (e charged) EventKey() string { return e.OrderID }

// A charge and the event of it are committed together or not at all.
func ExampleBox_Tx() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := sqldb.Open(ctx, sqldb.Config{URL: "sqlite:" + filepath.Join(dir, "payment.db")})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	payments := leat.Topic{Name: "shop.payments", Carries: []any{charged{}}}
	box, err := outbox.New(outbox.Config{DB: db, Source: "payment", Owns: []leat.Topic{payments}})
	if err != nil {
		panic(err)
	}
	if err := box.Migrate(ctx); err != nil {
		panic(err)
	}

	charge := func(id string, fail error) error {
		return box.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			if err := tx.Publish(ctx, charged{OrderID: id}); err != nil {
				return err
			}
			return fail
		})
	}
	fmt.Println(charge("42", nil))
	fmt.Println(charge("43", fmt.Errorf("the card was declined")))

	status, err := box.Status(ctx)
	fmt.Println(status.Rows, "event waits for the relay", err)
	// Output:
	// <nil>
	// the card was declined
	// 1 event waits for the relay <nil>
}
