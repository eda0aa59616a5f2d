package outbox

import (
	"testing"
	"time"
)

// TestAPositionKeepsItsPlace has batches whose memory is used again, and one between them that brought
// rows alone.
func TestAPositionKeepsItsPlace(t *testing.T) {
	t.Parallel()
	one := &batch{said: place{Commit: 100, Number: 2}}
	p := position{}.next(one, nil, nil, time.Unix(0, 0))
	*one = batch{said: place{Commit: 900, Number: 1}} // the read after the next
	rows := &batch{ids: ids{}.add(7)}
	p = p.next(rows, nil, nil, time.Unix(1, 0))
	if p.Said == nil || *p.Said != (place{Commit: 100, Number: 2}) {
		t.Errorf("the position names %+v, want the place that has left: 100, 2", p.Said)
	}
	if p.Number != 2 || p.Rows.count() != 1 {
		t.Errorf("got %+v", p)
	}
}
