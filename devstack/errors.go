package devstack

import (
	"fmt"
	"os"
)

// InUseError says that another process holds the data directory.
type InUseError struct {
	Dir    string
	Holder string // its process id; empty where the system does not tell
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.Holder != "" {
		who = "process " + e.Holder
	}
	return fmt.Sprintf("data directory %s is in use by %s: stop it, connect to its broker, or name another directory", e.Dir, who)
}

// writeHolder leaves the process id in the lock, for the error of whoever comes second.
func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}
