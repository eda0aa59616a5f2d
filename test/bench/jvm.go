package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/leatdev/leat/leattest/server"
)

// The peers of the JVM: plain clients and Spring in one class path, Parallel Consumer, which wants
// an older client, in another.
var (
	//go:embed java/peers.pom.xml
	peersPOM []byte
	//go:embed java/parallel.pom.xml
	parallelPOM []byte
	//go:embed java/Peers.java
	peersSource []byte
	//go:embed java/Parallel.java
	parallelSource []byte
)

// The names under which the jars are cached change with the poms.
const (
	peersName    = "bench-peers-2"
	parallelName = "bench-parallel-2"
)

// spawnJVM runs a contender in a JVM, compiled before it is measured. The CPU is the whole process's,
// start and compiling included.
func spawnJVM(ctx context.Context, o options, contender string) (figures, error) {
	name, pom, class, source := peersName, peersPOM, "Peers", peersSource
	if contender == "parallel-consumer" {
		name, pom, class, source = parallelName, parallelPOM, "Parallel", parallelSource
	}
	java, classpath, err := server.Java(ctx, name, pom)
	if err != nil {
		return figures{}, err
	}
	dir, err := os.MkdirTemp("", "leat-bench-")
	if err != nil {
		return figures{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, class+".java")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		return figures{}, err
	}
	javac := filepath.Join(filepath.Dir(java), "javac")
	if filepath.Dir(java) == "." {
		javac = "javac"
	}
	if out, err := exec.CommandContext(ctx, javac, "-cp", classpath, "-d", dir, file).CombinedOutput(); err != nil {
		return figures{}, fmt.Errorf("compile %s: %w\n%s", class, err, out)
	}
	cmd := exec.CommandContext(ctx, java, "-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-cp", dir+string(os.PathListSeparator)+classpath,
		class, o.name, contender, o.brokers, o.topic, strconv.Itoa(o.records))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if err != nil {
		return figures{}, fmt.Errorf("run it: %w\n%s", err, out)
	}
	var f figures
	if err := json.Unmarshal(out, &f); err != nil {
		return figures{}, fmt.Errorf("read its figures %q: %w", out, err)
	}
	if f.Records != o.records {
		return figures{}, fmt.Errorf("handled %d records, not %d", f.Records, o.records)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	f.CPUSeconds, f.PeakRSSBytes = seconds(used.Utime)+seconds(used.Stime), used.Maxrss<<10
	f.fill()
	return f, nil
}
