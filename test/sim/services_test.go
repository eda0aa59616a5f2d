package sim_test

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

//go:embed migrations/*.sql
var migrations embed.FS

// made says that source counted key up to N.
type made struct {
	Op  string `json:"op"`
	Key string `json:"key"`
	N   int    `json:"n"`
	Pad string `json:"pad,omitempty"` // makes some events large
}

func (made) EventType() string  { return "sim.item.made.v1" }
func (e made) EventKey() string { return e.Key }

// moved says that middle took a made into account, and which record of it.
type moved struct {
	Op   string `json:"op"`
	Key  string `json:"key"`
	N    int    `json:"n"`
	Part int32  `json:"part"`
	At   int64  `json:"at"`
	Pad  string `json:"pad,omitempty"`
}

func (moved) EventType() string  { return "sim.item.moved.v1" }
func (e moved) EventKey() string { return e.Key }

func move(e *leat.Event[made]) moved {
	at := e.Position()
	return moved{e.Data.Op, e.Data.Key, e.Data.N, at.Partition, at.Offset, e.Data.Pad}
}

var (
	items = leat.Topic{Name: "sim.items", Carries: []any{made{}}, Partitions: 3}
	moves = leat.Topic{Name: "sim.moves", Carries: []any{moved{}}, Partitions: 3}
)

// fate is what the handler of middle does with one operation.
type fate struct {
	away      int  // attempts that say that the infrastructure is away
	fails     int  // attempts that fail after those, few enough for it to come through
	doomed    bool // then it fails until it is mended
	permanent bool // and says so
	mended    bool // it was doomed
}

// world is what a run's services and its schedule share, as the real world would be.
type world struct {
	play

	mu      sync.Mutex
	fates   map[string]*fate
	retries int              // failed attempts that really happened
	aways   int              // unavailable ones
	seen    map[string][]int // by key, what watch saw
	outage  bool             // what watch calls is away
	outaged int              // attempts of watch that met that
}

func (w *world) services() []service.Config {
	quick := consumer.WithRetry(leat.Retry{Attempts: 4, Base: 20 * time.Millisecond, Max: time.Second})
	way := []leat.HandlerOption{quick}
	if w.park {
		way = []leat.HandlerOption{
			consumer.WithRetry(leat.Retry{Attempts: 1}),
			consumer.Park(leat.Parking{Tiers: []time.Duration{time.Second, 3 * time.Second, 5 * time.Second}}),
		}
	}
	// An outage must not cost an event its attempts: the breaker opens before they are used up.
	patient := consumer.WithRetry(leat.Retry{Attempts: 6, Base: 20 * time.Millisecond, Max: 200 * time.Millisecond})
	breaker := consumer.Breaker(leat.Breaker{Rate: 0.01, Min: 2, Pause: time.Second, Probes: 2})
	return []service.Config{
		{Name: "source", Owns: []leat.Topic{items}, Migrations: migrations, Routes: w.makeRoute},
		{Name: "middle", Owns: []leat.Topic{moves}, Migrations: migrations, Handlers: []leat.Handler{w.middle(way)}},
		{Name: "sink", Migrations: migrations, Handlers: []leat.Handler{outbox.Once(moves, take, quick)}},
		{Name: "watch", Handlers: []leat.Handler{consumer.On(items, w.watch, patient, breaker)}},
	}
}

// middle is the link of the chain that the seed has drawn.
func (w *world) middle(way []leat.HandlerOption) leat.Handler {
	switch w.link {
	case transform:
		return consumer.Transform(items, w.turn, way...)
	case batch:
		return outbox.OnceBatch(items, w.moveAll, way...)
	case together:
		return outbox.Once(items, w.move, append(way, outbox.Together(4))...)
	}
	return outbox.Once(items, w.move, way...)
}

// makeRoute counts a key up, once per operation id, and says so.
func (w *world) makeRoute(s *service.Service) service.Routes {
	return service.Routes{"POST /make": func(rw http.ResponseWriter, r *http.Request) {
		var m made
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		err := s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			fresh, err := tx.Exec(ctx, `insert into op (id) values ($1) on conflict (id) do nothing`, m.Op)
			if err != nil || fresh == 0 {
				return err
			}
			if err := tx.QueryRow(ctx, `insert into item (k, n) values ($1, 1) on conflict (k) do update set n = item.n + 1 returning n`, m.Key).Scan(&m.N); err != nil {
				return err
			}
			return tx.Publish(ctx, m)
		})
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		rw.WriteHeader(http.StatusAccepted)
	}}
}

func effect(ctx context.Context, tx *outbox.Tx, key string, n int, id string) error {
	_, err := tx.Exec(ctx, `insert into effect (k, n, id) values ($1, $2, $3)`, key, n, id)
	return err
}

func (w *world) move(ctx context.Context, tx *outbox.Tx, e *leat.Event[made]) error {
	// The effect comes before the failure, so that a failure which is not rolled back shows.
	if err := effect(ctx, tx, e.Data.Key, e.Data.N, e.ID()); err != nil {
		return err
	}
	if err := tx.Publish(ctx, move(e)); err != nil {
		return err
	}
	return w.fail(e.Data.Op)
}

func (w *world) moveAll(ctx context.Context, tx *outbox.Tx, events []*leat.Event[made]) error {
	var faults []error
	for i, e := range events {
		faults = append(faults, leat.FaultAt(i, w.move(leat.NewContext(ctx, e.Envelope), tx, e)))
	}
	return errors.Join(faults...)
}

func (w *world) turn(_ context.Context, e *leat.Event[made]) ([]moved, error) {
	return []moved{move(e)}, w.fail(e.Data.Op)
}

func (w *world) fail(op string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.fates[op]
	switch {
	case f == nil:
		return nil
	case f.away > 0:
		f.away--
		w.aways++
		return leat.Unavailable(errors.New("the world is away"))
	case f.fails > 0:
		f.fails--
		w.retries++
		return fmt.Errorf("operation %s does not feel like it", op)
	case f.doomed && f.permanent:
		return leat.Permanent(fmt.Errorf("operation %s will not", op))
	case f.doomed:
		w.retries++
		return fmt.Errorf("operation %s can not", op)
	}
	return nil
}

// mend lets what was to fail succeed from now on.
func (w *world) mend(op string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.fates[op]; f != nil && f.doomed {
		f.doomed, f.mended = false, true
	}
}

// fateOf says how an operation has to end.
func (w *world) fateOf(op string) (doomed, mended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.fates[op]
	return f != nil && f.doomed, f != nil && f.mended
}

func take(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
	return effect(ctx, tx, e.Data.Key, e.Data.N, e.ID())
}

func (w *world) watch(_ context.Context, e *leat.Event[made]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outage {
		w.outaged++
		return errors.New("what it calls is away")
	}
	w.seen[e.Data.Key] = append(w.seen[e.Data.Key], e.Data.N)
	return nil
}
