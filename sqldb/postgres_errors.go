package sqldb

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgresFault sorts PostgreSQL's error codes (appendix A of its manual).
func postgresFault(pg *pgconn.PgError) fault {
	switch pg.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return faultAgain
	case "57P01", "57P02", "57P03", "57P05", // shutting down, crashed, starting, session idle too long
		"25006", // a standby after a fail-over
		"55P03": // a lock did not come in time
		return faultAway
	case "0A000":
		if pg.Routine == "RevalidateCachedQuery" { // a migration changed a table under a prepared statement
			return faultAgain
		}
		return faultNone
	}
	if strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53") { // connection, resources
		return faultAway
	}
	return faultNone
}

// postgresHint says what to try; the server's own hint where there is nothing better.
func postgresHint(pg *pgconn.PgError) string {
	switch pg.Code {
	case "28P01", "28000":
		return "check user and password in the URL, and pg_hba.conf on the server"
	case "3D000":
		return "create the database first, or check its name in the URL"
	case "3F000":
		return "the schema is not there: run the migrations, or check Config.Schema"
	case "42P01":
		return "the table is not there: have the migrations of this schema run?"
	case "42501":
		return "the user lacks the right: GRANT it, or let the owner run the migrations"
	case "53300":
		return "the server has no connection left: lower MaxConns, raise max_connections, or use a pooler"
	case "55P03":
		return "another transaction holds the lock: look at pg_stat_activity, or raise lock_timeout in the URL"
	case "57014":
		return "the statement took longer than statement_timeout: raise it in the URL, or add an index"
	case "25P03":
		return "the transaction did nothing for too long: keep remote calls out of it"
	case "26000", "42P05":
		return "a pooler changes sessions under prepared statements: add default_query_exec_mode=cache_describe to the URL"
	}
	return pg.Hint
}

// connectHint says what to try where no connection came about.
func connectHint(err *pgconn.ConnectError) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch text := err.Error(); {
	case isDNS:
		return "the host " + dns.Name + " has no address: check its name"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: does PostgreSQL run, and on this port?"
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ETIMEDOUT):
		return "the host does not answer: check address, network and firewall"
	case strings.Contains(text, "server refused TLS"):
		return "the server has no TLS: set it up there, or sslmode=disable on a network you trust"
	case strings.Contains(text, "x509:") || strings.Contains(text, "tls:"):
		return "the server's certificate is not trusted for this host: give sslrootcert, and the name it was made for"
	}
	return ""
}

func isEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
