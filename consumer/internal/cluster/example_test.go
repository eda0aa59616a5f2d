package cluster_test

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/consumer/internal/cluster"
)

// What a broker says in one word is told with what to do about it.
func ExampleMembership_Explain() {
	m := cluster.Membership{Group: "payment", Protocol: cluster.ServerSide}
	told, _, _ := strings.Cut(m.Explain(kerr.InconsistentGroupProtocol).Error(), ":")
	fmt.Println(told)
	// Output: the other members of group payment assign partitions by another protocol than consumer
}
