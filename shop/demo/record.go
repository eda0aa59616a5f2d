package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/contract"
)

// Keys of the records that the generator puts straight on the topics begin like this, so that they
// can be told from the shop's own.
const (
	keyBad     = "demo-bad-"
	keyUnknown = "demo-unknown-"
)

// headerRepeat marks an event that the generator sent again.
const headerRepeat = "demo-repeat"

// typeUnknown is on no topic's list.
const typeUnknown = "shop.order.gift_wrapped.v1"

// reader is a group and the event types that it takes from a topic.
type reader struct {
	group string
	takes map[string]bool
}

// readersOf lists, by topic, which groups read it. Names of topics and groups have no prefix.
func readersOf(services []service.Config) map[string][]reader {
	readers := map[string][]reader{}
	for _, s := range services {
		mine := map[string]map[string]bool{}
		for _, h := range s.Handlers {
			if mine[h.Topic.Name] == nil {
				mine[h.Topic.Name] = map[string]bool{}
			}
			mine[h.Topic.Name][h.Kind.Type] = true
		}
		for topic, takes := range mine {
			readers[topic] = append(readers[topic], reader{s.Name, takes})
		}
	}
	return readers
}

// badRecord is a record that is no event, or none that can be read.
func badRecord(seed uint64, n int, t trouble, prefix string) kafka.Raw {
	r := source(seed, n, forRecord)
	topics := contract.Topics()
	topic := topics[r.IntN(len(topics))]
	raw := kafka.Raw{Topic: prefix + topic.Name, Partition: -1, Key: []byte(keyBad + strconv.Itoa(n))}
	kinds, _ := topic.Kinds() // the contract is valid: its tests say so
	kind := kinds[r.IntN(len(kinds))]
	switch t {
	case badBytes:
		raw.Value = randomBytes(r, 1+r.IntN(400))
	case badJSON: // all headers, and a value that is not what they say
		raw.Headers = eventHeaders(kind.Type, n)
		raw.Value = [][]byte{[]byte(`{"order_id": 17}`), []byte(`{"order_id": "x`), []byte(`[]`), []byte(`{}`), randomBytes(r, 50)}[r.IntN(5)]
	case badHeaders: // an event, had it its type
		raw.Headers = []leat.Header{{Key: kafka.HeaderSpecVersion, Value: []byte("1.0")}, {Key: kafka.HeaderID, Value: []byte(leat.NewID())}}
		raw.Value = []byte(`{"order_id":"` + strconv.Itoa(n) + `"}`)
	case badEnvelope: // structured mode, broken
		raw.Headers = []leat.Header{{Key: kafka.HeaderContentType, Value: []byte("application/cloudevents+json")}}
		raw.Value = []byte(`{"specversion":"1.0","type":"` + kind.Type + `","data":`)
	}
	return raw
}

// unknownRecord is a whole event of a type that nobody knows.
func unknownRecord(seed uint64, n int, prefix string) (kafka.Raw, error) {
	topics := contract.Topics()
	topic := topics[source(seed, n, forRecord).IntN(len(topics))]
	data, err := json.Marshal(map[string]string{"order_id": "gift-" + strconv.Itoa(n)})
	if err != nil {
		return kafka.Raw{}, fmt.Errorf("encode an event of unknown type: %w", err)
	}
	return kafka.Raw{
		Topic: prefix + topic.Name, Partition: -1, Key: []byte(keyUnknown + strconv.Itoa(n)),
		Headers: eventHeaders(typeUnknown, n), Value: data,
	}, nil
}

func eventHeaders(eventType string, n int) []leat.Header {
	return []leat.Header{
		{Key: kafka.HeaderSpecVersion, Value: []byte("1.0")},
		{Key: kafka.HeaderID, Value: []byte(leat.NewID())},
		{Key: kafka.HeaderSource, Value: []byte("demo")},
		{Key: kafka.HeaderType, Value: []byte(eventType)},
		{Key: kafka.HeaderSubject, Value: []byte(strconv.Itoa(n))},
		{Key: kafka.HeaderTime, Value: []byte(time.Now().UTC().Format(time.RFC3339Nano))},
		{Key: kafka.HeaderContentType, Value: []byte("application/json")},
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return b
}

// repeated is an event as it lies on its topic, to be sent again.
func repeated(w leat.Wire) kafka.Raw {
	raw := kafka.Raw{Topic: w.Position().Topic, Partition: -1, Key: w.Key(), Value: w.Value()}
	for key, value := range w.Headers() {
		raw.Headers = append(raw.Headers, leat.Header{Key: key, Value: value})
	}
	raw.Headers = append(raw.Headers, leat.Header{Key: headerRepeat, Value: []byte("1")})
	return raw
}
