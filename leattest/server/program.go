package server

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ProgramConfig says what StartProgram runs.
type ProgramConfig struct {
	// Argv is the program and its arguments.
	Argv []string
	// Env is added to the environment of this process and wins.
	Env []string
	// Dir is the working directory; "" means this process's.
	Dir string
	// Log is the file that stderr is appended to, and stdout unless Out is set.
	Log string
	// Out is the file that stdout is appended to; "" means Log.
	Out string
}

// Program is a program of the test's own, to kill and start again as often as it likes.
type Program struct {
	cfg     ProgramConfig
	process *process
	nursery *nursery
}

// StartProgram starts a program. It is killed with this process at the latest (Linux; elsewhere
// Close must run).
func StartProgram(cfg ProgramConfig) (*Program, error) {
	p := &Program{cfg: cfg, nursery: newNursery()}
	if p.cfg.Dir == "" {
		p.cfg.Dir = "."
	}
	if err := p.Restart(); err != nil {
		p.nursery.close()
		return nil, err
	}
	return p, nil
}

// Restart kills the program if it runs and starts it again with the same configuration.
func (p *Program) Restart() error {
	if err := p.Kill(); err != nil {
		return err
	}
	var err error
	p.process, err = p.nursery.start(launch{
		dir: p.cfg.Dir, log: p.cfg.Log, out: p.cfg.Out, env: append(os.Environ(), p.cfg.Env...), argv: p.cfg.Argv,
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(p.cfg.Argv[0]), err)
	}
	return nil
}

// Kill ends the program with SIGKILL and waits until it is gone.
func (p *Program) Kill() error { return p.process.kill() }

// Stop freezes the program with SIGSTOP: its connections stay open and answer nothing.
func (p *Program) Stop() error { return p.process.signal(syscall.SIGSTOP) }

// Cont lets a frozen program go on.
func (p *Program) Cont() error { return p.process.signal(syscall.SIGCONT) }

// End sends SIGTERM and waits for the program, at most as long as patience, then kills it.
func (p *Program) End(patience time.Duration) error { return p.process.end(syscall.SIGTERM, patience) }

// PID is the process that was started last.
func (p *Program) PID() int { return p.process.cmd.Process.Pid }

// Done is closed when the program that was started last has ended.
func (p *Program) Done() <-chan struct{} { return p.process.done }

// ExitCode is how the program ended: its status, or -1 if it still runs or a signal ended it.
func (p *Program) ExitCode() int {
	select {
	case <-p.process.done:
		return p.process.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// LogTail returns the last lines that the program wrote.
func (p *Program) LogTail(lines int) string { return tail(p.cfg.Log, lines) }

// Close kills the program. It can't be started again.
func (p *Program) Close() error {
	err := p.Kill()
	p.nursery.close()
	return err
}

// FreeAddrs returns n different addresses on 127.0.0.1 that nobody listens on at the moment, and that no
// other call returns, of any process, while this one lives. Their ports are such as no outgoing connection
// gets: a program that restarts finds its own again.
func FreeAddrs(n int) ([]string, error) {
	ports, err := freePorts(n)
	if err != nil {
		return nil, err
	}
	var addrs []string
	for _, port := range ports {
		addrs = append(addrs, local(port))
	}
	return addrs, nil
}
