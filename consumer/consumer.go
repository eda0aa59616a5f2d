package consumer

import (
	"context"
	"errors"
)

// Consumer is one member of a consumer group.
type Consumer struct {
	cfg Config
}

// New makes a consumer, and reports all that is wrong with cfg. It starts nothing.
func New(cfg Config) (*Consumer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Consumer{cfg: cfg.withDefaults()}, nil
}

// Run joins the group and handles events until ctx ends; then it takes no new work, finishes what is
// in hand within DrainTimeout, commits, leaves the group and returns nil.
func (c *Consumer) Run(ctx context.Context) error {
	return errors.New("not yet able to run")
}

// Ready is nil while the group works, or says which partition waits for what.
func (c *Consumer) Ready() error { return errors.New("not joined yet") }
