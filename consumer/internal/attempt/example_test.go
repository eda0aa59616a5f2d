package attempt_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
)

// An event is tried twice more, and given up.
func ExampleJudge() {
	retry := leat.Retry{Attempts: 3, Base: time.Second, Max: time.Minute}
	refused := errors.New("refused")
	var past attempt.History
	for {
		v := attempt.Judge(refused, past, retry, 0.5)
		past.Note(refused, v, time.Unix(0, 0))
		if v.Act == attempt.GiveUp {
			past.Advance(v.Reason, false)
			fmt.Println(past.Attempts, past.Reason, past.Stage == attempt.Burying)
			return
		}
		fmt.Println("again after", v.Delay)
	}
	// Output:
	// again after 500ms
	// again after 1s
	// 3 exhausted true
}
