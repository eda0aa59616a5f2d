package notification_test

import (
	"errors"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/sqldb"
)

// completed is the record of an order that has completed, of a customer whose mailbox is full.
type completed struct{}

func (completed) Position() leat.Position { return leat.Position{Topic: contract.Orders.Name} }
func (completed) Timestamp() time.Time    { return time.Unix(1000, 0) }
func (completed) Key() []byte             { return []byte("o1") }
func (completed) Value() []byte {
	return []byte(`{"order_id":"o1","customer_id":"` + notification.CustomerFull + `ada","total":{"amount":5,"currency":"EUR"}}`)
}

func (completed) Attribute(name string) string {
	return map[string]string{"id": "e1", "source": "order", "type": contract.OrderCompleted{}.EventType()}[name]
}
func (completed) Header(string) []byte               { return nil }
func (completed) Headers() iter.Seq2[string, []byte] { return func(func(string, []byte) bool) {} }

// An event that is taken from its member begins anew with the next one: its mailbox is full until it was
// parked.
func TestMailboxIsFullUntilItsEventWasParked(t *testing.T) {
	t.Parallel()
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "t.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	service := notification.Service(notification.Config{})
	box, err := outbox.New(outbox.Config{DB: db, Source: service.Name, Owns: service.Owns})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(box.Migrate(t.Context()), db.Migrate(t.Context(), service.Name, service.Migrations)); err != nil {
		t.Fatal(err)
	}
	bound, err := box.Bind(service.Handlers[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []int{1, 2, 1, 2, 3} {
		if err := bound[0].Handle(t.Context(), leat.NewEnvelope(completed{}, &bound[0].Kind, nil, attempt)); err == nil || !strings.Contains(err.Error(), "mailbox is full") {
			t.Fatalf("attempt %d: %v, want that the mailbox is full", attempt, err)
		}
	}
	if err := bound[0].Handle(t.Context(), leat.NewEnvelope(completed{}, &bound[0].Kind, nil, 4)); err != nil {
		t.Errorf("back from the park topic: %v", err)
	}
}
