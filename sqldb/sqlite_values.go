package sqldb

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// sqliteTime is how a time lies in SQLite: UTC, microseconds as in PostgreSQL, always the same
// width, so that texts compare as times do. SQLite's own date functions read it.
const sqliteTime = "2006-01-02 15:04:05.000000-07:00"

// CheckNamedValue turns Go's values into SQLite's.
func (c *sqliteConn) CheckNamedValue(nv *driver.NamedValue) error {
	if raw, ok := nv.Value.(json.RawMessage); ok {
		if raw == nil {
			nv.Value = nil
		} else {
			nv.Value = string(raw) // a blob would be taken for SQLite's binary JSON
		}
		return nil
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(nv.Value)
	if err != nil {
		return err
	}
	if t, ok := v.(time.Time); ok {
		v = t.UTC().Truncate(time.Microsecond).Format(sqliteTime)
	}
	nv.Value = v
	return nil
}

// sqliteRows mends what the driver's rows lose: a column that PostgreSQL calls timestamptz is a
// time, and an empty blob is not NULL.
type sqliteRows struct {
	driver.Rows
	conn  *sqliteConn
	stmt  *sqliteStmt
	times []bool
}

func newSQLiteRows(rows driver.Rows, c *sqliteConn, s *sqliteStmt) driver.Rows {
	r := &sqliteRows{Rows: rows, conn: c, stmt: s}
	types, ok := rows.(driver.RowsColumnTypeDatabaseTypeName)
	if !ok {
		return r
	}
	for i := range rows.Columns() {
		switch strings.ToUpper(types.ColumnTypeDatabaseTypeName(i)) {
		case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
			if r.times == nil {
				r.times = make([]bool, len(rows.Columns()))
			}
			r.times[i] = true
		}
	}
	return r
}

// Next reads a row.
func (r *sqliteRows) Next(dest []driver.Value) error {
	if err := r.Rows.Next(dest); err != nil {
		return r.conn.check(err)
	}
	for i, v := range dest {
		switch v := v.(type) {
		case []byte:
			if v == nil {
				dest[i] = []byte{}
			}
		case string:
			if r.times != nil && r.times[i] {
				t, err := parseTime(v)
				if err != nil {
					return err
				}
				dest[i] = t
			}
		}
	}
	return nil
}

// Close gives the statement back.
func (r *sqliteRows) Close() error {
	err := r.Rows.Close()
	r.conn.done(r.stmt)
	return err
}

// timeScanner reads a time out of whatever SQLite has.
type timeScanner struct {
	set  func(time.Time)
	null func()
}

// Scan implements sql.Scanner.
func (s timeScanner) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		s.set(v.UTC())
		return nil
	case string:
		t, err := parseTime(v)
		if err != nil {
			return err
		}
		s.set(t)
		return nil
	case nil:
		if s.null == nil {
			return fmt.Errorf("read NULL into a time.Time: use *time.Time")
		}
		s.null()
		return nil
	}
	return fmt.Errorf("read %T as a time", src)
}

// timeLayouts are what stands in SQLite files as a time: ours, SQLite's own functions', and ISO.
var timeLayouts = []string{
	sqliteTime, "2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05", time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999", "2006-01-02",
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("read %q as a time", s)
}
