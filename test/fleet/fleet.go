// Package fleet looks at processes of services from outside.
//
// # What
//
// [Get] fetches a page, [Look] reads from a process's metrics what it has in its hands, so that a run can
// kill it at such a moment.
//
// # Use
//
//	now, busy, err := fleet.Look(ctx, addr, before)
//
// # Guarantees
//
// A process is busy when it has records in its hands, or has finished some within the last second.
//
// # Failure
//
// A page that is not there is an error with its status and text.
//
// # Test
//
// The sums of metrics by example; the runs of test/e2e and test/chaos.
package fleet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Work is what a process has done and has in its hands.
type Work struct {
	At      time.Time // zero: never looked at
	Queued  float64
	Handled float64 // events and publications since it started
	Leading bool    // its relay empties the outbox
}

var client = http.Client{Timeout: 5 * time.Second}

// Get asks a process for a page that must be there.
func Get(ctx context.Context, addr, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", resp.StatusCode, body)
	}
	return string(body), err
}

// Look asks a service's process for its work. busy compares with what the last look has found.
func Look(ctx context.Context, addr string, before Work) (now Work, busy bool, err error) {
	text, err := Get(ctx, addr, "/metrics")
	if err != nil {
		return Work{}, false, err
	}
	now = Work{
		At: time.Now(), Queued: Sum(text, "leat_consumer_queued_records"),
		Handled: Sum(text, "leat_consumer_events_total") + Sum(text, "leat_outbox_published_total"),
		Leading: Sum(text, "leat_outbox_relay_state") > 0,
	}
	fresh := !before.At.IsZero() && now.At.Sub(before.At) <= time.Second
	return now, now.Queued > 0 || fresh && now.Handled > before.Handled, nil
}

// Sum adds up the samples of a metric.
func Sum(text, name string) (sum float64) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if v, err := strconv.ParseFloat(fields[0], 64); err == nil {
			sum += v
		}
	}
	return sum
}
