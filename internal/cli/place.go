package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/kafka"
)

// dateForms are the ways to write a time, in the local zone where it names none.
var dateForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// parseFrom reads a place in a topic: start, end, an offset (17), records before the end (-10), a
// time before now (-5m), or a time (2026-01-31, 2026-01-31T12:00:00Z).
func parseFrom(text string, now time.Time) (kafka.From, error) {
	switch text {
	case "start", "earliest", "beginning":
		return kafka.FromStart(), nil
	case "end", "latest":
		return kafka.FromEnd(0), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 {
			return kafka.FromEnd(-n), nil
		}
		return kafka.FromOffset(n), nil
	}
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
			return kafka.FromTime(now.Add(-d)), nil
		}
	}
	for _, form := range dateForms {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return kafka.FromTime(t), nil
		}
	}
	return kafka.From{}, fmt.Errorf("%q is no place to start: want start, end, an offset (17), records before the end (-10), how long ago (-5m) or a time (2026-01-31T12:00)", text)
}
