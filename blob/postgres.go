package blob

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/leatdev/leat/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// objects are PostgreSQL's large objects, named by the table leat_blob.
type objects struct{ db *sqldb.DB }

func openPostgres(ctx context.Context, cfg Config) (Store, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("the URL can't be read")
	}
	q := u.Query()
	schema := q.Get("schema")
	if schema == "" {
		schema = "leat_blob"
	}
	q.Del("schema")
	u.RawQuery = q.Encode()
	db, err := sqldb.Open(ctx, sqldb.Config{URL: u.String(), Schema: schema, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err == nil {
		err = db.Migrate(ctx, "blob", files)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return &objects{db}, nil
}

// Put makes a large object and gives it the name, in one transaction. Of two who put a name at once
// the later finds it there when it tries again.
func (o *objects) Put(ctx context.Context, name string, data []byte) error {
	if err := validName(name); err != nil {
		return err
	}
	if data == nil {
		data = []byte{}
	}
	put := func(ctx context.Context, tx *sqldb.Tx) error {
		there, err := tx.Exec(ctx, `update leat_blob set at = now() where name = $1`, name)
		if err == nil && there == 0 {
			_, err = tx.Exec(ctx, `insert into leat_blob (name, object, size, at) values ($1, lo_from_bytea(0, $2), $3, now())`, name, data, len(data))
		}
		return err
	}
	err := o.db.Tx(ctx, put)
	if sqldb.IsUnique(err) {
		err = o.db.Tx(ctx, put)
	}
	return err
}

// unlink removes a name and its large object.
func unlink(ctx context.Context, tx *sqldb.Tx, name string) error {
	_, err := tx.Exec(ctx, `with gone as (delete from leat_blob where name = $1 returning object) select lo_unlink(object) from gone`, name)
	return err
}

// Get reads a large object.
func (o *objects) Get(ctx context.Context, name string, limit int64) (data []byte, err error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	err = o.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		var size int64
		err := tx.QueryRow(ctx, `select size from leat_blob where name = $1`, name).Scan(&size)
		switch {
		case errors.Is(err, sqldb.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case size > limit:
			return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, limit)
		}
		return tx.QueryRow(ctx, `select lo_get(object) from leat_blob where name = $1`, name).Scan(&data)
	})
	return data, err
}

// Delete removes a large object.
func (o *objects) Delete(ctx context.Context, name string) error {
	if err := validName(name); err != nil {
		return err
	}
	return o.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return unlink(ctx, tx, name) })
}

// eachRows is how many names one query brings.
const eachRows = 500

// Each lists the table in the order of the names.
func (o *objects) Each(ctx context.Context, prefix string, do func(Object) error) error {
	after := strings.TrimSuffix(prefix, "/")
	for {
		page, err := o.page(ctx, prefix, after)
		if err != nil {
			return fmt.Errorf("list payloads: %w", err)
		}
		for _, object := range page {
			if err := do(object); err != nil {
				return fmt.Errorf("list payloads: %w", err)
			}
			after = object.Name
		}
		if len(page) < eachRows {
			return nil
		}
	}
}

func (o *objects) page(ctx context.Context, prefix, after string) (page []Object, err error) {
	err = o.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		page = page[:0]
		rows, err := tx.Query(ctx, `select name, size, at from leat_blob where name > $1 and starts_with(name, $2) order by name limit $3`, after, prefix, eachRows)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var object Object
			var at time.Time
			if err := rows.Scan(&object.Name, &object.Size, &at); err != nil {
				return err
			}
			object.At = at.UTC()
			page = append(page, object)
		}
		return rows.Err()
	})
	return page, err
}

// Close closes the database.
func (o *objects) Close() { o.db.Close() }
