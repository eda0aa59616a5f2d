package kafka

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// opt adds options of franz-go; they win over the code's.
func (r *resolved) opt(opts ...kgo.Opt) error {
	r.opts = append(r.opts, opts...)
	return nil
}

func number(low, high int, set func(*resolved, int) error) func(*resolved, string) error {
	return func(r *resolved, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is no number from %d to %d", v, low, high)
		}
		return set(r, n)
	}
}

// millis reads milliseconds; librdkafka writes some with a fraction.
func millis(low, high time.Duration, set func(*resolved, time.Duration) error) func(*resolved, string) error {
	return func(r *resolved, v string) error {
		ms, err := strconv.ParseFloat(v, 64)
		d := time.Duration(ms * float64(time.Millisecond))
		if err != nil || math.IsNaN(ms) || ms > float64(high.Milliseconds()) || d < low {
			return fmt.Errorf("%q is no number of milliseconds from %d to %d", v, low.Milliseconds(), high.Milliseconds())
		}
		return set(r, d)
	}
}

func boolean(set func(*resolved, bool) error) func(*resolved, string) error {
	return func(r *resolved, v string) error {
		switch strings.ToLower(v) {
		case "true":
			return set(r, true)
		case "false":
			return set(r, false)
		}
		return fmt.Errorf("%q is neither true nor false", v)
	}
}

// only takes the value (or its second spelling) that is what leat does anyway.
func only(value, also, reason string) func(*resolved, string) error {
	return func(_ *resolved, v string) error {
		if strings.EqualFold(v, value) || also != "" && strings.EqualFold(v, also) {
			return nil
		}
		return fmt.Errorf("%q can't be had, only %s: %s", v, value, reason)
	}
}

// buffer reads a socket's buffer size; Java's -1 and librdkafka's 0 mean the system's.
func buffer(at func(*resolved) *int) func(*resolved, string) error {
	return number(-1, math.MaxInt32, func(r *resolved, n int) error { *at(r) = max(n, 0); return nil })
}
