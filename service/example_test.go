package service_test

import (
	"encoding/json"
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/service"
)

// A service is a value: what it reads and writes is known before it runs.
func ExampleConfig_Manifest() {
	worker := service.Config{
		Name:     "worker",
		Owns:     []leat.Topic{results},
		Handlers: []leat.Handler{consumer.On(requests, ignore)},
	}
	text, err := json.Marshal(worker.Manifest("").Consumes)
	fmt.Println(string(text), err)
	// Output: [{"topic":"test.requests","types":["test.thing.asked.v1"],"dead_letters":"test.requests.worker.dlq","redrive":"test.requests.worker.redrive"}] <nil>
}
