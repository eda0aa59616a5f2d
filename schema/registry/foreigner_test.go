package registry

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/kafka"
)

// foreigner is a member of the group that speaks the protocol of Confluent's alone and does not lead.
type foreigner struct {
	client     *kafka.Client
	group, id  string
	generation int32
}

// Foreigner has one in the group until leave is called or the test ends.
func Foreigner(t *testing.T, cluster kafka.Config, group string) (leave func()) {
	t.Helper()
	client, err := kafka.Open(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	f := &foreigner{client: client, group: group}
	ctx, cancel := context.WithCancel(context.Background())
	in, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		seated := sync.OnceFunc(func() { close(in) })
		for ctx.Err() == nil {
			if err := f.term(ctx, seated); err != nil && ctx.Err() == nil {
				t.Logf("the foreigner: %v", err)
				_ = pause(ctx, 100*time.Millisecond) // the loop looks at ctx
			}
		}
	}()
	leave = sync.OnceFunc(func() {
		cancel()
		<-done
		client.Close() // the coordinator finds out when the session ends
	})
	t.Cleanup(leave)
	select {
	case <-in:
	case <-time.After(3 * time.Minute):
		t.Fatal("the foreigner did not get into the group")
	}
	return leave
}

// term joins, takes its part in the choice, and stays until the group chooses anew.
func (f *foreigner) term(ctx context.Context, seated func()) error {
	me, err := json.Marshal(member{Version: 1, Host: "127.0.0.1", Port: 1, Scheme: "http"})
	if err != nil {
		return err
	}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.MemberID, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = f.group, f.id, "sr", 6000, 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "v0", me
	join.Protocols = append(join.Protocols, p)
	joined, err := join.RequestWith(ctx, f.client.Kgo())
	if err != nil {
		return err
	}
	f.id, f.generation = joined.MemberID, joined.Generation
	switch err := kerr.ErrorForCode(joined.ErrorCode); {
	case errors.Is(err, kerr.MemberIDRequired):
		return nil
	case errors.Is(err, kerr.UnknownMemberID):
		f.id = ""
		return err
	case err != nil:
		return err
	}
	protocol := "sr"
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID, sync.ProtocolType, sync.Protocol = f.group, f.generation, f.id, &protocol, joined.Protocol
	if joined.LeaderID == f.id {
		e := &elector{l: &Kafka{}}
		if sync.GroupAssignment, err = e.assign(joined.Members); err != nil {
			return err
		}
	}
	synced, err := sync.RequestWith(ctx, f.client.Kgo())
	if err == nil {
		err = kerr.ErrorForCode(synced.ErrorCode)
	}
	if errors.Is(err, kerr.RebalanceInProgress) {
		return nil
	}
	if err != nil {
		return err
	}
	seated()
	for {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.Generation, beat.MemberID = f.group, f.generation, f.id
		answer, err := beat.RequestWith(ctx, f.client.Kgo())
		if err != nil {
			return err
		}
		switch err := kerr.ErrorForCode(answer.ErrorCode); {
		case errors.Is(err, kerr.RebalanceInProgress):
			return nil
		case errors.Is(err, kerr.UnknownMemberID):
			f.id = ""
			return err
		case err != nil:
			return err
		}
	}
}
