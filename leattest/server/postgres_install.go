package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// PostgresVersion is the PostgreSQL that StartPostgres fetches where the system
// has none.
const PostgresVersion = "17.11.0"

// postgresInstall is a set of binaries, the user who runs them, and a directory
// that this user can reach for what is made once.
type postgresInstall struct {
	bins       string
	name       string // of the cached template
	cache      string
	credential *syscall.Credential // nil: ourselves
}

func (i *postgresInstall) bin(name string) string { return filepath.Join(i.bins, name) }

// findPostgres looks for the system's PostgreSQL or fetches binaries.
func findPostgres(ctx context.Context, version string) (*postgresInstall, error) {
	i := &postgresInstall{}
	var err error
	if i.credential, err = postgresUser(); err != nil {
		return nil, err
	}
	if i.cache, err = i.reachableCache(); err != nil {
		return nil, err
	}
	if version == "" {
		if i.bins = systemPostgres(); i.bins != "" {
			return i, i.nameTemplate(ctx)
		}
		version = PostgresVersion
	}
	dir, err := install(filepath.Join(i.cache, "postgres-"+version), func(dir string) error {
		return fillPostgres(ctx, dir, version)
	})
	if err != nil {
		return nil, fmt.Errorf("install postgresql %s: %w", version, err)
	}
	i.bins = filepath.Join(dir, "bin")
	return i, i.nameTemplate(ctx)
}

// systemPostgres returns the binaries of the highest major version: Debian's
// directories first, then those beside initdb on the PATH; "" if there is none.
func systemPostgres() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // a fixed pattern: no error
	major := func(initdb string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return major(b) - major(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0])
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(initdb); err == nil {
		initdb = real
	}
	return filepath.Dir(initdb)
}

// postgresUser returns whom the server runs as: PostgreSQL refuses root, so root
// becomes postgres or nobody, and anybody else stays who they are.
func postgresUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read the ids of user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("find a user to run postgresql as: root may not, and there is neither postgres nor nobody")
}

// reachableCache is the cache directory; for a server that runs as another user it
// is one below the system's temporary directory, since a root's home is closed.
func (i *postgresInstall) reachableCache() (string, error) {
	if i.credential == nil {
		return cacheDir()
	}
	dir := filepath.Join(os.TempDir(), "leat-cache")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("look at the cache directory: %w", err)
	}
	// Anybody may make that name in /tmp; what root runs must come from root.
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || stat.Uid != 0 || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("use %s as cache: it is not a directory that only root can write (remove it)", dir)
	}
	return dir, nil
}

// fillPostgres fetches a jar with one archive of binaries and unpacks both.
func fillPostgres(ctx context.Context, dir, version string) error {
	arch := map[string]string{"amd64": "amd64", "arm64": "arm64v8"}[runtime.GOARCH]
	if runtime.GOOS != "linux" || arch == "" {
		return fmt.Errorf("fetch binaries for %s/%s: none known (install postgresql on the system)", runtime.GOOS, runtime.GOARCH)
	}
	err := maven(
		ctx, "postgresql "+version,
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
		"-Dartifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-"+arch+":"+version,
		"-DoutputDirectory="+dir,
	)
	if err != nil {
		return err
	}
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil || len(jars) != 1 {
		return fmt.Errorf("find the fetched jar: there are %d in %s", len(jars), dir)
	}
	archive, err := unzipOne(jars[0], ".txz", dir)
	if err != nil {
		return err
	}
	// tar and xz: Go's library reads no xz.
	if out, err := exec.CommandContext(ctx, "tar", "-xJf", archive, "-C", dir, "--no-same-owner").CombinedOutput(); err != nil {
		return fmt.Errorf("unpack the binaries (needs tar and xz): %w\n%s", err, last(out, 500))
	}
	if out, err := exec.CommandContext(ctx, "chmod", "-R", "a+rX", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("let the server's user read the binaries: %w\n%s", err, last(out, 500))
	}
	return errors.Join(os.Remove(jars[0]), os.Remove(archive))
}

// nameTemplate names the template after the exact version of the binaries and who
// runs them, so that an upgrade gets a new one.
func (i *postgresInstall) nameTemplate(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, i.bin("postgres"), "--version").Output()
	if err != nil {
		return fmt.Errorf("ask postgresql in %s for its version: %w", i.bins, err)
	}
	fields := strings.Fields(string(out)) // postgres (PostgreSQL) 15.9 (Debian ...)
	if len(fields) < 3 {
		return fmt.Errorf("read postgresql's version from %q", out)
	}
	uid := os.Geteuid()
	if i.credential != nil {
		uid = int(i.credential.Uid)
	}
	i.name = fmt.Sprintf("postgres-%s-initdb-%d", fields[2], uid)
	return nil
}

// copyTemplate makes a data directory as initdb does, in a tenth of its time.
func (i *postgresInstall) copyTemplate(ctx context.Context, to string) error {
	template, err := install(filepath.Join(i.cache, i.name), func(dir string) error {
		if err := i.own(dir); err != nil {
			return err
		}
		return i.run(
			ctx, i.bin("initdb"), "-D", filepath.Join(dir, "data"),
			"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
		)
	})
	if err != nil {
		return fmt.Errorf("make a database cluster: %w", err)
	}
	if err := i.run(ctx, "cp", "-a", filepath.Join(template, "data"), to); err != nil {
		return fmt.Errorf("copy a database cluster: %w", err)
	}
	return nil
}

// run executes a command as the server's user.
func (i *postgresInstall) run(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = os.TempDir() // our own may be closed to that user
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: i.credential}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", filepath.Base(argv[0]), err, last(out, 1500))
	}
	return nil
}

// own gives a file to the server's user.
func (i *postgresInstall) own(path string) error {
	if i.credential == nil {
		return nil
	}
	if err := os.Chown(path, int(i.credential.Uid), int(i.credential.Gid)); err != nil {
		return fmt.Errorf("give %s to the server's user: %w", path, err)
	}
	return nil
}
