package payload_test

import (
	"errors"
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/payload"
)

// The second event of a batch could not be read, so the handler got the first and the third.
func ExampleReplace() {
	places := []int{0, 2}
	err := payload.Replace(leat.FaultAt(1, errors.New("no")), places)
	faults, _ := leat.Faults(err)
	fmt.Println(faults)
	// Output: map[2:no]
}
