package sqldb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// setting is one of the server's settings. The search_path, where there is one, is the first.
type setting struct{ name, value string }

type settings []setting

// statements set them for one transaction.
func (s settings) statements() []string {
	var list []string
	for _, one := range s {
		value := one.value
		if one.name != "search_path" { // whose value is a list of quoted names already
			value = "'" + strings.ReplaceAll(value, "'", "''") + "'"
		}
		list = append(list, "set local "+one.name+" to "+value)
	}
	return list
}

// takeSettings takes the timeouts out of the URL, fills in what is missing, and adds the schema. A
// pooler would refuse them in the greeting of a connection.
func takeSettings(cc *pgx.ConnConfig, schema string) settings {
	var list settings
	if schema != "" {
		list = append(list, setting{"search_path", quoteName(schema)})
	}
	for _, t := range timeouts {
		value := t.value
		if given, ok := cc.RuntimeParams[t.name]; ok {
			value = given
			delete(cc.RuntimeParams, t.name)
		}
		list = append(list, setting{t.name, value})
	}
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = connectWithin
	}
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "leat"
	}
	return list
}

// behindPooler connects once and asks who answers. A transaction pooler (PgBouncer and its kin) gives
// its clients a process id of its own making, because the server's changes with each transaction.
func behindPooler(ctx context.Context, cc *pgx.ConnConfig) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, cc.Copy())
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	var pid uint32
	// Without arguments and by the simple protocol: nothing is prepared.
	err = conn.QueryRow(ctx, "select pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	if err != nil {
		return false, fmt.Errorf("ask the server for its process: %w", err)
	}
	return pid != conn.PgConn().PID(), nil
}

// timesInUTC makes a timestamptz the same value whatever zone the process is in.
func timesInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

// quoteName writes a name so that PostgreSQL takes it as it is.
func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }
