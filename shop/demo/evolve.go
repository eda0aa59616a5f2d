package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

// Three releases of one contract, as three releases of the service review have them. The second adds an
// optional field; the third makes a text of a number.
type (
	written1 struct {
		ReviewID string `json:"review_id"`
		Stars    int64  `json:"stars"`
	}
	written2 struct {
		ReviewID string  `json:"review_id"`
		Stars    int64   `json:"stars"`
		Words    *string `json:"words"`
	}
	written3 struct {
		ReviewID string `json:"review_id"`
		Stars    string `json:"stars"`
	}
)

const typeReview = "shop.review.written.v1"

func (written1) EventType() string  { return typeReview }
func (written2) EventType() string  { return typeReview }
func (written3) EventType() string  { return typeReview }
func (e written1) EventKey() string { return e.ReviewID }
func (e written2) EventKey() string { return e.ReviewID }
func (e written3) EventKey() string { return e.ReviewID }

// Keys of the reviews begin like this, by the release that wrote them.
const (
	byOld = "old-"
	byNew = "new-"
)

// story is what happened when a running contract was changed twice.
type story struct {
	read    [2][2]atomic.Int64 // [reader][writer]: events, 0 the old release, 1 the new one
	refused string             // the registry's reason
	err     error              // what went otherwise than it has to
	done    chan struct{}      // closed at the end
}

// storyLimit is how long the story may take: a member of an earlier run that was killed holds up its
// group for as long as its session lasts.
const storyLimit = 2 * time.Minute

// evolve changes a running contract: an old and a new instance of the service review work side by side
// in one group, until each has read what both of them wrote; a release that breaks the contract does
// not come up.
func (d *demo) evolve(ctx context.Context) *story {
	s := &story{done: make(chan struct{})}
	go func() { // ends within storyLimit, or with ctx; run waits for it
		defer close(s.done)
		ctx, cancel := context.WithTimeoutCause(ctx, storyLimit, fmt.Errorf("it took more than %v", storyLimit))
		defer cancel()
		s.err = s.play(ctx, service.HostConfig{
			Kafka: d.where, Registry: d.registry, Prefix: d.journal.head.Prefix, Logger: d.cfg.Logger, DrainTimeout: time.Second,
		})
	}()
	return s
}

func (s *story) play(ctx context.Context, on service.HostConfig) error {
	old, endOld, err := startReview(ctx, on, review(func(e written1) { s.see(0, e.ReviewID) }))
	if err != nil {
		return fmt.Errorf("the old release: %w", err)
	}
	defer endOld()
	fresh, endFresh, err := startReview(ctx, on, review(func(e written2) { s.see(1, e.ReviewID) }))
	if err != nil {
		return fmt.Errorf("the new release, with an optional field more: %w", err)
	}
	defer endFresh()
	words, run := "would order again", leat.NewID()
	for n := 0; !s.whole(); n++ {
		key := fmt.Sprintf("%s-%d", run, n)
		err := errors.Join(
			old.Service("review").Send(ctx, written1{byOld + key, 4}),
			fresh.Service("review").Send(ctx, written2{byNew + key, 5, &words}),
		)
		if err != nil {
			return fmt.Errorf("write reviews: %w", err)
		}
		if !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("old and new release side by side: %w", context.Cause(ctx))
		}
	}
	_, endBreaking, err := startReview(ctx, on, review(func(written3) {}))
	refusal, ok := errors.AsType[*schema.RegistryError](err)
	switch {
	case err == nil:
		endBreaking()
		return errors.New("a release whose contract breaks came up")
	case !ok || !errors.Is(err, schema.ErrIncompatible):
		return fmt.Errorf("a release whose contract breaks: %w", err)
	}
	s.refused = reason(refusal.Message)
	return nil
}

// see counts what a reader was given.
func (s *story) see(reader int, id string) {
	writer := 0
	if strings.HasPrefix(id, byNew) {
		writer = 1
	}
	s.read[reader][writer].Add(1)
}

// whole says whether both have read what both wrote.
func (s *story) whole() bool {
	for r := range s.read {
		for w := range s.read[r] {
			if s.read[r][w].Load() == 0 {
				return false
			}
		}
	}
	return true
}

// review is the service with the contract of one release.
func review[T leat.Keyed](see func(T)) service.Config {
	var event T
	topic := leat.Topic{Name: "shop.reviews", Carries: []any{event}, Encoding: leat.Avro}
	return service.Config{
		Name: "review", Owns: []leat.Topic{topic},
		Handlers: []leat.Handler{consumer.On(topic, func(_ context.Context, e *leat.Event[T]) error {
			see(e.Data)
			return nil
		})},
	}
}

// startReview starts an instance and waits until it is ready; end drains it.
func startReview(ctx context.Context, on service.HostConfig, s service.Config) (host *service.Host, end func(), err error) {
	on.Services = []service.Config{s}
	if host, err = service.NewHost(on); err != nil {
		return nil, nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // stopped by end, which waits for it
	ended := make(chan error, 1)
	go func() { ended <- host.Run(running) }()
	end = func() { stop(); <-ended }
	for host.Ready() != nil {
		select {
		case err := <-ended:
			stop()
			return nil, nil, err
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			end()
			return nil, nil, context.Cause(ctx)
		}
	}
	return host, end, nil
}

// tell says what happened, in a few lines; it is called when done is closed.
func (s *story) tell() string {
	if s.err != nil {
		return fmt.Sprintf("contract         a change of a running contract went wrong: %v\n", s.err)
	}
	return fmt.Sprintf(`contract         %s + an optional field: the old release read %d of its own and %d of the new one,
                 the new release %d and %d, side by side in one group
                 stars as a text: refused, %s
`, typeReview, s.read[0][0].Load(), s.read[0][1].Load(), s.read[1][0].Load(), s.read[1][1].Load(), s.refused)
}

// reason is the first difference that a registry's refusal names, in its own words.
func reason(message string) string {
	_, text, found := strings.Cut(message, "description:")
	if !found {
		text = message
	}
	text, _, _ = strings.Cut(text, ", additionalInfo")
	return text
}
