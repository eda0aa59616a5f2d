package service

import (
	"time"

	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/outbox"
)

// Tuning are the bounds and times of a service's workers. Zero is the default that the field of the same
// meaning has, which also says what negative values mean; few services need another.
type Tuning struct {
	// MaxInFlight to LeaveAfter are those of [consumer.Config]; MaxPayload, HungAfter and LeaveAfter hold
	// for the share group, too.
	MaxInFlight      int
	MaxQueued        int
	MaxQueuedBytes   int
	MaxBytes         int
	MaxSpan          int
	MaxPayload       int
	CommitInterval   time.Duration
	RebalanceTimeout time.Duration
	HungAfter        time.Duration
	LeaveAfter       time.Duration

	// TransformEvents and TransformInterval are MaxEvents and CommitInterval of
	// [consumer.TransformConfig].
	TransformEvents   int
	TransformInterval time.Duration

	// InboxKeep is that of [outbox.Config].
	InboxKeep time.Duration
	// RelayPatience is Patience of [outbox.RelayConfig].
	RelayPatience time.Duration
}

func (t Tuning) consumer(c *consumer.Config) {
	c.MaxInFlight, c.MaxQueued, c.MaxQueuedBytes, c.MaxBytes = t.MaxInFlight, t.MaxQueued, t.MaxQueuedBytes, t.MaxBytes
	c.MaxSpan, c.MaxPayload = t.MaxSpan, t.MaxPayload
	c.CommitInterval, c.RebalanceTimeout, c.HungAfter, c.LeaveAfter = t.CommitInterval, t.RebalanceTimeout, t.HungAfter, t.LeaveAfter
	c.Transforms.MaxEvents, c.Transforms.CommitInterval = t.TransformEvents, t.TransformInterval
}

// share is consumer for the share group, which has bounds of its own.
func (t Tuning) share(c *consumer.ShareConfig) {
	c.MaxPayload, c.HungAfter, c.LeaveAfter = t.MaxPayload, t.HungAfter, t.LeaveAfter
}

func (t Tuning) outbox(c *outbox.Config) { c.InboxKeep = t.InboxKeep }

func (t Tuning) relay(c *outbox.RelayConfig) { c.Patience = t.RelayPatience }
