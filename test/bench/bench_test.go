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
	for _, name := range []string{"consume", "produce", "transform"} {
		for i, contender := range cases[name].contenders {
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
