//go:build unix && !linux

package server

import "syscall"

// attributes makes a child the leader of its own process group, so that Ctrl-C
// reaches only us. There is no parent-death signal here: Close must run.
func attributes(c *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: c}
}
