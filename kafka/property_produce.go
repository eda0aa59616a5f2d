package kafka

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	ofBatches  = "batches fill up to max.request.size while linger.ms lasts; set those"
	ofRetries  = "delivery.timeout.ms bounds the retries; set that"
	ofCodec    = "the service's codec says how events are encoded; leave it out"
	ofClasses  = "Java classes do not run here; leave it out"
	partitions = "leat partitions by key as Java does: two partitioners on one topic break the order of keys"
)

// produceProperties are those of producers.
var produceProperties = map[string]property{
	"acks":                     {apply: only("all", "-1", "less than all in-sync replicas would lose acknowledged events")},
	"request.required.acks":    {apply: only("all", "-1", "less than all in-sync replicas would lose acknowledged events")},
	"enable.idempotence":       {apply: only("true", "", "without it, retries double and reorder events")},
	"enable.gapless.guarantee": {refuse: "what is buffered behind a failed event fails with it; leave it out"},
	"linger.ms":                {apply: linger},
	"queue.buffering.max.ms":   {apply: linger},
	"batch.size":               {refuse: ofBatches},
	"batch.num.messages":       {refuse: ofBatches},
	"max.request.size":         {apply: maxMessage},
	"message.max.bytes":        {apply: maxMessage},
	"message.copy.max.bytes":   {refuse: "it has no meaning here; leave it out"},
	"compression.type":         {apply: compressionType},
	"compression.codec":        {apply: compressionType},
	"compression.level":        {apply: compressionLevel("")},
	"compression.gzip.level":   {apply: compressionLevel("gzip")},
	"compression.lz4.level":    {apply: compressionLevel("lz4")},
	"compression.zstd.level":   {apply: compressionLevel("zstd")},
	"buffer.memory":            {apply: number(1<<16, math.MaxInt, func(r *resolved, n int) error { r.maxBuffer = n; return nil })},
	"queue.buffering.max.kbytes": {apply: number(64, math.MaxInt>>10, func(r *resolved, n int) error {
		r.maxBuffer = n << 10
		return nil
	})},
	"queue.buffering.max.messages":             {apply: number(1, math.MaxInt, func(r *resolved, n int) error { return r.opt(kgo.MaxBufferedRecords(n)) })},
	"delivery.timeout.ms":                      {apply: deliveryTimeout},
	"message.timeout.ms":                       {apply: deliveryTimeout},
	"max.block.ms":                             {refuse: "a send waits for room as long as its context allows; leave it out"},
	"retries":                                  {refuse: ofRetries},
	"message.send.max.retries":                 {refuse: ofRetries},
	"max.in.flight.requests.per.connection":    {refuse: "the client keeps the order with as many as it can; leave it out"},
	"max.in.flight":                            {refuse: "the client keeps the order with as many as it can; leave it out"},
	"partitioner.class":                        {refuse: partitions},
	"partitioner":                              {apply: murmur2Only},
	"partitioner.ignore.keys":                  {apply: only("false", "", "without the key there is no order")},
	"partitioner.adaptive.partitioning.enable": {apply: only("true", "", "keyless events go to the partition that is quickest")},
	"partitioner.availability.timeout.ms":      {refuse: "keyless events avoid partitions without a leader anyway; leave it out"},
	"sticky.partitioning.linger.ms":            {refuse: "keyless events change partition after 64 KiB; leave it out"},
	"transactional.id":                         {refuse: "the relay derives its own from the outbox; leave it out"},
	"transaction.timeout.ms": {apply: millis(time.Second, 15*time.Minute, func(r *resolved, d time.Duration) error {
		r.txnTimeout = d
		return r.opt(kgo.TransactionTimeout(d))
	})},
	"key.serializer":      {refuse: ofCodec},
	"value.serializer":    {refuse: ofCodec},
	"interceptor.classes": {refuse: ofClasses},
	"metric.reporters":    {refuse: ofClasses},
}

func linger(r *resolved, v string) error {
	return millis(0, time.Minute, func(r *resolved, d time.Duration) error { return r.opt(kgo.ProducerLinger(d)) })(r, v)
}

func maxMessage(r *resolved, v string) error {
	return number(512, 1<<30, func(r *resolved, n int) error {
		r.maxMessage = n
		return r.opt(kgo.ProducerBatchMaxBytes(int32(n)), kgo.BrokerMaxWriteBytes(int32(max(n, 100<<20))))
	})(r, v)
}

func deliveryTimeout(r *resolved, v string) error {
	return millis(time.Second, math.MaxInt32*time.Millisecond, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.RecordDeliveryTimeout(d))
	})(r, v)
}

func compressionType(r *resolved, v string) error {
	r.codec.name = strings.ToLower(v)
	return nil
}

// compressionLevel takes a level for the codec, or for whichever is chosen where codec is "".
func compressionLevel(codec string) func(*resolved, string) error {
	return func(r *resolved, v string) error {
		level, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("%q is no number", v)
		}
		r.codec.levels = append(r.codec.levels, codecLevel{codec, level})
		return nil
	}
}

func murmur2Only(_ *resolved, v string) error {
	switch v {
	case "murmur2", "murmur2_random":
		return nil
	}
	return fmt.Errorf("%q can't be had, only murmur2_random: %s", v, partitions)
}

type codecLevel struct {
	codec string
	level int
}

// compression is the codec of that name, and no compression for brokers that don't know it. Levels
// for other codecs are an error: they would have no effect.
func compression(name string, levels []codecLevel) ([]kgo.CompressionCodec, error) {
	codecs := map[string]kgo.CompressionCodec{
		"none":   kgo.NoCompression(),
		"gzip":   kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(),
		"lz4":    kgo.Lz4Compression(),
		"zstd":   kgo.ZstdCompression(),
	}
	codec, ok := codecs[name]
	if !ok {
		return nil, fmt.Errorf("%q is none of none, gzip, snappy, lz4, zstd", name)
	}
	for _, l := range levels {
		if l.codec != "" && l.codec != name || name == "none" || name == "snappy" {
			return nil, fmt.Errorf("a level for %s has no effect on %s", l.codec, name)
		}
		codec = codec.WithLevel(l.level)
	}
	if name == "none" {
		return []kgo.CompressionCodec{codec}, nil
	}
	return []kgo.CompressionCodec{codec, kgo.NoCompression()}, nil
}
