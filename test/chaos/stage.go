package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/test/chaos/proxy"
)

// databaseRoute is what the proxy calls the first process's way to PostgreSQL; the others follow.
const databaseRoute = 100

// stage is everything that the shop runs on.
type stage struct {
	kafka    *server.Kafka
	postgres *server.Postgres
	proxy    *proxy.Proxy
	binary   string
	registry *server.Program // of the shop's schemas; no fault meets it
	schemas  string          // its URL
	disk     disk
	brokers  []string          // through the proxy
	database map[string]string // by process, through the proxy
	routes   map[string]int32  // of processes to PostgreSQL
	stop     func() error
}

// diskSize is what PostgreSQL gets where its disk can be made small: enough for a run.
const diskSize = 2 << 30

// disk is where PostgreSQL's data lies.
type disk struct {
	dir   string
	small bool // it is a file system of its own, that can be filled
}

// newDisk makes a small file system, where the machine allows it.
func newDisk(dir string) (disk, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return disk{}, fmt.Errorf("make the database's directory: %w", err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=755", int64(diskSize)))
	return disk{dir, err == nil}, nil
}

func (d disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill takes all that is free.
func (d disk) fill() error {
	f, err := os.Create(d.filler())
	if err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			if len(block) == 4<<10 {
				return nil
			}
			block = block[:4<<10]
		} else if err != nil {
			return fmt.Errorf("fill the disk: %w", err)
		}
	}
}

func (d disk) free() error { return os.Remove(d.filler()) }

func (d disk) close() error {
	if d.small {
		return syscall.Unmount(d.dir, 0)
	}
	return nil
}

// raise starts the servers and the proxy and builds the binary, all at the same time.
func raise(ctx context.Context, dir string, processes []string) (*stage, error) {
	s := &stage{database: map[string]string{}, routes: map[string]int32{}, stop: func() error { return nil }}
	var err error
	if s.disk, err = newDisk(filepath.Join(dir, "postgres")); err != nil {
		return nil, err
	}
	var starts errgroup.Group
	starts.Go(func() (err error) {
		s.kafka, err = server.StartKafka(ctx, server.KafkaConfig{
			Nodes: 3, Dir: filepath.Join(dir, "kafka"), Proxied: true,
			// Leaders come back to where they belong, so that kills of leaders meet every broker.
			Properties: map[string]string{
				"auto.leader.rebalance.enable": "true", "leader.imbalance.check.interval.seconds": "10",
				"offsets.topic.num.partitions": "3", "transaction.state.log.num.partitions": "3",
			},
		})
		return err
	})
	starts.Go(func() (err error) {
		s.postgres, err = server.StartPostgres(ctx, server.PostgresConfig{
			Dir: s.disk.dir, Settings: map[string]string{"max_connections": "400", "log_min_messages": "fatal"},
		})
		return err
	})
	starts.Go(func() (err error) {
		s.binary, err = build(ctx, dir)
		return err
	})
	if err = starts.Wait(); err == nil {
		err = errors.Join(s.interpose(processes), s.register(ctx, dir))
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// register starts the schema registry and waits until it answers.
func (s *stage) register(ctx context.Context, dir string) error {
	addrs, err := server.FreeAddrs(1)
	if err != nil {
		return err
	}
	s.schemas = "http://" + addrs[0]
	s.registry, err = server.StartProgram(server.ProgramConfig{
		Argv: []string{s.binary, "registry", "serve", "--listen", addrs[0], "--store", "sqlite:" + filepath.Join(dir, "schemas.db")},
		Log:  filepath.Join(dir, "registry.log"),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	registry := &member{name: "registry", service: "registry", addr: addrs[0], program: s.registry}
	return registry.waitFor(ctx, "/subjects")
}

// build builds the binary with the shop in it.
func build(ctx context.Context, dir string) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	binary := filepath.Join(dir, "leat")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags=grpcnotrace", "-o", binary, "./cmd/leat")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the shop: %w\n%s", err, out)
	}
	return binary, nil
}

// interpose puts the proxy before the brokers, and before PostgreSQL once per process.
func (s *stage) interpose(processes []string) error {
	var routes []proxy.Route
	for _, n := range s.kafka.Proxied() {
		routes = append(routes, proxy.Route{Listen: n.Listen, Target: n.Target, Broker: int32(n.Node), Kafka: true})
		s.brokers = append(s.brokers, n.Listen)
	}
	target := strings.Split(strings.SplitN(s.postgres.URL(""), "@", 2)[1], "/")[0]
	addrs, err := server.FreeAddrs(len(processes))
	if err != nil {
		return err
	}
	for i, name := range processes {
		route := databaseRoute + int32(i)
		routes = append(routes, proxy.Route{Listen: addrs[i], Target: target, Broker: route, Client: name})
		s.routes[name] = route
		s.database[name] = strings.Replace(s.postgres.URL(""), target, addrs[i], 1)
	}
	if s.proxy, err = proxy.New(proxy.Config{Routes: routes}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.proxy.Run(ctx) }() // ends with stop
	s.stop = func() error { cancel(); return <-ended }
	return nil
}

func (s *stage) close() error {
	err := s.stop()
	if s.registry != nil {
		err = errors.Join(err, s.registry.Close())
	}
	if s.kafka != nil {
		err = errors.Join(err, s.kafka.Close())
	}
	if s.postgres != nil {
		err = errors.Join(err, s.postgres.Close())
	}
	return errors.Join(err, s.disk.close())
}

// settle waits until the brokers may lose another one of them.
func (s *stage) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	return s.kafka.WaitISR(ctx)
}
