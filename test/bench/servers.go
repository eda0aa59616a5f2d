package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// serverCPU is the CPU time so far of the servers that the command ./test/servers started beside this
// process: by program ("java" is Kafka, "postgres" the database with all its backends).
func serverCPU() (map[string]float64, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	parent, name, ticks := map[int]int{}, map[int]string{}, map[int]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
		if err != nil || open < 0 || end < open {
			return nil, fmt.Errorf("read %s: %q", path, text)
		}
		fields := strings.Fields(string(text[end+1:]))
		number := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n }
		name[pid], parent[pid] = string(text[open+1:end]), number(1)
		ticks[pid] = number(11) + number(12) + number(13) + number(14) // its own and of its children that ended
	}
	used := map[string]float64{}
	for pid := range parent {
		for up := pid; up > 1; up = parent[up] {
			if up == os.Getpid() {
				break // a contender
			}
			if up == os.Getppid() {
				if pid != up {
					used[name[pid]] += float64(ticks[pid]) / 100 // USER_HZ
				}
				break
			}
		}
	}
	return used, nil
}
