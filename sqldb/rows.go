package sqldb

import "errors"

// Rows are the rows of a query, read one by one.
//
//	for rows.Next() {
//		if err := rows.Scan(&id, &name); err != nil { ... }
//	}
//	return rows.Err()
type Rows struct {
	cursor cursor
	tx     *Tx
}

// cursor is what both drivers call rows.
type cursor interface {
	next() bool
	scan(dest []any) error
	raw() [][]byte
	err() error
	close() error
}

// Next goes to the next row. After the last one it closes the rows and returns false.
func (r *Rows) Next() bool { return r.cursor.next() }

// Scan copies the row's columns to where dest points: the basic types, []byte, time.Time (in UTC),
// pointers to them for NULL, and whatever implements sql.Scanner.
func (r *Rows) Scan(dest ...any) error { return r.cursor.scan(dest) }

// Raw is the row's columns as the server sent them: text as its bytes, all else in PostgreSQL's binary
// form, nil for NULL. They are good until the next call of Next. It is nil where there is no such form:
// on SQLite, and where the connection speaks PostgreSQL's text forms; then Scan.
func (r *Rows) Raw() [][]byte { return r.cursor.raw() }

// Err is what ended Next before the last row, or nil.
func (r *Rows) Err() error { return r.tx.note(r.cursor.err()) }

// Close frees the rows. It may be called more than once.
func (r *Rows) Close() error { return r.tx.note(r.cursor.close()) }

// Row is the first row of a query.
type Row struct {
	rows *Rows
	err  error
}

// Scan copies the columns as Rows.Scan does. Without a row it returns ErrNoRows.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if !r.rows.Next() {
		if err := errors.Join(r.rows.Err(), r.rows.Close()); err != nil {
			return err
		}
		return ErrNoRows
	}
	err := r.rows.Scan(dest...)
	if closed := r.rows.Close(); err == nil {
		err = closed
	}
	return err
}
