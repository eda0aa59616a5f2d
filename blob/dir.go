package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/leatdev/leat"
)

// dir is a directory. os.Root keeps every name inside, symbolic links included.
type dir struct{ root *os.Root }

func openDir(path string) (Store, error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &dir{root}, nil
}

// partial ends the names of files that are not whole yet.
const partial = ".part"

// Put writes beside the name and renames, so that the name holds the whole payload or nothing, and
// syncs file and directories: the event that names it is about to be committed.
func (d *dir) Put(_ context.Context, name string, data []byte) error {
	if err := validName(name); err != nil {
		return err
	}
	if err := d.put(name, data); err != nil {
		return leat.Unavailable(err)
	}
	return nil
}

func (d *dir) put(name string, data []byte) (err error) {
	parent := filepath.Dir(name)
	if err := d.root.MkdirAll(parent, 0o750); err != nil {
		return err
	}
	tmp := name + "." + leat.NewID() + partial
	f, err := d.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.root.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, d.root.Remove(tmp))
	}
	for p := parent; ; p = filepath.Dir(p) {
		if err := d.sync(p); err != nil || p == "." {
			return err
		}
	}
}

func (d *dir) sync(path string) error {
	f, err := d.root.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get reads a file.
func (d *dir) Get(_ context.Context, name string, limit int64) ([]byte, error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, leat.Unavailable(err)
	}
	defer f.Close()
	return readAll(f, limit)
}

// readAll reads up to limit bytes and refuses more.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, leat.Unavailable(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return data, nil
}

// Delete removes a file.
func (d *dir) Delete(_ context.Context, name string) error {
	if err := validName(name); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return leat.Unavailable(err)
	}
	return nil
}

// Each walks the files; those that are not whole count, for a writer that was killed left them.
func (d *dir) Each(ctx context.Context, prefix string, do func(Object) error) error {
	start := strings.TrimSuffix(prefix, "/")
	if err := validName(start); err != nil {
		return err
	}
	err := fs.WalkDir(d.root.FS(), start, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // nothing there, or deleted meanwhile
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return do(Object{Name: path, Size: info.Size(), At: info.ModTime()})
	})
	if err != nil {
		return fmt.Errorf("list payloads: %w", err)
	}
	return nil
}

// Close lets go of the directory.
func (d *dir) Close() { _ = d.root.Close() }
