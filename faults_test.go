package leat_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/leatdev/leat"
)

func TestFaultsAreToldByIndex(t *testing.T) {
	t.Parallel()
	a, b := errors.New("a"), leat.Permanent(errors.New("b"))
	for name, c := range map[string]struct {
		err  error
		want map[int]error // nil: the batch failed as a whole
	}{
		"none":                {nil, nil},
		"plain":               {a, nil},
		"one":                 {leat.FaultAt(2, a), map[int]error{2: a}},
		"joined":              {errors.Join(leat.FaultAt(2, a), leat.FaultAt(0, b)), map[int]error{0: b, 2: a}},
		"joined twice":        {errors.Join(errors.Join(leat.FaultAt(2, a)), leat.FaultAt(0, b)), map[int]error{0: b, 2: a}},
		"wrapped":             {fmt.Errorf("write: %w", leat.FaultAt(1, a)), map[int]error{1: a}},
		"first of two counts": {errors.Join(leat.FaultAt(1, b), leat.FaultAt(1, a)), map[int]error{1: b}},
		"one without index":   {errors.Join(leat.FaultAt(1, b), a), nil},
		"with a plain cause":  {fmt.Errorf("%w: %w", a, leat.FaultAt(1, b)), nil},
		"inside another":      {leat.Permanent(leat.FaultAt(1, a)), map[int]error{1: a}},
		"no fault":            {errors.Join(leat.FaultAt(1, nil), nil), nil},
	} {
		got, ok := leat.Faults(c.err)
		if ok != (c.want != nil) || len(got) != len(c.want) {
			t.Errorf("%s: %v %v, want %v", name, got, ok, c.want)
		}
		for i, want := range c.want {
			if got[i] != want {
				t.Errorf("%s: fault at %d is %v, want %v", name, i, got[i], want)
			}
		}
	}
	if leat.IsPermanent(errors.Join(leat.FaultAt(1, b))) {
		t.Error("one event's fault is taken for the batch's")
	}
}
