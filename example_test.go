package leat_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
)

func ExampleRetry_Delay() {
	r := leat.Retry{Base: 100 * time.Millisecond, Max: time.Second}
	for attempt := 1; attempt <= 5; attempt++ {
		fmt.Println(r.Delay(attempt, 0.5))
	}
	// Output:
	// 50ms
	// 100ms
	// 200ms
	// 400ms
	// 500ms
}

func ExamplePermanent() {
	err := leat.Permanent(errors.New("over the card limit"))
	fmt.Println(leat.IsPermanent(err), err)
	// Output: true over the card limit
}
