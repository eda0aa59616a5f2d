package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Migrate brings the owner's tables up to date. Its files are NNNN_name.sql, anywhere in the tree;
// NNNN_name.postgres.sql and NNNN_name.sqlite.sql win on their database, and a number that has only
// the other one's is passed over. Each file is one transaction that holds the migration lock: a
// failing one leaves nothing behind, those before it stay. Files only ever get added at the end: a
// changed, missing or inserted one is an error.
//
// Any number of processes may call it at once. On PostgreSQL it makes the schema of Config, and
// neither the 30 s of a statement nor a wait for another process's migration are bounded but by ctx.
func (db *DB) Migrate(ctx context.Context, owner string, files fs.FS) error {
	list, err := readMigrations(files, db.dialect)
	if err != nil {
		return fmt.Errorf("read migrations of %s: %w", owner, err)
	}
	for more := true; more; {
		err := db.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			applied, err := db.lockMigrations(ctx, tx, owner)
			if err != nil {
				return err
			}
			next, err := pending(list, applied)
			if more = next != nil; err != nil || !more {
				return err
			}
			return next.run(ctx, tx, owner)
		})
		if err != nil {
			return fmt.Errorf("migrate %s: %w", owner, err)
		}
	}
	return nil
}

// migration is one file.
type migration struct {
	number     int
	name       string // the file's, without its directory
	specific   bool   // for one dialect
	checksum   string // of its text with \n line ends
	statements []statement
}

var migrationName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9]{4,9})_[^.]+(\.(postgres|sqlite))?\.sql$`)
})

// readMigrations finds the files for a dialect, in order.
func readMigrations(files fs.FS, d Dialect) ([]migration, error) {
	byNumber := map[int]migration{}
	err := fs.WalkDir(files, ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(at) != ".sql" {
			return err
		}
		name := path.Base(at)
		parts := migrationName().FindStringSubmatch(name)
		if parts == nil {
			return fmt.Errorf("file %s: call it NNNN_name.sql or NNNN_name.%v.sql, as 0001_tables.sql", at, d)
		}
		if parts[3] != "" && parts[3] != d.String() {
			return nil
		}
		text, err := fs.ReadFile(files, at)
		if err != nil {
			return err
		}
		m := migration{name: name, specific: parts[3] != ""}
		if m.number, err = strconv.Atoi(parts[1]); err != nil {
			return err
		}
		clean := strings.ReplaceAll(string(text), "\r\n", "\n")
		sum := sha256.Sum256([]byte(clean))
		m.checksum, m.statements = hex.EncodeToString(sum[:]), split(clean, d)
		if other, there := byNumber[m.number]; there && other.specific == m.specific {
			return fmt.Errorf("files %s and %s have the same number", other.name, m.name)
		} else if !there || m.specific {
			byNumber[m.number] = m
		}
		return nil
	})
	list := make([]migration, 0, len(byNumber))
	for _, m := range byNumber {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b migration) int { return a.number - b.number })
	return list, err
}

// pending is the first migration that has not been applied, or nil, or how files and database differ.
func pending(list []migration, applied map[int]migration) (*migration, error) {
	var newest int
	for number := range applied {
		newest = max(newest, number)
	}
	known := map[int]bool{}
	var next *migration
	var faults []error
	for i, m := range list {
		known[m.number] = true
		was, done := applied[m.number]
		switch {
		case done && was.checksum != m.checksum:
			faults = append(faults, fmt.Errorf("file %s is not what was applied as %s: put it back and write the change as a new file", m.name, was.name))
		case !done && m.number < newest:
			faults = append(faults, fmt.Errorf("file %s comes late: number %04d is applied already; give it a higher number", m.name, newest))
		case !done && next == nil:
			next = &list[i]
		}
	}
	for number, was := range applied {
		// A higher one is the work of a newer version of the program, which may run beside this one.
		if !known[number] && len(list) > 0 && number < list[len(list)-1].number {
			faults = append(faults, fmt.Errorf("file %s was applied and is missing: put it back", was.name))
		}
	}
	return next, errors.Join(faults...)
}

// lockMigrations takes the lock for the rest of the transaction and reads what has been applied. The
// table is the same for all owners.
func (db *DB) lockMigrations(ctx context.Context, tx *Tx, owner string) (map[int]migration, error) {
	if db.dialect == Postgres { // on SQLite the transaction is the lock
		if err := db.preparePostgres(ctx, tx); err != nil {
			return nil, err
		}
	}
	_, err := tx.Exec(ctx, `create table if not exists leat_migration (
		owner text not null, number integer not null, name text not null, checksum text not null,
		applied_at timestamp with time zone not null, primary key (owner, number))`)
	if err != nil {
		return nil, fmt.Errorf("create table leat_migration: %w", err)
	}
	rows, err := tx.Query(ctx, `select number, name, checksum from leat_migration where owner = $1`, owner)
	if err != nil {
		return nil, fmt.Errorf("read leat_migration: %w", err)
	}
	defer func() { _ = rows.Close() }()
	applied := map[int]migration{}
	for rows.Next() {
		var m migration
		if err := rows.Scan(&m.number, &m.name, &m.checksum); err != nil {
			return nil, fmt.Errorf("read leat_migration: %w", err)
		}
		applied[m.number] = m
	}
	return applied, rows.Err()
}

// preparePostgres takes the lock, without the limits that are meant for a service's work, and makes
// the schema.
func (db *DB) preparePostgres(ctx context.Context, tx *Tx) error {
	key := fnv.New64a()
	_, _ = key.Write([]byte("leat_migration " + db.schema))
	lock := fmt.Sprintf("set local statement_timeout = 0; set local lock_timeout = 0; select pg_advisory_xact_lock(%d); set local lock_timeout = '10s'", int64(key.Sum64()))
	if _, err := tx.Exec(ctx, lock); err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}
	if db.schema == "" {
		return nil
	}
	var there bool
	err := tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", db.schema).Scan(&there)
	if err != nil {
		return fmt.Errorf("look for schema %s: %w", db.schema, err)
	}
	if there { // "if not exists" asks for the right to create it all the same
		return nil
	}
	if _, err := tx.Exec(ctx, "create schema if not exists "+quoteName(db.schema)); err != nil {
		return fmt.Errorf("create schema %s: %w", db.schema, err)
	}
	return nil
}

// run applies the file and notes it.
func (m *migration) run(ctx context.Context, tx *Tx, owner string) error {
	for _, s := range m.statements {
		if _, err := tx.Exec(ctx, s.text); err != nil {
			return fmt.Errorf("file %s, line %d, statement %q: %w", m.name, s.line, excerpt(s.text), err)
		}
	}
	_, err := tx.Exec(ctx, `insert into leat_migration (owner, number, name, checksum, applied_at) values ($1, $2, $3, $4, $5)`,
		owner, m.number, m.name, m.checksum, time.Now())
	if err != nil {
		return fmt.Errorf("note file %s: %w", m.name, err)
	}
	return nil
}

// excerpt is a statement's beginning in one line.
func excerpt(text string) string {
	const most = 120
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}
