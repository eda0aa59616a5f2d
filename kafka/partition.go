package kafka

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// PartitionOf is the partition that Java's producer, and so leat's, chooses for a key on a topic
// with n partitions: murmur2, without its sign, modulo n. A nil key has no partition of its own; nor
// has anything on a topic without partitions: both are -1.
func PartitionOf(key []byte, n int) int32 {
	if key == nil || n < 1 {
		return -1
	}
	return int32(murmur2(key) & 0x7fffffff % uint32(n))
}

// murmur2 is Austin Appleby's 32-bit hash with Kafka's seed.
func murmur2(data []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := seed ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		k ^= k >> r
		h = h*m ^ k*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// partitioner sends keyed records where Java's producer sends them, and keyless ones to one
// partition for 64 KiB at a time, the least loaded first.
func partitioner() kgo.Partitioner {
	return kgo.UniformBytesPartitioner(64<<10, true, true, kgo.KafkaHasher(murmur2))
}

// jitter takes up to a fifth off d, at random.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Float64()*float64(d)/5)
}
