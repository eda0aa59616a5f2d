package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startIn bounds every start and restart, on top of the caller's context: a slow
// machine under load needs an eighth of it.
const startIn = 3 * time.Minute

// KafkaConfig says which Kafka StartKafka runs; the zero value is one node of
// KafkaVersion without security.
type KafkaConfig struct {
	// Version is Apache Kafka's version as on Maven Central; "" means KafkaVersion.
	Version string
	// Nodes is the number of nodes, each broker and controller; 0 means 1. With 3 or
	// more, topics have replication 3 and min.insync.replicas 2.
	Nodes int
	// Dir is where data and logs lie, on every later start the same; "" means a
	// temporary directory that Close removes.
	Dir string
	// Properties are added to every node's server.properties and win.
	Properties map[string]string
	// Security adds listeners with TLS and SASL and an authorizer; nil means none.
	Security *Security
	// Proxied adds a listener to every node whose clients are sent to an address where a
	// proxy has to listen: see Kafka.Proxied.
	Proxied bool
}

// Kafka is a running Apache Kafka: nodes 1 to n, each its own process.
type Kafka struct {
	cfg     KafkaConfig
	install kafkaInstall
	flags   []string
	id      string
	nodes   []*node
	nursery *nursery
	pki     *pki
	keep    bool
}

// node is one Kafka process and its disk.
type node struct {
	id      int
	dir     string
	ports   map[string]int // by listener
	process *process
}

func (n *node) properties() string { return filepath.Join(n.dir, "server.properties") }
func (n *node) data() string       { return filepath.Join(n.dir, "data") }
func (n *node) log() string        { return filepath.Join(n.dir, "server.log") }
func (n *node) identity() string   { return filepath.Join(n.data(), "meta.properties") }

// registered tells whether the node's disk is that of an earlier start, so that the cluster may know it.
func (n *node) registered() bool {
	_, err := os.Stat(n.identity())
	return err == nil
}

// StartKafka starts Kafka and returns when it works: every node is in and a record
// was acknowledged. ctx ends the start only, not the servers: Close does.
func StartKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	if cfg.Version == "" {
		cfg.Version = KafkaVersion
	}
	install, err := installKafka(ctx, cfg.Version)
	if err != nil {
		return nil, err
	}
	return startKafka(ctx, cfg, install)
}

func startKafka(ctx context.Context, cfg KafkaConfig, install kafkaInstall, flags ...string) (*Kafka, error) {
	k := &Kafka{cfg: cfg, install: install, flags: flags, id: newID(), nursery: newNursery()}
	err := k.prepare()
	if err == nil {
		all := make([]int, len(k.nodes))
		for i, n := range k.nodes {
			all[i] = n.id
		}
		err = k.Restart(ctx, all...)
	}
	if err == nil {
		err = k.makeCoordinators(ctx)
	}
	if err == nil && cfg.Security != nil {
		err = k.makeUsers(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start kafka %s: %w", cfg.Version, err), k.Close())
	}
	return k, nil
}

// prepare writes what every node needs before its first start.
func (k *Kafka) prepare() error {
	var err error
	if k.cfg.Dir == "" {
		if k.cfg.Dir, err = os.MkdirTemp("", "leat-kafka-"); err != nil {
			return fmt.Errorf("make the data directory: %w", err)
		}
	} else {
		k.keep = true
		if k.cfg.Dir, err = filepath.Abs(k.cfg.Dir); err != nil { // each node works in its own directory
			return fmt.Errorf("find the data directory: %w", err)
		}
	}
	count := max(k.cfg.Nodes, 1)
	listeners := []string{plaintext, controller}
	if k.cfg.Security != nil {
		if k.pki, err = newPKI(k.cfg.Dir); err != nil {
			return err
		}
		listeners = append(listeners, secureListeners...)
		k.flags = append(k.flags, "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="+k.pki.issuer.url()) // or a broker opens no file
	}
	if k.cfg.Proxied {
		listeners = append(listeners, proxied, advertised)
	}
	ports, err := freePorts(count * len(listeners))
	if err != nil {
		return err
	}
	for id := 1; id <= count; id++ {
		n := &node{id: id, dir: filepath.Join(k.cfg.Dir, fmt.Sprintf("node-%d", id)), ports: map[string]int{}}
		for _, l := range listeners {
			n.ports[l], ports = ports[0], ports[1:]
		}
		k.nodes = append(k.nodes, n)
	}
	for _, n := range k.nodes {
		if err := k.format(n); err != nil {
			return fmt.Errorf("format node %d: %w", n.id, err)
		}
	}
	return nil
}

// format writes a node's configuration and, once, what makes a directory a
// formatted disk: its identity and the feature levels.
func (k *Kafka) format(n *node) error {
	if err := os.MkdirAll(n.data(), 0o755); err != nil {
		return err
	}
	if err := writeProperties(n, k.nodes, k.pki, k.cfg); err != nil {
		return err
	}
	if text, err := os.ReadFile(n.identity()); err == nil {
		for line := range strings.Lines(string(text)) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster.id="); ok {
				k.id = id // the disk of an earlier start
			}
		}
		return nil
	}
	checkpoint, err := os.ReadFile(k.install.checkpoint())
	if err != nil {
		return err
	}
	identity := fmt.Sprintf("version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", k.id, n.id, newID())
	return errors.Join(
		os.WriteFile(n.identity(), []byte(identity), 0o644),
		os.WriteFile(filepath.Join(n.data(), "bootstrap.checkpoint"), checkpoint, 0o644),
	)
}

