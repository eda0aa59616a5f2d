package telemetry_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/leatdev/leat/internal/telemetry"
)

func ExampleRegistry() {
	reg := telemetry.NewRegistry().For("payment")
	events := reg.Counter("leat_consumer_events_total", "Attempts on events, by outcome.", "outcome")
	events.With("done").Inc()

	w := httptest.NewRecorder()
	reg.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "leat_") {
			fmt.Print(line)
		}
	}
	// Output: leat_consumer_events_total{outcome="done",service="payment"} 1
}
