package service_test

import (
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest/stack"
	"github.com/leatdev/leat/service"
)

func TestTuningThatCantBeEndsTheStart(t *testing.T) {
	t.Parallel()
	synced(t, func(t *testing.T, s *stack.Stack) {
		err := host(t, s, service.HostConfig{Services: []service.Config{
			{Name: "asker", Owns: []leat.Topic{requests}},
			{Name: "reader", Handlers: []leat.Handler{consumer.On(requests, ignore)}, Tuning: service.Tuning{MaxSpan: -1}},
		}}).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "MaxSpan is -1, want more than 0") {
			t.Errorf("the start ended with %v", err)
		}
	})
}
