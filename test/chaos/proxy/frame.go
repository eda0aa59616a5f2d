package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// API is a kind of Kafka request, by its key in the protocol.
type API int16

// The requests that chaos is interested in.
const (
	Produce         API = 0
	Fetch           API = 1
	OffsetCommit    API = 8
	OffsetFetch     API = 9
	FindCoordinator API = 10
	JoinGroup       API = 11
	Heartbeat       API = 12
	SyncGroup       API = 14
	InitProducerID  API = 22
	AddPartitions   API = 24
	AddOffsets      API = 25
	EndTxn          API = 26
	TxnOffsetCommit API = 28
	GroupHeartbeat  API = 68
)

// mostFrame is the largest frame that is believed: Kafka's own limit of a request.
const mostFrame = 100 << 20

// head is what the proxy knows of a frame.
type head struct {
	size        int // of what follows the size itself
	api         API
	version     int16
	correlation int32
	client      string
}

var errNotKafka = errors.New("not a frame of Kafka's protocol")

// requestHead looks at the request that comes next without taking it: size, api key, version,
// correlation id and client id, which every version of the header begins with (KIP-511).
func requestHead(r *bufio.Reader) (head, error) {
	fixed, err := r.Peek(14)
	if err != nil {
		return head{}, err
	}
	h := head{
		size: int(int32(binary.BigEndian.Uint32(fixed))), api: API(binary.BigEndian.Uint16(fixed[4:])),
		version: int16(binary.BigEndian.Uint16(fixed[6:])), correlation: int32(binary.BigEndian.Uint32(fixed[8:])),
	}
	n := int(int16(binary.BigEndian.Uint16(fixed[12:])))
	if h.size < 10 || h.size > mostFrame || n > h.size-10 || n > r.Size()-14 {
		return head{}, fmt.Errorf("%w: a request of %d bytes, client id of %d", errNotKafka, h.size, n)
	}
	if n > 0 {
		with, err := r.Peek(14 + n)
		if err != nil {
			return head{}, err
		}
		h.client = string(with[14:])
	}
	return h, nil
}

// replyHead looks at the reply that comes next without taking it.
func replyHead(r *bufio.Reader) (size int, correlation int32, err error) {
	fixed, err := r.Peek(8)
	if err != nil {
		return 0, 0, err
	}
	size = int(int32(binary.BigEndian.Uint32(fixed)))
	if size < 4 || size > mostFrame {
		return 0, 0, fmt.Errorf("%w: a reply of %d bytes", errNotKafka, size)
	}
	return size, int32(binary.BigEndian.Uint32(fixed[4:])), nil
}

// pass hands the next frame on, with its size.
func pass(w io.Writer, r *bufio.Reader, size int) error {
	_, err := io.CopyN(w, r, int64(size)+4)
	return err
}
