// Command servers runs another command with real servers beside it.
//
// # What
//
//	go run ./test/servers [-kafka] [-postgres] -- CMD ARGS...
//
// It starts what is asked for, or both, by leattest/server.
//
// # Use
//
//	go build -o bin/servers ./test/servers
//	bin/servers -- go test -tags synctests ./...
//
// Under "go run" it works too, but go run hands on no signal but Ctrl-C, and any
// status but 0 becomes 1.
//
// # Guarantees
//
// CMD finds LEAT_TEST_KAFKA, LEAT_TEST_POSTGRES and LEAT_TEST_REQUIRE set, so that
// no test that needs a server is skipped. When CMD ends, by itself, by a signal or
// by Ctrl-C, the servers stop and their data goes; on Linux also if this process
// is killed. Interrupts reach CMD, which has 30 seconds to end.
//
// # Failure
//
// The exit status is CMD's, 128 plus the signal's number if a signal ended it, and
// 2 if a server did not start.
//
// # Test
//
// Its tests run it around small commands and look for what is left behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatdev/leat/leattest/server"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is main without the exit, so that what is deferred runs.
func run(args []string) int {
	flags := flag.NewFlagSet("servers", flag.ContinueOnError)
	kafka := flags.Bool("kafka", false, "start Apache Kafka (default: both)")
	postgres := flags.Bool("postgres", false, "start PostgreSQL (default: both)")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./test/servers [-kafka] [-postgres] -- CMD ARGS...")
		return 2
	}
	if !*kafka && !*postgres {
		*kafka, *postgres = true, true
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	s, err := start(signals, *kafka, *postgres)
	defer s.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		return 2
	}
	return command(signals, flags.Args(), s.env())
}

// servers are those that were asked for.
type servers struct {
	kafka    *server.Kafka
	postgres *server.Postgres
}

// start starts them at the same time; a signal gives up.
func start(signals <-chan os.Signal, kafka, postgres bool) (*servers, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	started := make(chan struct{})
	defer close(started)
	go func() { // ends with start
		select {
		case got := <-signals:
			cancel(fmt.Errorf("stopped by %v", got))
		case <-started:
		}
	}()
	s := &servers{}
	var group errgroup.Group
	begin := time.Now()
	if kafka {
		group.Go(func() (err error) {
			s.kafka, err = server.StartKafka(ctx, server.KafkaConfig{})
			return err
		})
	}
	if postgres {
		group.Go(func() (err error) {
			s.postgres, err = server.StartPostgres(ctx, server.PostgresConfig{Settings: map[string]string{"max_connections": "300", "shared_buffers": "512MB", "max_wal_size": "4GB"}})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return s, err
	}
	fmt.Fprintf(os.Stderr, "servers: ready after %v: %s\n", time.Since(begin).Round(time.Millisecond), strings.Join(s.env(), " "))
	return s, nil
}

// env is what tests look for.
func (s *servers) env() []string {
	var env, have []string
	if s.kafka != nil {
		env, have = append(env, "LEAT_TEST_KAFKA="+strings.Join(s.kafka.Brokers(), ",")), append(have, "kafka")
	}
	if s.postgres != nil {
		env, have = append(env, "LEAT_TEST_POSTGRES="+s.postgres.URL("")), append(have, "postgres")
	}
	if more := os.Getenv("LEAT_TEST_REQUIRE"); more != "" {
		have = append(have, more)
	}
	return append(env, "LEAT_TEST_REQUIRE="+strings.Join(have, ","))
}

func (s *servers) close() {
	var err error
	if s.kafka != nil {
		err = s.kafka.Close()
	}
	if s.postgres != nil {
		err = errors.Join(err, s.postgres.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
	}
}

// patience is how long an interrupted command has to end.
const patience = 30 * time.Second

// command runs argv with env added, hands signals on to it and returns its status.
func command(signals <-chan os.Signal, argv, env []string) int {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// A group of its own: go test and what it started get each signal once, from us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "servers: start command:", err)
		return 127
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the command
	var late <-chan time.Time
	for {
		select {
		case got := <-signals:
			_ = syscall.Kill(-cmd.Process.Pid, got.(syscall.Signal)) // gone already is as good
			if late == nil {
				late = time.After(patience)
			}
		case <-late:
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		case <-ended:
			return status(cmd.ProcessState)
		}
	}
}

// status is the exit status as a shell would tell it.
func status(p *os.ProcessState) int {
	if w, ok := p.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return p.ExitCode()
}
