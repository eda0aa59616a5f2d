package registry_test

import (
	"testing"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema/registry"
)

// The clusters that logs are tested on, and where registries listen.
var _ = func() bool {
	registry.Clusters["kfake"] = func(t testing.TB) kafka.Config { return broker.Fake(t, broker.FakeConfig{}).Config() }
	registry.Clusters["kafka"] = func(t testing.TB) kafka.Config { return broker.Real(t).Config() }
	registry.FreeAddr = func(t testing.TB) string {
		addrs, err := server.FreeAddrs(1)
		if err != nil {
			t.Fatal(err)
		}
		return addrs[0]
	}
	return true
}()
