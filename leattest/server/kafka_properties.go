package server

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Listener names. PLAINTEXT is the harness's own door and the nodes' among each
// other: whoever comes by it may do anything.
const (
	plaintext  = "PLAINTEXT"
	controller = "CONTROLLER"
)

// basics are the settings of every node: small, quick to elect, quick to expire,
// and never creating a topic that nobody asked for.
const basics = `
process.roles=broker,controller
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
group.consumer.assignment.interval.ms=0
group.share.min.heartbeat.interval.ms=100
group.share.heartbeat.interval.ms=500
group.share.min.session.timeout.ms=1000
group.share.session.timeout.ms=6000
group.share.min.record.lock.duration.ms=1000
group.share.record.lock.duration.ms=2000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=1048576
offsets.topic.segment.bytes=16777216
transaction.state.log.segment.bytes=16777216
num.network.threads=2
num.io.threads=2
background.threads=2
group.coordinator.threads=1
auto.leader.rebalance.enable=false
replica.lag.time.max.ms=3000
replica.fetch.wait.max.ms=100
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=250
controller.quorum.fetch.timeout.ms=1000
controller.quorum.election.timeout.ms=500
controller.quorum.election.backoff.max.ms=250
controller.quorum.request.timeout.ms=1000
`

// writeProperties writes a node's server.properties: the basics, its place among
// the nodes, its security, and the caller's own, which win.
func writeProperties(n *node, nodes []*node, pki *pki, cfg KafkaConfig) error {
	p := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(basics)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		p[key] = value
	}
	replicas, insync := 1, 1
	if len(nodes) >= 3 {
		replicas, insync = 3, 2
	}
	for _, key := range []string{
		"default.replication.factor", "offsets.topic.replication.factor",
		"transaction.state.log.replication.factor", "share.coordinator.state.topic.replication.factor",
	} {
		p[key] = strconv.Itoa(replicas)
	}
	for _, key := range []string{
		"min.insync.replicas", "transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr",
	} {
		p[key] = strconv.Itoa(insync)
	}
	var voters, listeners, protocols []string
	for _, v := range nodes {
		voters = append(voters, fmt.Sprintf("%d@%s", v.id, local(v.ports[controller])))
	}
	for _, name := range slices.Sorted(maps.Keys(n.ports)) {
		if name == advertised {
			continue // the proxy's port
		}
		listeners = append(listeners, name+"://"+local(n.ports[name]))
		protocols = append(protocols, name+":"+protocol(name))
	}
	p["node.id"] = strconv.Itoa(n.id)
	p["log.dirs"] = n.data()
	p["listeners"] = strings.Join(listeners, ",")
	p["listener.security.protocol.map"] = strings.Join(protocols, ",")
	// Voters named once and for all: a disk is then formatted by two files that Go
	// writes, and a killed node comes back under its old name.
	p["controller.quorum.voters"] = strings.Join(voters, ",")
	if cfg.Proxied {
		p["advertised.listeners"] = n.advertised()
	}
	if cfg.Security != nil {
		maps.Copy(p, cfg.Security.properties(pki))
	}
	if len(nodes) == 1 && !n.registered() {
		// A machine that stalls must not cost the only broker its leadership. Once it has run it comes back
		// only when its last session is over, which has to be soon.
		p["broker.session.timeout.ms"] = "60000"
	}
	maps.Copy(p, cfg.Properties)

	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&text, "%s=%s\n", key, strings.ReplaceAll(p[key], `\`, `\\`))
	}
	if err := os.WriteFile(n.properties(), []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write server.properties: %w", err)
	}
	return nil
}
