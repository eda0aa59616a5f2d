package leat_test

import (
	"strings"
	"testing"

	"github.com/leatdev/leat"
)

type keyCut struct{ ID string }

func (keyCut) EventType() string { return "hotel.key.cut.v1" }

// TestAHandlerOfTheOtherSideOfAPointerIsTold takes a value for a pointer, and the other way round.
func TestAHandlerOfTheOtherSideOfAPointerIsTold(t *testing.T) {
	t.Parallel()
	values := leat.Topic{Name: "keys", Carries: []any{keyCut{}}}
	pointers := leat.Topic{Name: "keys", Carries: []any{leat.KindOf("hotel.key.cut.v1", func(k *keyCut) string { return k.ID })}}
	for want, h := range map[string]leat.Handler{
		"carries *leat_test.keyCut, and the handler takes leat_test.keyCut: let it take *leat_test.keyCut": leat.NewHandler[keyCut](pointers, nil),
		"carries leat_test.keyCut, and the handler takes *leat_test.keyCut: let it take leat_test.keyCut":  leat.NewHandler[*keyCut](values, nil),
	} {
		if h.Err == nil || !strings.Contains(h.Err.Error(), want) {
			t.Errorf("got %v, want %q", h.Err, want)
		}
	}
}
