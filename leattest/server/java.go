package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Java finds what a program of the test's own in Java needs: the command that runs a source file and
// a class path with all that pom names. The jars are fetched once with Maven and kept in the cache
// under name, which has to change with the pom.
func Java(ctx context.Context, name string, pom []byte) (command, classpath string, err error) {
	modules, err := exec.CommandContext(ctx, java(), "--list-modules").Output()
	if err == nil && !strings.Contains(string(modules), "jdk.compiler") {
		err = errors.New("it has no compiler")
	}
	if err != nil {
		return "", "", fmt.Errorf("run java: %w (install a Java development kit of version 17 or later or set JAVA_HOME)", err)
	}
	cache, err := cacheDir()
	if err != nil {
		return "", "", err
	}
	dir, err := install(filepath.Join(cache, name), func(dir string) error {
		file := filepath.Join(dir, "pom.xml")
		if err := os.WriteFile(file, pom, 0o644); err != nil {
			return fmt.Errorf("write pom: %w", err)
		}
		return maven(
			ctx, name, "-f", file,
			"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
			"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "libs"),
		)
	})
	if err != nil {
		return "", "", fmt.Errorf("install %s: %w", name, err)
	}
	classpath, err = jars(dir)
	return java(), classpath, err
}
