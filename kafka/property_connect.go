package kafka

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	defaultBackoff    = 250 * time.Millisecond
	defaultBackoffMax = 5 * time.Second
)

// connectProperties are those of the connection and the client as a whole.
var connectProperties = map[string]property{
	"bootstrap.servers":    {apply: setBrokers},
	"metadata.broker.list": {apply: setBrokers},
	"client.id":            {apply: func(r *resolved, v string) error { r.ClientID = v; return nil }},
	"client.rack":          {apply: func(r *resolved, v string) error { return r.opt(kgo.Rack(v)) }},

	"request.timeout.ms": {apply: millis(100*time.Millisecond, 15*time.Minute, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.RequestTimeoutOverhead(d), kgo.ProduceRequestTimeout(d))
	})},
	"socket.timeout.ms": {apply: millis(100*time.Millisecond, 15*time.Minute, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.RequestTimeoutOverhead(d))
	})},
	"socket.connection.setup.timeout.ms": {apply: millis(10*time.Millisecond, 15*time.Minute, func(r *resolved, d time.Duration) error {
		r.dialer.timeout = d
		return nil
	})},
	"socket.connection.setup.timeout.max.ms": {refuse: "the timeout does not grow here; set socket.connection.setup.timeout.ms"},
	"connections.max.idle.ms": {apply: millis(100*time.Millisecond, 15*time.Minute, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.ConnIdleTimeout(d))
	})},
	"metadata.max.age.ms":                {apply: metadataAge},
	"topic.metadata.refresh.interval.ms": {apply: metadataAge},
	"metadata.max.idle.ms":               {refuse: "topics are not forgotten here"},
	"metadata.recovery.strategy":         {apply: only("none", "", "bootstrapping anew is not supported")},
	"retry.backoff.ms": {apply: millis(time.Millisecond, time.Minute, func(r *resolved, d time.Duration) error {
		r.backoff.base = d
		return nil
	})},
	"retry.backoff.max.ms": {apply: millis(time.Millisecond, 10*time.Minute, func(r *resolved, d time.Duration) error {
		r.backoff.max = d
		return nil
	})},
	"reconnect.backoff.ms":        {refuse: "connections are tried anew after retry.backoff.ms; set that"},
	"reconnect.backoff.max.ms":    {refuse: "connections are tried anew after retry.backoff.max.ms; set that"},
	"socket.keepalive.enable":     {apply: boolean(func(r *resolved, on bool) error { r.dialer.noKeepAlive = !on; return nil })},
	"socket.nagle.disable":        {apply: boolean(func(r *resolved, on bool) error { r.dialer.nagle = !on; return nil })},
	"send.buffer.bytes":           {apply: buffer(func(r *resolved) *int { return &r.dialer.sendBuffer })},
	"socket.send.buffer.bytes":    {apply: buffer(func(r *resolved) *int { return &r.dialer.sendBuffer })},
	"receive.buffer.bytes":        {apply: buffer(func(r *resolved) *int { return &r.dialer.readBuffer })},
	"socket.receive.buffer.bytes": {apply: buffer(func(r *resolved) *int { return &r.dialer.readBuffer })},
	"receive.message.max.bytes":   {apply: number(1<<10, 1<<30, func(r *resolved, n int) error { return r.opt(kgo.BrokerMaxReadBytes(int32(n))) })},
	"broker.address.family":       {apply: addressFamily},
	"client.dns.lookup":           {apply: only("use_all_dns_ips", "", "all addresses of a name are tried; reverse look-ups are not supported")},
	"allow.auto.create.topics": {apply: boolean(func(r *resolved, on bool) error {
		if on {
			return r.opt(kgo.AllowAutoTopicCreation())
		}
		return nil
	})},
	"enable.metrics.push": {apply: boolean(func(r *resolved, on bool) error {
		if !on {
			return r.opt(kgo.DisableClientMetrics())
		}
		return nil
	})},
	"check.crcs": {apply: boolean(func(r *resolved, on bool) error {
		if !on {
			return r.opt(kgo.DisableFetchCRCValidation())
		}
		return nil
	})},
}

func setBrokers(r *resolved, v string) error {
	r.Brokers = nil
	for b := range strings.SplitSeq(v, ",") {
		if b = strings.TrimSpace(b); b != "" {
			if _, rest, ok := strings.Cut(b, "://"); ok { // librdkafka takes SASL_SSL://host:port
				b = rest
			}
			r.Brokers = append(r.Brokers, b)
		}
	}
	if len(r.Brokers) == 0 {
		return errors.New("names no broker; write host:port, several with commas")
	}
	return nil
}

func metadataAge(r *resolved, v string) error {
	return millis(100*time.Millisecond, time.Hour, func(r *resolved, d time.Duration) error {
		if d < 5*time.Second {
			return r.opt(kgo.MetadataMaxAge(d), kgo.MetadataMinAge(d))
		}
		return r.opt(kgo.MetadataMaxAge(d))
	})(r, v)
}

func addressFamily(r *resolved, v string) error {
	networks := map[string]string{"any": "", "v4": "tcp4", "v6": "tcp6"}
	network, ok := networks[strings.ToLower(v)]
	if !ok {
		return fmt.Errorf("%q is none of any, v4, v6", v)
	}
	r.dialer.network = network
	return nil
}

// backoff doubles from base to most, less up to a fifth at random.
func backoff(base, most time.Duration) func(int) time.Duration {
	return func(fails int) time.Duration {
		d := base
		for i := 1; i < fails && d < most; i++ {
			d *= 2
		}
		return jitter(min(d, most))
	}
}
