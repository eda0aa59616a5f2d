package server

import (
	"maps"
	"slices"
	"strings"
)

// The listener that KafkaConfig.Proxied adds, and the port that its clients are sent to instead.
const (
	proxied    = "PROXIED"
	advertised = "advertised"
)

// Proxied is a node behind a proxy.
type Proxied struct {
	Node   int
	Listen string // where the proxy has to listen: clients are sent here, with everything
	Target string // where the node listens for what comes through the proxy
}

// Proxied returns where a proxy has to stand before each node. A client that is given a Listen address
// reaches all nodes through the proxy and no other way. Without KafkaConfig.Proxied there are none.
func (k *Kafka) Proxied() []Proxied {
	var all []Proxied
	for _, n := range k.nodes {
		if n.ports[proxied] != 0 {
			all = append(all, Proxied{n.id, local(n.ports[advertised]), local(n.ports[proxied])})
		}
	}
	return all
}

// advertised is the node's property of that name: every listener of clients under its own address, the
// proxied one under the proxy's.
func (n *node) advertised() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(n.ports)) {
		switch name {
		case controller, advertised:
		case proxied:
			all = append(all, name+"://"+local(n.ports[advertised]))
		default:
			all = append(all, name+"://"+local(n.ports[name]))
		}
	}
	return strings.Join(all, ",")
}
