package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/leattest"
)

// ConfigureGroup sets a setting of a group, such as consumer.session.timeout.ms, and returns when the
// brokers tell it. Groups of the classic protocol have none.
func (b *Broker) ConfigureGroup(t testing.TB, group, name, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerIn)
	defer cancel()
	cl := b.Client(t)
	defer cl.Close()
	set := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	set.Name, set.Op, set.Value = name, kmsg.IncrementalAlterConfigOpSet, &value
	of := kmsg.NewIncrementalAlterConfigsRequestResource()
	of.ResourceType, of.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	of.Configs = append(of.Configs, set)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, of)
	ask := kmsg.NewPtrDescribeConfigsRequest()
	about := kmsg.NewDescribeConfigsRequestResource()
	about.ResourceType, about.ResourceName, about.ConfigNames = of.ResourceType, group, []string{name}
	ask.Resources = append(ask.Resources, about)
	leattest.Within(t, answerIn, fmt.Sprintf("%s of group %s is %s", name, group, value), func() error {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		for _, r := range resp.Resources {
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
				return err
			}
		}
		told, err := ask.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		for _, r := range told.Resources {
			for _, c := range r.Configs {
				if c.Name == name && c.Value != nil && *c.Value == value {
					return nil
				}
			}
		}
		return errors.New("not yet")
	})
}
