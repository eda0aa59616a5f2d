package service

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/outbox"
)

// Each field arrives, and where none is set nothing changes.
func TestTuningArrivesInTheWorkersConfigs(t *testing.T) {
	type configs struct {
		consumer consumer.Config
		share    consumer.ShareConfig
		outbox   outbox.Config
		relay    outbox.RelayConfig
	}
	apply := func(tuning Tuning) configs {
		c := configs{relay: outbox.RelayConfig{Pause: time.Second}}
		c.consumer.Transforms.Source = "order"
		tuning.consumer(&c.consumer)
		tuning.share(&c.share)
		tuning.outbox(&c.outbox)
		tuning.relay(&c.relay)
		return c
	}
	same := []cmp.Option{cmp.AllowUnexported(configs{}), cmpopts.EquateEmpty()}
	before := apply(Tuning{})
	if want := (configs{consumer: consumer.Config{Transforms: consumer.TransformConfig{Source: "order"}}, relay: outbox.RelayConfig{Pause: time.Second}}); !cmp.Equal(before, want, same...) {
		t.Error(cmp.Diff(want, before, same...))
	}
	kind := reflect.TypeFor[Tuning]()
	for i := range kind.NumField() {
		var tuning Tuning
		reflect.ValueOf(&tuning).Elem().Field(i).SetInt(int64(7 * time.Minute))
		after := apply(tuning)
		if cmp.Equal(before, after, same...) {
			t.Errorf("%s goes nowhere", kind.Field(i).Name)
		}
		if name := kind.Field(i).Name; cmp.Equal(before.share, after.share, same...) == slices.Contains([]string{"MaxPayload", "HungAfter", "LeaveAfter"}, name) {
			t.Errorf("%s: the share group has %+v", name, after.share)
		}
	}
}
