package registry_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
)

// TestARegistryEndsWhatHangsInItsTopic leaves a record of an earlier leader in the topic, in a transaction
// that has ended and of which Kafka has left the marker out. The next leader ends it as it was decided,
// before what it writes itself decides on both.
func TestARegistryEndsWhatHangsInItsTopic(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka: layer 2, not under -short")
	}
	t.Parallel()
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{Properties: broker.Lax})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
	for level, end := range map[string]func(*kafka.Transactor) error{
		"NONE":     func(tx *kafka.Transactor) error { return tx.Commit(t.Context()) },
		"BACKWARD": func(tx *kafka.Transactor) error { return tx.Abort(t.Context()) }, // as without the record
	} {
		f := launch(t, b.Config(), k.Brokers(), 1, func(f *fleet) {
			b.CreateTopic(t, f.topic, 1, map[string]string{"cleanup.policy": "compact"})
			tx, err := kafka.OpenTransactor(t.Context(), b.Config(), kafka.TransactorConfig{ID: f.group + "." + f.topic, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Close()
			other := b.CreateTopic(t, b.Name("other"), 1, nil)
			err = errors.Join(tx.Begin(), tx.Produce(t.Context(), nil, kafka.Raw{Topic: other, Value: []byte("known")}), tx.Flush(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			b.Sneak(t, tx.ID(), f.topic, 0, `{"keytype":"CONFIG","subject":null,"magic":0}`, `{"compatibilityLevel":"NONE"}`)
			if err := end(tx); err != nil {
				t.Fatal(err)
			}
		})
		leattest.Within(t, 3*time.Minute, "a schema is registered", func() error { return f.register(t, f.urls[0], "a", 12*time.Second) })
		if status, got := f.ask(http.MethodGet, f.urls[0]+"/config", "", time.Minute); !strings.Contains(got, level) {
			t.Errorf("want %s: %d %s", level, status, got)
		}
		f.audit(t)
	}
}
