package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// cacheDir is where fetched servers lie between runs.
func cacheDir() (string, error) {
	dir := os.Getenv("XDG_CACHE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory: %w (set XDG_CACHE_HOME)", err)
		}
		dir = filepath.Join(home, ".cache")
	}
	dir = filepath.Join(dir, "leat")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	return dir, nil
}

// installed says that everything below a cache entry is complete.
const installed = ".ok"

// install returns dir after fill has once succeeded in filling it. Processes that
// want the same at the same time wait for the first. A fill that was interrupted
// leaves no mark and is done again from nothing.
func install(dir string, fill func(dir string) error) (string, error) {
	if complete(dir) {
		return dir, nil
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(dir) {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("clear an unfinished %s: %w", dir, err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make %s: %w", dir, err)
	}
	if err := fill(dir); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	if err := os.WriteFile(filepath.Join(dir, installed), nil, 0o644); err != nil {
		return "", fmt.Errorf("mark %s as complete: %w", dir, err)
	}
	return dir, nil
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, installed))
	return err == nil
}

// lock takes an exclusive lock on a file; it ends with the process at the latest.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// fetchTries is how often Maven is asked, with growing pauses between.
const fetchTries = 4

// maven runs a goal that downloads something. It asks again (-U) for what it once
// did not find: Maven remembers misses for a day.
func maven(ctx context.Context, what string, args ...string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("fetch %s: %w (install maven; it is needed once, to fill the cache)", what, err)
	}
	scratch, err := os.MkdirTemp("", "leat-maven-") // plugins leave marks where they are run
	if err != nil {
		return fmt.Errorf("fetch %s: %w", what, err)
	}
	defer os.RemoveAll(scratch)
	for try := 1; ; try++ {
		run := exec.CommandContext(ctx, mvn, append([]string{"-q", "-B", "-ntp", "-U"}, args...)...)
		run.Dir = scratch
		out, err := run.CombinedOutput()
		if err == nil {
			return nil
		}
		if try == fetchTries || ctx.Err() != nil {
			return fmt.Errorf("fetch %s with maven, try %d: %w\n%s", what, try, err, last(out, 1500))
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * 5 * time.Second):
		}
	}
}

// last returns the end of a long output.
func last(out []byte, n int) []byte { return out[max(0, len(out)-n):] }

// exists tells whether a file is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
