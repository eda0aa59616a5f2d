package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
)

// Brokers learn of a new topic one after the other, and one may be away: a start that is told by one
// that a topic is there, and by the next one that it is not, or nothing, waits and goes on.
func TestTopicThatNotEveryBrokerKnowsYetIsWaitedFor(t *testing.T) {
	unknown, other := fmt.Errorf("declare: %w", kafka.ErrNoTopic), errors.New("not allowed")
	for name, c := range map[string]struct {
		answers []error // of the brokers, in turn
		want    error
	}{
		"known":             {[]error{nil}, nil},
		"known a bit later": {[]error{unknown, unknown, nil}, nil},
		"a broker is away":  {[]error{fmt.Errorf("list topics: %w", io.EOF), nil}, nil},
		"another trouble":   {[]error{unknown, other, nil}, other},
		"never known":       {nil, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				asked := 0
				err := service.UntilThere(ctx, func() error {
					if asked++; len(c.answers) == 0 {
						return unknown
					}
					return c.answers[asked-1]
				})
				if !errors.Is(err, c.want) {
					t.Errorf("got %v after %d brokers, want %v", err, asked, c.want)
				}
			})
		})
	}
}
