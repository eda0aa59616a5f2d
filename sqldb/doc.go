// Package sqldb is the seam to SQL: PostgreSQL and SQLite behind one transaction.
package sqldb
