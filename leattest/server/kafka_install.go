package server

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// KafkaVersion is the Apache Kafka that StartKafka runs unless told otherwise.
const KafkaVersion = "4.3.1"

//go:embed kafka.pom.xml
var kafkaPOM []byte

//go:embed log4j2.properties
var log4j []byte

// kafkaInstall is a directory with everything that starts a Kafka of one version:
// libs/*.jar, the features record of a formatted disk, log4j2's configuration, and
// an archive of loaded classes where the JVM could make one.
type kafkaInstall struct{ dir string }

func (i kafkaInstall) log4j() string      { return filepath.Join(i.dir, "log4j2.properties") }
func (i kafkaInstall) checkpoint() string { return filepath.Join(i.dir, "bootstrap.checkpoint") }
func (i kafkaInstall) archive() string    { return filepath.Join(i.dir, "kafka.jsa") }

// installKafka fetches and prepares a version, or finds it in the cache.
func installKafka(ctx context.Context, version string) (kafkaInstall, error) {
	if _, err := exec.LookPath(java()); err != nil {
		return kafkaInstall{}, fmt.Errorf("find java: %w (kafka needs a Java runtime of version 17 or later: install one or set JAVA_HOME)", err)
	}
	cache, err := cacheDir()
	if err != nil {
		return kafkaInstall{}, err
	}
	dir, err := install(filepath.Join(cache, "kafka-"+version), func(dir string) error {
		return fillKafka(ctx, kafkaInstall{dir}, version)
	})
	if err != nil {
		return kafkaInstall{}, fmt.Errorf("install kafka %s: %w", version, err)
	}
	return kafkaInstall{dir}, nil
}

func fillKafka(ctx context.Context, i kafkaInstall, version string) error {
	pom := filepath.Join(i.dir, "pom.xml")
	if err := os.WriteFile(pom, kafkaPOM, 0o644); err != nil {
		return fmt.Errorf("write pom: %w", err)
	}
	if err := os.WriteFile(i.log4j(), log4j, 0o644); err != nil {
		return fmt.Errorf("write log4j2 configuration: %w", err)
	}
	libs := filepath.Join(i.dir, "libs")
	err := maven(
		ctx, "kafka "+version, "-f", pom, "-Dkafka.version="+version,
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+libs,
	)
	if err != nil {
		return err
	}
	if jar := "kafka_2.13-" + version + ".jar"; !exists(filepath.Join(libs, jar)) {
		return fmt.Errorf("maven brought no %s", jar)
	}
	if err := i.makeCheckpoint(ctx); err != nil {
		return err
	}
	i.makeArchive(ctx, version)
	return nil
}

// makeCheckpoint formats one disk with Kafka's own tool and keeps the record of
// feature levels. It names no node, port or cluster, so every later disk is
// formatted by copying it: no JVM, no second lost per node.
func (i kafkaInstall) makeCheckpoint(ctx context.Context) error {
	tmp, err := os.MkdirTemp(i.dir, "format-")
	if err != nil {
		return fmt.Errorf("make a directory to format: %w", err)
	}
	defer os.RemoveAll(tmp)
	nodes := []*node{{id: 1, dir: tmp, ports: map[string]int{plaintext: 1, controller: 2}}}
	if err := writeProperties(nodes[0], nodes, nil, KafkaConfig{}); err != nil {
		return err
	}
	classpath, err := i.classpath()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(
		ctx, java(), "-cp", classpath, "-Dlog4j2.configurationFile="+i.log4j(),
		"kafka.tools.StorageTool", "format", "-t", newID(), "-c", nodes[0].properties(),
	).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format a disk with StorageTool: %w\n%s", err, last(out, 1500))
	}
	checkpoint, err := os.ReadFile(filepath.Join(nodes[0].data(), "bootstrap.checkpoint"))
	if err != nil {
		return fmt.Errorf("read what StorageTool wrote: %w", err)
	}
	if err := os.WriteFile(i.checkpoint(), checkpoint, 0o644); err != nil {
		return fmt.Errorf("keep the format: %w", err)
	}
	return nil
}

// makeArchive lets one broker dump the classes it has loaded; later ones start
// with half the CPU. It only saves time: a JVM that can't make or read it starts
// without, so nothing here is an error.
func (i kafkaInstall) makeArchive(ctx context.Context, version string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	k, err := startKafka(ctx, KafkaConfig{Version: version}, i, "-XX:ArchiveClassesAtExit="+i.archive()+".tmp")
	if err != nil {
		return
	}
	defer func() { _ = k.Close() }()
	// The dump happens at an orderly exit and takes some seconds.
	if err := k.nodes[0].process.end(syscall.SIGTERM, 30*time.Second); err != nil {
		return
	}
	_ = os.Rename(i.archive()+".tmp", i.archive())
}

// command is the argument list of a broker's JVM.
func (i kafkaInstall) command(properties string, flags ...string) ([]string, error) {
	classpath, err := i.classpath()
	if err != nil {
		return nil, err
	}
	argv := []string{java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	if exists(i.archive()) {
		argv = append(argv, "-XX:SharedArchiveFile="+i.archive(), "-Xshare:auto")
	}
	argv = append(argv, flags...)
	return append(argv, "-cp", classpath, "-Dlog4j2.configurationFile="+i.log4j(), "kafka.Kafka", properties), nil
}

// classpath lists the jars one by one and sorted: an archive of classes holds only
// for the very list it was made with.
func (i kafkaInstall) classpath() (string, error) { return jars(i.dir) }

func jars(dir string) (string, error) {
	all, err := filepath.Glob(filepath.Join(dir, "libs", "*.jar"))
	if err != nil {
		return "", fmt.Errorf("list jars: %w", err)
	}
	if len(all) == 0 {
		return "", fmt.Errorf("find jars: none below %s (remove the directory to fetch them again)", dir)
	}
	slices.Sort(all)
	return strings.Join(all, string(os.PathListSeparator)), nil
}

func java() string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java")
	}
	return "java"
}
