// Package sqldb is the seam to SQL: PostgreSQL and SQLite behind one transaction.
//
// # What
//
// Open gives a DB, DB.Tx a transaction with hooks and savepoints, DB.View a snapshot to read, DB.Ask
// several questions at once, DB.Migrate an owner's tables, DB.Lease the right to be the only one.
//
// # Use
//
//	db, err := sqldb.Open(ctx, sqldb.Config{URL: "postgres://shop@db/shop?sslmode=verify-full", Schema: "payment"})
//	...
//	err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
//		_, err := tx.Exec(ctx, `update account set cents = cents - $1 where id = $2`, 1999, "a-7")
//		return err
//	})
//
// The function may run more than once: on PostgreSQL two transactions can lose against each other.
// The SQL is the database's own, with $1 as placeholder on both. sqlc, gorm and ent take tx.SQL() or
// tx.Pgx(ctx), which are the same transaction, not another one.
//
// Values are alike on both:
//
//	Go                           PostgreSQL                SQLite
//	time.Time, in UTC and        timestamp with time zone  the same type's name; a text that sorts as times do
//	microseconds
//	bool, int64, float64, string boolean, bigint, ...      boolean, bigint, ...
//	[]byte, empty or nil (NULL)  bytea                     bytea or blob
//	JSON as string or            json, jsonb               json or text; pass no []byte, a blob is
//	json.RawMessage                                        SQLite's own binary JSON
//	nil, a nil pointer           NULL                      NULL
//
// # PostgreSQL
//
// Each transaction sets its search_path (Config.Schema and nothing else) for itself, in the packet
// that begins it, and that travels with the first statement: a transaction of one statement is two
// round trips, one of none is none; questions that change nothing are one together (Ask). TLS is the URL's sslmode; several hosts with
// target_session_attrs=read-write follow a fail-over. statement_timeout 30 s, lock_timeout 10 s and
// idle_in_transaction_session_timeout 60 s hold unless the URL says otherwise.
//
// Open finds out whether a transaction pooler (PgBouncer, and those like it) stands between: the
// process that answers is then not the one that greeted. Behind one nothing is kept in the session:
// settings are each transaction's own and statements have no name (QueryExecModeCacheDescribe); the
// begin is a round trip of its own. default_query_exec_mode in the URL overrules.
//
// # SQLite
//
// The file is in WAL mode with foreign keys on. There is one writer at a time: BEGIN IMMEDIATE behind
// a queue that all handles of the process on this file share, in order of arrival and with an ear for
// the context. A lock that another process holds is tried for Config.Wait. No call sleeps in SQLite,
// so everything works within a testing/synctest bubble and on its clock. View reads beside the
// writer. Keep remote calls out of transactions: they would hold the only write lock.
//
// # Guarantees
//
// A nil from Tx means committed (on SQLite with Synchronous Normal: as long as the machine runs).
// Once the context has ended, nothing of the transaction can be committed, even if the function hangs
// and goes on. A panic rolls back. AfterCommit runs only after a commit that is known. A migration is
// applied once, whole or not at all, however many processes start at once. A lease's token only grows.
//
// # Failure
//
// Serialization failures and deadlocks are repeated, up to 8 times with jittered back-off. What is the
// database's fault (no connection, full pool, server starting or stopping, lock or disk not to be had,
// the last of those repetitions) is leat.Unavailable, so that a consumer waits and counts no attempt.
// A commit whose answer got lost is also ErrCommitUnknown. Errors carry what to try; *Error has it as
// a field. A statement_timeout is the statement's own fault.
//
// # Test
//
// One suite runs on both databases, with fuzzed statement splitting, poolers, kill -9 of PostgreSQL
// under writers, and bubbles for what waits. Benchmarks compare with the bare drivers.
package sqldb
