package broker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
)

// operations by the names that kafka-acls gives them.
var operations = map[string]kadm.ACLOperation{
	"Read": kadm.OpRead, "Write": kadm.OpWrite, "Create": kadm.OpCreate, "Describe": kadm.OpDescribe,
	"DescribeConfigs": kadm.OpDescribeConfigs, "AlterConfigs": kadm.OpAlterConfigs, "Alter": kadm.OpAlter,
}

// Grant gives a user the rights of a plan, as kafka-acls would, and returns when every broker holds to them.
func (b *Broker) Grant(t testing.TB, user string, acls ...kafka.ACL) {
	t.Helper()
	for _, a := range acls {
		grant := kadm.NewACLs().Allow("User:" + user).AllowHosts().ResourcePatternType(kadm.ACLPatternLiteral)
		switch a.Resource {
		case kafka.TopicResource:
			grant = grant.Topics(a.Name)
		case kafka.GroupResource:
			grant = grant.Groups(a.Name)
		case kafka.TransactionalIDResource:
			grant = grant.TransactionalIDs(a.Name)
		}
		if a.Prefixed {
			grant = grant.ResourcePatternType(kadm.ACLPatternPrefixed)
		}
		for _, o := range a.Operations {
			op, known := operations[o]
			if !known {
				t.Fatalf("%s is no operation", o)
			}
			b.Allow(t, grant.Operations(op))
		}
	}
}

// Allow grants rights and returns when every broker holds to them: the controller answers before the
// brokers have read what it wrote.
func (b *Broker) Allow(t testing.TB, grants *kadm.ACLBuilder) {
	t.Helper()
	cl := b.Client(t)
	adm := kadm.NewClient(cl)
	granted, err := adm.CreateACLs(t.Context(), grants)
	if err != nil {
		t.Fatalf("grant rights: %v", err)
	}
	brokers, err := adm.ListBrokers(t.Context())
	if err != nil {
		t.Fatalf("wait for rights: %v", err)
	}
	for _, g := range granted {
		if g.Err != nil {
			t.Fatalf("grant %v of %v %s to %s: %v %s", g.Operation, g.Type, g.Name, g.Principal, g.Err, g.ErrMessage)
		}
		req := kmsg.NewPtrDescribeACLsRequest()
		req.ResourceType, req.ResourceName, req.ResourcePatternType = g.Type, &g.Name, g.Pattern
		req.Principal, req.Host, req.Operation, req.PermissionType = &g.Principal, &g.Host, g.Operation, g.Permission
		for _, id := range brokers.NodeIDs() {
			known(t, cl.Broker(int(id)), req)
		}
	}
}

func known(t testing.TB, at *kgo.Broker, req *kmsg.DescribeACLsRequest) {
	t.Helper()
	leattest.Within(t, answerIn, fmt.Sprintf("the right to %v on %v %s is known", req.Operation, req.ResourceType, *req.ResourceName), func() error {
		resp, err := req.RequestWith(t.Context(), at)
		if err == nil && len(resp.Resources) == 0 {
			err = errors.New("it is not yet")
		}
		return err
	})
}
