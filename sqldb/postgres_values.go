package sqldb

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// values keeps the zone of the process out of columns without one, and has lists of UUIDs encoded without
// reflection. args is the caller's: it is copied before it is changed.
func values(args []any) []any {
	copied := false
	for i, a := range args {
		var value any
		switch t := a.(type) {
		case time.Time:
			value = t.UTC()
		case *time.Time:
			if t == nil {
				continue
			}
			value = t.UTC()
		case [][16]byte:
			value = uuids(t)
		default:
			continue
		}
		if !copied {
			args, copied = append([]any(nil), args...), true
		}
		args[i] = value
	}
	return args
}

// uuids is a uuid[].
type uuids [][16]byte

func (u uuids) Dimensions() []pgtype.ArrayDimension {
	if u == nil {
		return nil
	}
	return []pgtype.ArrayDimension{{Length: int32(len(u)), LowerBound: 1}}
}

func (u uuids) Index(i int) any { return (*uuid)(&u[i]) }
func (u uuids) IndexType() any  { return (*uuid)(nil) }

type uuid [16]byte

func (u *uuid) UUIDValue() (pgtype.UUID, error) {
	if u == nil {
		return pgtype.UUID{}, nil
	}
	return pgtype.UUID{Bytes: *u, Valid: true}, nil
}
