package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
)

func TestAwayIsWhatMayComeBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no error":              {nil, false},
		"nobody listens":        {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, true},
		"the connection ended":  {io.EOF, true},
		"at its first answer":   {&kgo.ErrFirstReadEOF{}, true},
		"no answer in time":     {context.DeadlineExceeded, true},
		"the leader moves":      {kerr.NotLeaderForPartition, true},
		"the coordinator loads": {kerr.CoordinatorLoadInProgress, true},
		"not allowed":           {kerr.TopicAuthorizationFailed, false},
		"wrong password":        {kerr.SaslAuthenticationFailed, false},
		"not possible":          {kerr.InvalidPartitions, false},
		"of ours":               {kafka.ErrNotAllowed, false},
	} {
		err := c.err
		if err != nil {
			err = &kafka.Error{Op: "list topics", Partition: -1, Err: fmt.Errorf("asked twice: %w", err)}
		}
		if got := kafka.IsAway(err); got != c.want {
			t.Errorf("%s: away %v, want %v", name, got, c.want)
		}
	}
}
