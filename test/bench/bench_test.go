package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestContendersHandleEveryRecord(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range []string{"consume", "typed", "produce", "transform", "failing"} {
		for i, contender := range cases[name].contenders {
			if cases[name].work[contender] == nil {
				continue // of the JVM
			}
			o := options{name: name, brokers: strings.Join(c.ListenAddrs(), ","), topic: "bench." + name, records: 500}
			if i == 0 {
				if err := cases[name].prepare(t.Context(), o); err != nil {
					t.Fatalf("prepare %s: %v", name, err)
				}
			}
			if n, err := cases[name].work[contender](t.Context(), o); err != nil || n != o.records {
				t.Errorf("%s, %s: %d records, %v", name, contender, n, err)
			}
		}
	}
}

func TestCodecsReadWhatTheyWrite(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"encode", "decode"} {
		for contender, work := range cases[name].work {
			if n, err := work(t.Context(), options{records: 10}); err != nil || n != 10 {
				t.Errorf("%s, %s: %d records, %v", name, contender, n, err)
			}
		}
	}
}
