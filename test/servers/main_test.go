package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leatdev/leat/leattest"
)

// This binary plays all parts: the test, "servers" itself, and the command that it
// runs, which tells where its database is and waits for a signal.
func TestMain(m *testing.M) {
	switch os.Getenv("LEAT_SERVERS_PART") {
	case "":
		os.Exit(m.Run())
	case "servers":
		os.Setenv("LEAT_SERVERS_PART", "command")
		os.Exit(run(strings.Split(os.Getenv("LEAT_SERVERS_ARGS"), " ")))
	case "command":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt)
		dir, err := dataDirectory(os.Getenv("LEAT_TEST_POSTGRES"))
		fmt.Println(os.Getenv("LEAT_TEST_POSTGRES"), os.Getenv("LEAT_TEST_REQUIRE"), dir, os.Getpid(), err)
		<-signals
		os.Exit(42)
	}
}

func dataDirectory(at string) (dir string, err error) {
	conn, err := pgx.Connect(context.Background(), at)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.Background())
	err = conn.QueryRow(context.Background(), "show data_directory").Scan(&dir)
	return dir, err
}

// begin runs "servers" with args.
func begin(t *testing.T, args string, env ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers: layer 2, not under -short")
	}
	leattest.Need(t, "postgres") // servers of our own, but only where the run has servers at all
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), "LEAT_TEST_POSTGRES=", "LEAT_TEST_REQUIRE=", "LEAT_SERVERS_PART=servers", "LEAT_SERVERS_ARGS="+args), env...)
	cmd.Stderr = os.Stderr // a file: a pipe would keep Wait waiting for grandchildren
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

// told reads what the command says of its database.
func told(t *testing.T, out *bufio.Reader) (at, dir string, pid int) {
	t.Helper()
	text, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(text)
	if len(fields) != 5 || fields[1] != "postgres" || fields[4] != "<nil>" {
		t.Fatalf("the command says %q", text)
	}
	if pid, err = strconv.Atoi(fields[3]); err != nil {
		t.Fatal(err)
	}
	return fields[0], fields[2], pid
}

// gone fails until nobody listens where the server was.
func gone(t *testing.T, at string) {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	leattest.Eventually(t, "the server is gone", func() error {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			return nil
		}
		_ = conn.Close()
		return fmt.Errorf("%s accepts", u.Host)
	})
}

// A signal reaches the command, whose status is ours; then server and data go.
func TestAnInterruptEndsTheCommandThenTheServers(t *testing.T) {
	t.Parallel()
	cmd, out := begin(t, "-postgres -- "+os.Args[0])
	at, dir, _ := told(t, out)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the status says it
	if got := cmd.ProcessState.ExitCode(); got != 42 {
		t.Errorf("status %d, want the command's 42", got)
	}
	gone(t, at)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data directory %s is left behind: %v", dir, err)
	}
}

// Killed outright, "servers" can stop nothing: the kernel ends its children.
func TestAKillLeavesNoServer(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("parent-death signals are Linux's")
	}
	cmd, out := begin(t, "-postgres -- "+os.Args[0])
	at, dir, pid := told(t, out)
	t.Cleanup(func() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // the command is an orphan now
		_ = os.RemoveAll(filepath.Dir(dir))
	})
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it should be
	gone(t, at)
}

func TestAServerThatDoesNotStartIsStatus2(t *testing.T) {
	t.Parallel()
	cmd, out := begin(t, "-kafka -- echo the command runs", "JAVA_HOME=/nonexistent")
	text, _ := out.ReadString('\n') // nothing but EOF is expected
	_ = cmd.Wait()                  // the status says it
	if got := cmd.ProcessState.ExitCode(); got != 2 || text != "" {
		t.Errorf("status %d and %q, want 2 and no command", got, text)
	}
}

func TestTheCommandsStatusIsOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		want   int
	}{
		{"exit 0", 0},
		{"exit 7", 7},
		{"kill -9 $$", 128 + 9},
	} {
		if got := command(make(chan os.Signal), []string{"sh", "-c", c.script}, nil); got != c.want {
			t.Errorf("%s: status %d, want %d", c.script, got, c.want)
		}
	}
	if got := command(make(chan os.Signal), []string{"/nonexistent/command"}, nil); got != 127 {
		t.Errorf("a command that is not there: status %d, want 127", got)
	}
}
