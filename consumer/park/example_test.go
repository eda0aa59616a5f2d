package park_test

import (
	"fmt"

	"github.com/leatdev/leat/consumer/park"
)

// An event fails, waits in the park partition and is done at the second attempt; the next one of its
// key waits behind it.
func Example() {
	core := park.New(park.Config{}, park.Start{Epoch: 1})
	var log []park.Record // the park partition
	do := func(effects []park.Effect) {
		for _, e := range effects {
			if e.Do == park.Append {
				log = append(log, e.Record)
				fmt.Printf("append %q\n", e.Record.Header().Value)
			} else {
				fmt.Println(e.Do, e.Event.Offset)
			}
		}
	}
	read := func() {
		last := log[len(log)-1]
		do(core.Apply(last, int64(len(log)-1)))
	}
	key := park.KeyOf([]byte("order-1"), 0)

	do(core.Open())
	read()
	do(core.Begin())
	do(core.Source(key, 0))
	do(core.Result(park.Event{Key: key}, park.Retry, park.Past{Attempts: 1}, ""))
	read()
	do(core.Source(key, 1))
	read()
	do(core.Attempt(key, 0, 0))
	do(core.Result(park.Event{Key: key, Parked: true}, park.Done, park.Past{}, ""))
	// Output:
	// append "1 mark epoch=1"
	// begin 0
	// run 0
	// append "1 park epoch=1 offset=0 attempts=1"
	// next 0
	// settle 0
	// due 0
	// append "1 park epoch=1 offset=1"
	// next 1
	// settle 1
	// run 0
	// append "1 fin epoch=1 offset=0"
	// due 1
}
