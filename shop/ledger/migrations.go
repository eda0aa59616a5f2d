package ledger

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed migrations/*.sql
var tables embed.FS

// Migrations are a service's own migrations, which begin with 0002, behind the ledger's 0001.
func Migrations(own embed.FS) fs.FS { return joined{tables, own} }

// joined shows the migrations directories of several file systems as one.
type joined []embed.FS

func (j joined) Open(name string) (fs.File, error) {
	for _, dir := range j {
		f, err := dir.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (j joined) ReadFile(name string) ([]byte, error) {
	for _, dir := range j {
		data, err := dir.ReadFile(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
}

func (j joined) ReadDir(name string) ([]fs.DirEntry, error) {
	var all []fs.DirEntry
	there := false
	for _, dir := range j {
		entries, err := dir.ReadDir(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list migrations: %w", err)
		}
		there = true
		all = append(all, entries...)
	}
	if !there {
		return nil, &fs.PathError{Op: "list", Path: name, Err: fs.ErrNotExist}
	}
	byName := func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }
	slices.SortFunc(all, byName)
	return slices.CompactFunc(all, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() }), nil
}
