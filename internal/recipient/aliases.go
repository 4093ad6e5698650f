package recipient

import (
	"context"
	"slices"
	"strings"

	"mailsetup/internal/edits"
)

// Aliases answers from a text of aliases(5) instead of the table that newaliases(1)
// makes of it.
type Aliases struct {
	Tables
	Path string
	Text []byte
}

// Lookup implements Tables.
func (a Aliases) Lookup(ctx context.Context, table, key string) (string, bool, error) {
	kind, path, _ := strings.Cut(strings.TrimPrefix(table, "proxy:"), ":")
	made := []string{"hash", "btree", "dbm", "sdbm", "lmdb", "cdb"}
	if path != a.Path || !slices.Contains(made, kind) {
		return a.Tables.Lookup(ctx, table, key)
	}
	value, found := edits.AliasEntries(a.Text)[key]
	return value, found, nil
}
