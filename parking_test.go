package leat_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
)

func TestParkingDefaults(t *testing.T) {
	t.Parallel()
	p := leat.Parking{}.WithDefaults()
	if want := []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}; !slices.Equal(p.Tiers, want) {
		t.Errorf("tiers %v, want %v", p.Tiers, want)
	}
	if p.MaxPerKey != 1000 || p.MaxKeys != 10_000 || p.OnDead != leat.SkipKey || p.WhenFull != leat.PausePartition {
		t.Errorf("defaults %+v", p)
	}
	if none := (leat.Parking{Tiers: []time.Duration{}}).WithDefaults(); len(none.Tiers) != 0 {
		t.Errorf("no tiers became %v", none.Tiers)
	}
	if got := leat.ParkTopic("shop.orders", "billing"); got != "shop.orders.billing.park" {
		t.Errorf("park topic %s", got)
	}
}

func TestParkingValidate(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]leat.Parking{
		"tier 2 is -1s":    {Tiers: []time.Duration{1, -time.Second}},
		"MaxAge is -1ns":   {MaxAge: -1},
		"there is no tier": {MaxAge: 1, Tiers: []time.Duration{}},
		"OnDead is 9":      {OnDead: 9},
		"WhenFull is 9":    {WhenFull: 9},
		"negative":         {MaxKeys: -1},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
	if err := (leat.Parking{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestFenceTravelsInTheContext(t *testing.T) {
	t.Parallel()
	if _, ok := leat.FenceOf(t.Context()); ok {
		t.Error("a fence where none was set")
	}
	want := leat.Fence{Group: "g", Topic: "t", Partition: 3, Epoch: 7}
	ctx, cancel := context.WithCancel(leat.WithFence(t.Context(), want))
	defer cancel()
	if got, ok := leat.FenceOf(ctx); !ok || got != want {
		t.Errorf("fence %v, want %v", got, want)
	}
	if got := want.String(); got != "g on t/3, epoch 7" {
		t.Error(got)
	}
}
