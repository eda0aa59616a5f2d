package control_test

import (
	"fmt"

	"github.com/leatdev/leat/consumer/control"
)

func Example() {
	pause := control.Record{Kind: control.Pause, Group: "payment", Topic: "shop.orders", Partition: control.All, ID: "1", Why: "the gateway is down"}
	value, err := pause.Encode()
	if err != nil {
		panic(err)
	}
	var state control.State
	state.Apply(pause.Key(), value)
	r, paused := state.Paused("payment", "shop.orders", 3)
	fmt.Println(paused, r.Scope(), "-", r.Why)
	// Output: true payment on shop.orders - the gateway is down
}
