package devstack

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// headSize is what the guard reads of a frame before anyone sees it: size, key, version.
	headSize = 8
	// minFrame is the shortest request: key, version and correlation id.
	minFrame = 8
	// maxFrame is the largest request, as Kafka's socket.request.max.bytes.
	maxFrame = 100 << 20
	// wholeFrom is the size from which a frame is only shown once all of it has come: the broker
	// reserves the announced size at once, so that four bytes would cost it 100 MiB.
	wholeFrom = 1 << 20
)

// head is the beginning of a request frame.
type head struct {
	size         int64 // bytes after the size field
	key, version int16
}

func parseHead(b [headSize]byte) head {
	return head{
		size:    int64(binary.BigEndian.Uint32(b[:])), // unsigned, as the broker takes it
		key:     int16(binary.BigEndian.Uint16(b[4:])),
		version: int16(binary.BigEndian.Uint16(b[6:])),
	}
}

// check refuses what the broker would not survive.
func (h head) check() error {
	switch {
	case h.size < minFrame:
		return fmt.Errorf("a frame of %d bytes: too short for a Kafka request", h.size)
	case h.size > maxFrame:
		return fmt.Errorf("a frame of %d bytes: over the limit of %d; is this a Kafka client, without TLS?", h.size, maxFrame)
	case kmsg.RequestForKey(h.key) == nil:
		return fmt.Errorf("API key %d is unknown", h.key)
	case h.version < 0:
		return fmt.Errorf("version %d of API key %d is impossible", h.version, h.key)
	}
	return nil
}