// newID makes an id as Kafka writes them: 128 random bits in 22 characters. One
// that begins with a dash would look like an option to StorageTool.
func newID() string {
	for {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
		if s := base64.RawURLEncoding.EncodeToString(id[:]); s[0] != '-' {
			return s
		}
	}
}

// Brokers returns the addresses of all nodes, also of those that are down.
func (k *Kafka) Brokers() []string { return k.addrs(plaintext) }

func (k *Kafka) addrs(listener string) []string {
	var addrs []string
	for _, n := range k.nodes {
		if port := n.ports[listener]; port != 0 {
			addrs = append(addrs, local(port))
		}
	}
	return addrs
}

// ClusterID returns the id that the cluster answers with.
func (k *Kafka) ClusterID() string { return k.id }

// Dir returns where data and logs lie: node-1/server.log and so on.
func (k *Kafka) Dir() string { return k.cfg.Dir }

// node finds a node by its id, which counts from 1.
func (k *Kafka) node(id int) (*node, error) {
	if id < 1 || id > len(k.nodes) {
		return nil, fmt.Errorf("find kafka node %d: nodes are 1 to %d", id, len(k.nodes))
	}
	return k.nodes[id-1], nil
}

// Kill ends a node with SIGKILL and waits until it is gone.
func (k *Kafka) Kill(id int) error {
	n, err := k.node(id)
	if err != nil {
		return err
	}
	return n.process.kill()
}

// Stop freezes a node with SIGSTOP: its connections stay open and answer nothing.
func (k *Kafka) Stop(id int) error { return k.signal(id, syscall.SIGSTOP) }

// Cont lets a frozen node go on.
func (k *Kafka) Cont(id int) error { return k.signal(id, syscall.SIGCONT) }

func (k *Kafka) signal(id int, s syscall.Signal) error {
	n, err := k.node(id)
	if err != nil {
		return err
	}
	if !n.process.alive() {
		return fmt.Errorf("send %v to kafka node %d: it does not run", s, id)
	}
	return n.process.signal(s)
}

// Restart kills the nodes that still run of those named, starts them together on
// their old ports and disks, and returns when each of them serves.
func (k *Kafka) Restart(ctx context.Context, ids ...int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startIn, fmt.Errorf("not ready within %v", startIn))
	defer cancel()
	for _, id := range ids {
		if err := k.Kill(id); err != nil {
			return err
		}
	}
	for _, id := range ids {
		n := k.nodes[id-1] // Kill found it
		if n.process != nil {
			if err := writeProperties(n, k.nodes, k.pki, k.cfg); err != nil {
				return err
			}
		}
		argv, err := k.install.command(n.properties(), k.flags...)
		if err != nil {
			return err
		}
		if n.process, err = k.nursery.start(launch{dir: n.dir, log: n.log(), argv: argv}); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := k.ready(ctx, k.nodes[id-1]); err != nil {
			return fmt.Errorf("wait for kafka node %d: %w", id, err)
		}
	}
	return nil
}

// Close kills all nodes and removes data and logs, unless KafkaConfig.Dir named
// the place or Keep was called.
func (k *Kafka) Close() error {
	var errs []error
	for _, n := range k.nodes {
		errs = append(errs, n.process.kill())
	}
	k.nursery.close()
	if !k.keep {
		errs = append(errs, os.RemoveAll(k.cfg.Dir))
	}
	return errors.Join(errs...)
}

// Keep lets Close leave data and logs where they are.
func (k *Kafka) Keep() { k.keep = true }

// CloseAfter closes the cluster when the test ends; of a failed test it keeps data
// and logs and says where.
func (k *Kafka) CloseAfter(t T) { closeAfter(t, k) }

// T is the part of testing.TB that the room needs.
type T interface {
	Cleanup(f func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

func closeAfter(t T, s interface {
	Dir() string
	Keep()
	Close() error
},
) {
	t.Cleanup(func() {
		if t.Failed() {
			s.Keep()
			t.Logf("server data and logs are kept in %s", s.Dir())
		}
		if err := s.Close(); err != nil {
			t.Errorf("close the server in %s: %v", s.Dir(), err)
		}
	})
}
