package fleet_test

import (
	"fmt"

	"github.com/leatdev/leat/test/fleet"
)

func ExampleSum() {
	text := "leat_queued{topic=\"a b\"} 3\nleat_queued{topic=\"c\"} 4\nleat_queued_bytes{topic=\"a b\"} 100\n"
	fmt.Println(fleet.Sum(text, "leat_queued"))
	// Output: 7
}
