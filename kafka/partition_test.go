package kafka_test

import (
	"bufio"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/leatdev/leat/kafka"
)

// testdata/murmur2.txt is the output of Java's own class.
func TestPartitionOfIsJavas(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/murmur2.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	counts, keys := []int{1, 3, 6, 7, 12, 100, 1000}, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Fields(lines.Text())
		key, err := hex.DecodeString(strings.TrimPrefix(fields[0], "0x"))
		if err != nil {
			t.Fatal(err)
		}
		keys++
		for i, n := range counts {
			want, err := strconv.ParseInt(fields[2+i], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			if got := kafka.PartitionOf(key, n); got != int32(want) {
				t.Errorf("key %s of %d partitions: %d, Java says %d", fields[0], n, got, want)
			}
		}
	}
	if keys < 50 {
		t.Errorf("only %d keys in the table", keys)
	}
	if kafka.PartitionOf(nil, 3) != -1 || kafka.PartitionOf([]byte("a"), 0) != -1 {
		t.Error("what has no partition has one")
	}
}
