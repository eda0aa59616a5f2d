package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Ports come from below 32768, where Linux starts to give ports to outgoing
// connections: one of those could hold a server's port just when it restarts.
const (
	lowPort  = 15000
	highPort = 32000
)

// freePorts returns n different ports that nobody listens on at the moment, and that no other call
// returns while this process lives.
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
		held = append(held, l)
		ours, err := reserve(port)
		if err != nil {
			return nil, err
		}
		if ours {
			ports = append(ports, port)
		}
	}
	return nil, errors.New("find free ports between 15000 and 32000: none after 1000 tries")
}

// reserve takes a port for as long as this process lives, among all who take theirs here: a server needs
// seconds until it listens, and the tests of another package start theirs meanwhile.
func reserve(port int) (ours bool, err error) {
	dir := filepath.Join(os.TempDir(), "leat-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return false, fmt.Errorf("reserve a port: %w", err)
	}
	// No os.File, which would end the lock when nobody holds on to it.
	fd, err := syscall.Open(filepath.Join(dir, strconv.Itoa(port)), syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o666)
	if err != nil {
		return false, fmt.Errorf("reserve port %d: %w", port, err)
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = syscall.Close(fd)
		return false, nil // it is another's
	}
	return true, nil
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
