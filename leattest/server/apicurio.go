package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// ApicurioVersion is the Apicurio Registry that StartApicurio runs: the last that does with Java 17.
const ApicurioVersion = "2.6.13.Final"

// ApicurioConfig says how StartApicurio runs; the zero value starts fast and takes little.
type ApicurioConfig struct {
	// Flags are the JVM's; nil means a heap of at most 256 MB and little compiling.
	Flags []string
}

// Apicurio is a running Apicurio Registry that keeps its schemas in memory.
type Apicurio struct {
	dir     string
	port    int
	process *process
	nursery *nursery
	took    time.Duration
}

// StartApicurio starts the registry and returns when it answers. ctx ends the start only, not the
// registry: Close does.
func StartApicurio(ctx context.Context, cfg ApicurioConfig) (*Apicurio, error) {
	install, err := installApicurio(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "leat-apicurio-")
	if err != nil {
		return nil, fmt.Errorf("make apicurio's directory: %w", err)
	}
	a := &Apicurio{dir: dir, nursery: newNursery()}
	if err := a.start(ctx, install, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("start apicurio: %w", err), a.Close())
	}
	return a, nil
}

// installApicurio returns the directory with the registry's jars.
func installApicurio(ctx context.Context) (string, error) {
	if err := exec.CommandContext(ctx, java(), "-version").Run(); err != nil {
		return "", fmt.Errorf("run java: %w (install a Java runtime of version 17 or later or set JAVA_HOME)", err)
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir, err := install(filepath.Join(cache, "apicurio-"+ApicurioVersion), func(dir string) error {
		return maven(
			ctx, "apicurio "+ApicurioVersion, "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack",
			"-Dartifact=io.apicurio:apicurio-registry-app:"+ApicurioVersion+":tar.gz:all", "-DoutputDirectory="+dir,
		)
	})
	if err != nil {
		return "", fmt.Errorf("install apicurio: %w", err)
	}
	return dir, nil
}

func (a *Apicurio) start(ctx context.Context, install string, cfg ApicurioConfig) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	a.port = ports[0]
	flags := cfg.Flags
	if flags == nil {
		flags = []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	}
	argv := append([]string{java()}, flags...)
	argv = append(
		argv, "-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port="+strconv.Itoa(a.port),
		"-jar", filepath.Join(install, "apicurio-registry-app-"+ApicurioVersion+"-runner.jar"),
	)
	began := time.Now()
	a.process, err = a.nursery.start(launch{dir: a.dir, log: filepath.Join(a.dir, "server.log"), argv: argv})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startIn)
	defer cancel()
	for !a.answers(ctx) {
		select {
		case <-a.process.done:
			return a.process.exited()
		case <-ctx.Done():
			return fmt.Errorf("wait for an answer: %w; the end of its log:\n%s", context.Cause(ctx), tail(a.process.log, 25))
		case <-time.After(20 * time.Millisecond):
		}
	}
	a.took = time.Since(began)
	return nil
}

func (a *Apicurio) answers(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+"/subjects", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// URL is where it speaks the HTTP API of Confluent's registry.
func (a *Apicurio) URL() string { return a.at() + "/apis/ccompat/v7" }

// OwnURL is where it speaks its own, which its serializers for Java know.
func (a *Apicurio) OwnURL() string { return a.at() + "/apis/registry/v2" }

func (a *Apicurio) at() string { return "http://" + local(a.port) }

// Took is the time from its start to its first answer.
func (a *Apicurio) Took() time.Duration { return a.took }

// PID is its process.
func (a *Apicurio) PID() int { return a.process.cmd.Process.Pid }

// Close kills the registry; its schemas go with it.
func (a *Apicurio) Close() error {
	err := a.process.kill()
	a.nursery.close()
	return errors.Join(err, os.RemoveAll(a.dir))
}
