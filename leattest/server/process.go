package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// nursery starts all children of one server from one thread: the kernel sends the
// parent-death signal when the thread that forked ends, not when the process does,
// and Go ends threads as it likes unless a goroutine holds on to one.
type nursery struct{ work chan func() }

func newNursery() *nursery {
	n := &nursery{work: make(chan func())}
	go func() { // owned by the server; ends in close, and the thread with it
		runtime.LockOSThread()
		for f := range n.work {
			f()
		}
	}()
	return n
}

func (n *nursery) close() { close(n.work) }

// process is one running child.
type process struct {
	cmd  *exec.Cmd
	log  string        // path of its output
	done chan struct{} // closed when it has ended
}

// launch is what a child runs, in dir, with its output appended to log.
type launch struct {
	dir, log   string
	out        string // file for stdout; "": the log
	argv       []string
	env        []string            // nil: ours
	credential *syscall.Credential // nil: ours
}

func (n *nursery) start(l launch) (*process, error) {
	// An *os.File and not a Writer: with a Writer Wait would hang on grandchildren.
	log, err := openLog(l.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	out := log
	if l.out != "" {
		if out, err = openLog(l.out); err != nil {
			return nil, err
		}
		defer out.Close()
	}
	cmd := exec.Command(l.argv[0], l.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = l.dir, l.env, out, log
	cmd.SysProcAttr = attributes(l.credential)
	started := make(chan error)
	n.work <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", l.argv[0], err)
	}
	p := &process{cmd: cmd, log: l.log, done: make(chan struct{})}
	go func() { // ends with the child
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

func openLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

func (p *process) alive() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends s; a process that has ended already is not an error.
func (p *process) signal(s syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to process %d: %w", s, p.cmd.Process.Pid, err)
	}
	return nil
}

// kill ends the process with SIGKILL and waits for it.
func (p *process) kill() error {
	if !p.alive() {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// end sends s and waits for the process, at most as long as patience, then kills.
func (p *process) end(s syscall.Signal, patience time.Duration) error {
	if err := p.signal(s); err != nil || p == nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return p.kill()
	}
}

// exited describes a process that ended too early, with the last lines of its log.
func (p *process) exited() error {
	return fmt.Errorf("process ended (%v); the end of %s:\n%s", p.cmd.ProcessState, p.log, tail(p.log, 25))
}

// tail returns the last lines of a file, or why it can't be read.
func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(text, nil))), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
