package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// orderCase runs whole orders through the shop, from HTTP to the last effect, with the audit.
func orderCase() benchCase {
	c := benchCase{records: 5_000, contenders: []string{"sqlite"}, ownBroker: true}
	if os.Getenv("LEAT_TEST_POSTGRES") != "" && os.Getenv("LEAT_TEST_KAFKA") != "" {
		c.contenders = append(c.contenders, "postgres")
	}
	c.measure = func(ctx context.Context, o options, contender string, _ int) (figures, error) {
		args := []string{"demo", "--exit", "-o", "json", "--trouble", "0", "--orders", strconv.Itoa(o.records)}
		if contender == "postgres" {
			brokers, url, err := servers()
			if err != nil {
				return figures{}, err
			}
			args = append(args, "--kafka", brokers, "--db", url, "--prefix", fmt.Sprintf("bench%x.", rand.Uint32()))
		}
		return runDemo(ctx, args, o.records)
	}
	return c
}

func servers() (brokers, url string, err error) {
	if brokers, err = env("LEAT_TEST_KAFKA"); err != nil {
		return "", "", err
	}
	url, err = env("LEAT_TEST_POSTGRES")
	return brokers, url, err
}

// leatBinary is bin/leat: beside this program, or from the directory of the sources.
func leatBinary() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if bin := filepath.Join(filepath.Dir(self), "leat"); exists(bin) {
		return bin, nil
	}
	return filepath.Abs("../../bin/leat")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// runDemo measures one run of the binary; the CPU is the whole process, load generator included.
func runDemo(ctx context.Context, args []string, orders int) (figures, error) {
	bin, err := leatBinary()
	if err != nil {
		return figures{}, err
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if err != nil {
		return figures{}, fmt.Errorf("run %s (build it with make build): %w\n%s", bin, err, talk.Bytes())
	}
	var report struct {
		OK        bool    `json:"ok"`
		Placed    int     `json:"placed"`
		OrdersPer float64 `json:"orders_per_s"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return figures{}, fmt.Errorf("read the demo's report %q: %w", out, err)
	}
	if !report.OK || report.Placed != orders {
		return figures{}, fmt.Errorf("the audit does not hold: %s", out)
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	f := figures{Records: orders, Seconds: float64(orders) / report.OrdersPer, CPUSeconds: seconds(u.Utime) + seconds(u.Stime), PeakRSSBytes: u.Maxrss << 10}
	f.fill()
	return f, nil
}
