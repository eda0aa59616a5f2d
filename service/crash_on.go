//go:build crashpoint

package service

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// crashHook makes this process kill itself at a commit point, in a binary built with the tag
// crashpoint: LEAT_CRASH_AT=relay.produced:3 does so at the third pass, order/relay.produced:3 counts
// the passes of one service alone.
func crashHook() (func(service, point string), error) {
	text := os.Getenv("LEAT_CRASH_AT")
	if text == "" {
		return nil, nil
	}
	at, count, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("LEAT_CRASH_AT=%q: want point:n or service/point:n with n from 1", text)
	}
	var passes atomic.Int64
	return func(service, point string) {
		if point != at && service+"/"+point != at {
			return
		}
		if passes.Add(1) == n {
			fmt.Fprintf(os.Stderr, "crash point %s, pass %d, service %s\n", point, n, service)
			kill()
		}
	}, nil
}

// kill ends the process like kill -9 does: no deferred function, no drain.
func kill() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {} // until the signal arrives
}
