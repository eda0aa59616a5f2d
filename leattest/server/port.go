package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports come from below 32768, where Linux starts to give ports to outgoing
// connections: one of those could hold a server's port just when it restarts.
const (
	lowPort  = 15000
	highPort = 32000
)

// freePorts returns n different ports that nobody listens on at the moment.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	held := make([]net.Listener, 0, n) // until all are found, so that none is found twice
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := lowPort + rand.IntN(highPort-lowPort)
		l, err := net.Listen("tcp", local(port))
		if err != nil {
			continue // taken: the next one
		}
		ports, held = append(ports, port), append(held, l)
	}
	return nil, errors.New("find free ports between 15000 and 32000: none after 1000 tries")
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
