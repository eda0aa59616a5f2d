package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IsShareGroup says whether the cluster knows the group as a share group (KIP-932), which keeps no
// offsets. Of a group that it does not know, or that the user may not see, it is not said.
func (c *Client) IsShareGroup(ctx context.Context, group string) (bool, error) {
	resp, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, c.kgo)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return false, fmt.Errorf("look at the kind of group %s: %w", group, err)
	}
	for _, g := range resp.Groups {
		if g.Group == group {
			return g.GroupType == "share", nil // "" from brokers that have none
		}
	}
	return false, nil
}
