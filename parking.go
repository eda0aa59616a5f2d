package leat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Parking is what happens to an event whose inline attempts are used up: it moves to its group's park
// topic ([ParkTopic]) and is tried again from there after longer and longer waits. Later events of its
// key queue behind it, other keys run on at full speed. The zero value is Tiers of 10 s, 1 min and 10
// min, then the dead letters, and the key goes on.
type Parking struct {
	// Tiers are the waits before the attempts from the park topic: one attempt each. Nil: 10 s, 1 min,
	// 10 min. Empty and not nil: no attempt; what failed goes to the dead letters at once, in a way that
	// OnDead and redrive can rely on.
	Tiers []time.Duration
	// MaxAge, where above 0, repeats the last tier until the first failure is that long ago (reason
	// "expired"). 0: each tier once (reason "exhausted").
	MaxAge time.Duration
	// OnDead is what becomes of a key whose event went to the dead letters; the default is SkipKey.
	OnDead OnDead
	// MaxPerKey bounds the parked events of one key; 0: 1000.
	MaxPerKey int
	// MaxKeys bounds the parked keys of one partition; 0: 10000.
	MaxKeys int
	// WhenFull is what happens to the next event at one of these bounds; the default is
	// PausePartition.
	WhenFull WhenFull
}

// OnDead says what becomes of a key when one of its events goes to the dead letters.
type OnDead uint8

const (
	// SkipKey lets the key's next event run.
	SkipKey OnDead = iota
	// HoldKey sends the key's later events to the dead letters too (reason "blocked"), until they are
	// all redriven or the key is released by hand: none of them takes effect out of order.
	HoldKey
)

// WhenFull says what happens when a key or a partition has as much parked as it may.
type WhenFull uint8

const (
	// PausePartition takes no more events of the partition until there is room; it says so in Ready.
	PausePartition WhenFull = iota
	// BlockKey sends what would have to be parked to the dead letters (reason "blocked").
	BlockKey
)

// Defaults of Parking.
const (
	DefaultMaxPerKey = 1000
	DefaultMaxKeys   = 10_000
)

// WithDefaults fills what is zero.
func (p Parking) WithDefaults() Parking {
	if p.Tiers == nil {
		p.Tiers = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}
	}
	if p.MaxPerKey == 0 {
		p.MaxPerKey = DefaultMaxPerKey
	}
	if p.MaxKeys == 0 {
		p.MaxKeys = DefaultMaxKeys
	}
	return p
}

// Validate reports impossible values.
func (p Parking) Validate() error {
	var errs []error
	for i, d := range p.Tiers {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("parking: tier %d is %v, want more than 0", i+1, d))
		}
	}
	if p.MaxAge < 0 {
		errs = append(errs, fmt.Errorf("parking: MaxAge is %v, want 0 (each tier once) or more", p.MaxAge))
	}
	if p.MaxAge > 0 && p.Tiers != nil && len(p.Tiers) == 0 {
		errs = append(errs, errors.New("parking: MaxAge repeats the last tier, but there is no tier"))
	}
	if p.OnDead > HoldKey {
		errs = append(errs, fmt.Errorf("parking: OnDead is %d, want SkipKey or HoldKey", p.OnDead))
	}
	if p.WhenFull > BlockKey {
		errs = append(errs, fmt.Errorf("parking: WhenFull is %d, want PausePartition or BlockKey", p.WhenFull))
	}
	if p.MaxPerKey < 0 || p.MaxKeys < 0 {
		errs = append(errs, errors.New("parking: MaxPerKey and MaxKeys can't be negative; 0 is the default"))
	}
	return errors.Join(errs...)
}

// ParkTopic is the name of the topic in which group parks events of topic.
func ParkTopic(topic, group string) string { return topic + "." + group + ".park" }

// RedriveTopic is the name of the topic by which dead letters of topic go back to a group that does not
// park it. The group alone reads it.
func RedriveTopic(topic, group string) string { return topic + "." + group + ".redrive" }

// Fence is a claim to a partition of a parked topic: Epoch rises each time that a member of the group
// takes the partition over. What an older claim wants to do in a database is refused there (see
// outbox.Once).
type Fence struct {
	Group     string
	Topic     string // the source
	Partition int32
	Epoch     int64
}

// String is group, topic/partition and epoch.
func (f Fence) String() string {
	return fmt.Sprintf("%s on %s/%d, epoch %d", f.Group, f.Topic, f.Partition, f.Epoch)
}

// FencedError says that a claim is not the newest one: another member has taken the partition over.
type FencedError struct {
	Fence  Fence
	Newest int64 // epoch of the newest claim
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("the claim of %v is over: there is a newer one, epoch %d", e.Fence, e.Newest)
}

type fenceKey struct{ _ byte }

// WithFence carries the claim under which an attempt runs.
func WithFence(ctx context.Context, f Fence) context.Context {
	return context.WithValue(ctx, fenceKey{}, f)
}

// FenceOf is the claim under which the attempt runs; there is none where its topic is not parked.
func FenceOf(ctx context.Context) (Fence, bool) {
	f, ok := ctx.Value(fenceKey{}).(Fence)
	return f, ok
}

type fencesKey struct{ _ byte }

// WithFences carries the claims under which an attempt on events of several partitions runs.
func WithFences(ctx context.Context, claims []Fence) context.Context {
	return context.WithValue(ctx, fencesKey{}, claims)
}

// FencesOf are all claims under which the attempt runs: of a batch, those to its parked partitions.
func FencesOf(ctx context.Context) []Fence {
	if claims, ok := ctx.Value(fencesKey{}).([]Fence); ok {
		return claims
	}
	if f, ok := FenceOf(ctx); ok {
		return []Fence{f}
	}
	return nil
}
