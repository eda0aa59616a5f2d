package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Python finds what a program of the test's own in Python needs: the command of an environment with
// all that requirements, a file of pip's, names. It is made once and kept in the cache under name;
// other requirements make another.
func Python(ctx context.Context, name string, requirements []byte) (command string, err error) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.CommandContext(ctx, python, "-c", "import sys, ensurepip, venv; assert sys.version_info >= (3, 9)").Run()
	}
	if err != nil {
		return "", fmt.Errorf("run python3: %w (install Python 3.9 or later with venv)", err)
	}
	dir, err := installFiles(name, map[string][]byte{"requirements.txt": requirements}, func(dir string) error {
		venv := filepath.Join(dir, "venv")
		if err := run(ctx, dir, python, "-m", "venv", venv); err != nil {
			return fmt.Errorf("make an environment of python: %w", err)
		}
		return run(ctx, dir, filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt")
	})
	return filepath.Join(dir, "venv", "bin", "python"), err
}

// Node finds what a program of the test's own in JavaScript needs: node, and a directory whose
// node_modules has all that manifest (package.json) and lock (package-lock.json) name. It is filled
// once and kept in the cache under name; another manifest or lock fills another.
func Node(ctx context.Context, name string, manifest, lock []byte) (command, dir string, err error) {
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = exec.LookPath("npm")
	}
	if err != nil {
		return "", "", fmt.Errorf("find node: %w (install Node.js 20 or later with npm)", err)
	}
	files := map[string][]byte{"package.json": manifest, "package-lock.json": lock}
	dir, err = installFiles(name, files, func(dir string) error {
		return run(ctx, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	})
	return node, dir, err
}

// installFiles installs what files ask for into a cache entry that is named after their contents.
func installFiles(name string, files map[string][]byte, fill func(dir string) error) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, file := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %d\n%s", file, len(files[file]), files[file])
	}
	dir, err := install(filepath.Join(cache, name+"-"+hex.EncodeToString(sum.Sum(nil)[:6])), func(dir string) error {
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
				return fmt.Errorf("write %s: %w", file, err)
			}
		}
		return fill(dir)
	})
	if err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, nil
}

// run runs a command in dir; its error has the end of the output.
func run(ctx context.Context, dir string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", filepath.Base(argv[0]), err), errors.New(string(last(out, 1500))))
	}
	return nil
}
