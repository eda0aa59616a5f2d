package server

import "syscall"

// attributes makes a child the leader of its own process group, so that Ctrl-C
// reaches only us, and has the kernel kill it when we die. The uid changes here and
// not by a wrapper such as su: exec of another uid would clear the death signal.
func attributes(c *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: c}
}
