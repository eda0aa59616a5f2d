package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/leattest/broker"
)

// The coordinator says of an open transaction that it was committed, and has gone on to the next epoch:
// so Kafka looks that has left its marker out.
func TestMendShowsWhatHangsAndEndsIt(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	topic := b.CreateTopic(t, "things", 1, nil)
	cl := b.Client(t, kgo.TransactionalID("billing"))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("1")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	id, epoch, err := cl.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Cluster.ControlKey(int16(kmsg.DescribeTransactions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		s := kmsg.NewDescribeTransactionsResponseTransactionState()
		s.TransactionalID, s.State, s.ProducerID, s.ProducerEpoch = "billing", "CompleteCommit", id, epoch+1
		resp.TransactionStates = append(resp.TransactionStates, s)
		return resp, nil, true
	})
	run := func(args ...string) (status int, out, said string) {
		var stdout, stderr bytes.Buffer
		status = cli.Run(t.Context(), cli.Config{
			Args: append([]string{"transaction", "mend", "--brokers", b.Addrs[0]}, args...), Environ: []string{}, Stdout: &stdout, Stderr: &stderr,
		})
		return status, stdout.String(), stderr.String()
	}
	for range 2 { // to look changes nothing
		status, out, said := run()
		if status != 3 || !strings.Contains(said, "1 partitions have a transaction that hangs") {
			t.Errorf("left with %d: %s", status, said)
		}
		if rows := strings.Split(out, "\n"); len(rows) < 2 || !strings.HasPrefix(rows[1], "billing  things  0          0       20") || !strings.HasSuffix(rows[1], "  commit") {
			t.Errorf("shown is\n%s", out)
		}
	}
	if got := b.ReadAll(t, topic, kgo.ReadUncommitted()); len(got) != 1 {
		t.Fatalf("%d records", len(got))
	}
	if status, _, said := run("--yes"); status != 0 || !strings.Contains(said, "1 of 1 do not hang any more") {
		t.Errorf("left with %d: %s", status, said)
	}
	if got := b.ReadAll(t, topic, kgo.ReadCommitted()); len(got) != 1 {
		t.Errorf("%d records are visible after it", len(got))
	}
	if status, out, said := run(); status != 0 || strings.Contains(out, "billing") {
		t.Errorf("left with %d after it: %s%s", status, out, said)
	}
}
