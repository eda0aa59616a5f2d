package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const brokerMode = "LEAT_BENCH_BROKER"

// startBroker runs an embedded broker in a process of its own.
func startBroker(ctx context.Context) (stop func(), brokers string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), brokerMode+"=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start the broker process: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, "", fmt.Errorf("read the broker's address: %w", err)
	}
	return func() { _ = in.Close(); _ = cmd.Wait() }, strings.TrimSpace(line), nil
}

// serveBroker is the broker process: it ends with its standard input.
func serveBroker() error {
	signal.Ignore(os.Interrupt) // the parent decides
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(6))
	if err != nil {
		return fmt.Errorf("start the embedded broker: %w", err)
	}
	defer c.Close()
	fmt.Println(strings.Join(c.ListenAddrs(), ","))
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// spawn runs one contender of a case as a process and reads its figures.
func spawn(ctx context.Context, o options, contender string) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return figures{}, err
	}
	cmd := exec.CommandContext(ctx, self, "-case", o.name, "-contender", contender, "-brokers", o.brokers, "-topic", o.topic, "-records", strconv.Itoa(o.records), "-profile", o.profile)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if err != nil {
		return figures{}, fmt.Errorf("run it: %w", err)
	}
	var f figures
	if err := json.Unmarshal(out, &f); err != nil {
		return figures{}, fmt.Errorf("read its figures %q: %w", out, err)
	}
	return f, nil
}

// contend does the work of one contender in this process and prints its figures.
func contend(ctx context.Context, o options, c benchCase) error {
	work, ok := c.work[o.contender]
	if !ok {
		return fmt.Errorf("case %s has no contender %q", o.name, o.contender)
	}
	stop, err := profile(o.profile)
	if err != nil {
		return err
	}
	start, cpu := time.Now(), cpuSeconds()
	n, err := work(ctx, o)
	stop()
	if err != nil {
		return err
	}
	if n != o.records {
		return fmt.Errorf("handled %d records, not %d", n, o.records)
	}
	f := figures{Records: n, Allocs: allocs, Seconds: time.Since(start).Seconds(), CPUSeconds: cpuSeconds() - cpu, SpanSeconds: span.Seconds()}
	f.fill()
	f.PeakRSSBytes, f.Milliseconds, f.Told = peakRSS(), percentiles(latencies), told
	return json.NewEncoder(os.Stdout).Encode(f)
}

// span is the time from the first record to the last, of cases that tell it.
var span time.Duration

// told is what else a case tells of its round.
var told map[string]float64

func spanOf(first time.Time) { span = time.Since(first) }

// profile writes the CPU profile of a contender to a file, "" for none.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}

func (f *figures) fill() {
	f.RecordsPerS = float64(f.Records) / f.Seconds
	f.CPUPerM = f.CPUSeconds / float64(f.Records) * 1e6
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(errors.Join(errors.New("getrusage on this process"), err))
	}
	return seconds(u.Utime) + seconds(u.Stime)
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// peakRSS is what the process held at most, in bytes. Not getrusage: that begins with what the parent
// held.
func peakRSS() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10
}
