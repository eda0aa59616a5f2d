package stack_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest/stack"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

type placed struct {
	OrderID string `json:"order_id"`
}

func (placed) EventType() string  { return "test.order.placed.v1" }
func (e placed) EventKey() string { return e.OrderID }

type paid struct {
	OrderID string `json:"order_id"`
}

func (paid) EventType() string  { return "test.order.paid.v1" }
func (e paid) EventKey() string { return e.OrderID }

var (
	orders   = leat.Topic{Name: "test.orders", Carries: []any{placed{}}, Partitions: 3}
	payments = leat.Topic{Name: "test.payments", Carries: []any{paid{}}, Partitions: 3}
)

func migration(text string) fstest.MapFS {
	return fstest.MapFS{"0001_tables.sql": {Data: []byte(text)}}
}

// order takes orders by HTTP and closes them when they are paid; payment pays.
func shop() []service.Config {
	order := service.Config{
		Name: "order", Owns: []leat.Topic{orders},
		Migrations: migration(`create table orders (id text primary key, paid integer not null default 0)`),
		Routes: func(s *service.Service) service.Routes {
			return service.Routes{"POST /orders/{id}": func(w http.ResponseWriter, r *http.Request) {
				id := r.PathValue("id")
				err := s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					n, err := tx.Exec(ctx, `insert into orders (id) values ($1) on conflict do nothing`, id)
					if err != nil || n == 0 {
						return err // a repeat of a request whose answer got lost
					}
					return tx.Publish(ctx, placed{id})
				})
				if err != nil {
					http.Error(w, err.Error(), http.StatusServiceUnavailable)
					return
				}
				w.WriteHeader(http.StatusAccepted)
			}}
		},
		Handlers: []leat.Handler{outbox.Once(payments, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[paid]) error {
			_, err := tx.Exec(ctx, `update orders set paid = paid + 1 where id = $1`, e.Data.OrderID)
			return err
		})},
	}
	payment := service.Config{
		Name: "payment", Owns: []leat.Topic{payments},
		Migrations: migration(`create table charges (order_id text not null)`),
		Handlers: []leat.Handler{outbox.Once(orders, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[placed]) error {
			if e.Data.OrderID == "bad" {
				return leat.Permanent(fmt.Errorf("bad order"))
			}
			if _, err := tx.Exec(ctx, `insert into charges (order_id) values ($1)`, e.Data.OrderID); err != nil {
				return err
			}
			return tx.Publish(ctx, paid{e.Data.OrderID})
		}, consumer.Parallel(8))},
	}
	return []service.Config{order, payment}
}

// place places orders until each is accepted, whatever crashes meanwhile.
func place(t *testing.T, s *stack.Stack, n int, revive func()) {
	t.Helper()
	for i := range n {
		for {
			revive()
			if w := s.Do("POST", fmt.Sprintf("/orders/o%d", i), ""); w.Code == http.StatusAccepted {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func check(t *testing.T, s *stack.Stack, n int64) {
	t.Helper()
	if all, distinct := s.Database("payment").Int(t, `select count(*) from charges`), s.Database("payment").Int(t, `select count(distinct order_id) from charges`); all != n || distinct != n {
		t.Errorf("%d charges for %d orders, want %d", all, distinct, n)
	}
	if got := s.Database("order").Int(t, `select count(*) from orders where paid = 1`); got != n {
		t.Errorf("%d orders are paid once, want %d", got, n)
	}
}

func TestEventsGoRoundOverTwoProcesses(t *testing.T) {
	t.Parallel()
	for _, embedded := range []bool{false, true} {
		t.Run(fmt.Sprintf("embedded=%v", embedded), func(t *testing.T) {
			t.Parallel()
			stack.Run(t, stack.Config{Services: shop(), Embedded: embedded, Prefix: "p."}, func(t *testing.T, s *stack.Stack) {
				s.Launch("order") // each waits for the other one's topic
				s.Start("payment")
				place(t, s, 20, func() {})
				s.Do("POST", "/orders/bad", "")
				s.Quiet()
				check(t, s, 20)
				if n := len(s.DeadLetters("test.orders", "payment")); n != 1 {
					t.Errorf("%d dead letters, want 1", n)
				}
			})
		})
	}
}

// At each commit point of each service a process dies once with work in hand and is started anew:
// every order ends, and each is charged and paid once.
func TestCrashAtEachCommitPoint(t *testing.T) {
	t.Parallel()
	points := []string{
		"relay.selected", "relay.produced", "relay.committing", "relay.committed", "relay.deleted",
		"once.committing", "once.committed", "consumer.handled", "consumer.committing", "consumer.committed",
	}
	for _, embedded := range []bool{false, true} {
		for _, point := range points {
			if embedded && (strings.HasPrefix(point, "consumer.") || point == "relay.committing" || point == "once.committed") {
				continue // the same as on Kafka, or not there
			}
			t.Run(fmt.Sprintf("%s embedded=%v", point, embedded), func(t *testing.T) {
				t.Parallel()
				var mu sync.Mutex
				died := map[string]bool{}
				cfg := stack.Config{Services: shop(), Embedded: embedded, Crash: func(_ *stack.Process, service, at string) bool {
					mu.Lock()
					defer mu.Unlock()
					if at != point || died[service] {
						return false
					}
					died[service] = true
					return true
				}}
				stack.Run(t, cfg, func(t *testing.T, s *stack.Stack) {
					revive := func() {
						for _, name := range []string{"order", "payment"} {
							if len(s.Processes(name)) == 0 {
								s.Launch(name)
							}
						}
					}
					const n = 5
					place(t, s, n, revive)
					for range 200 { // 20 s, three sessions, in which what dies is started anew
						revive()
						time.Sleep(100 * time.Millisecond)
					}
					s.Quiet()
					check(t, s, n)
					if got := len(s.Records("test.payments")); got < n || got > n && !embedded {
						t.Errorf("a reader sees %d payments for %d orders", got, n)
					}
					mu.Lock()
					defer mu.Unlock()
					if !died["order"] || !died["payment"] {
						t.Errorf("died %v, want both", died)
					}
				})
			})
		}
	}
}
