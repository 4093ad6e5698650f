package postfix

import (
	"context"

	"mailsetup/internal/postmap"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/tablefile"
)

// outdated returns the tables of whose text postmap(1) has made one of another type since:
// without a type it makes one of default_database_type, which Debian 14 has changed.
func outdated(ctx context.Context, r system.Runner, p *state.Postfix) (list []string) {
	var files []string
	var other []tablefile.Table
	for _, t := range tablefile.Named(p) {
		if t.Type != p.Value["default_database_type"] {
			other, files = append(other, t), append(files, t.Files()...)
		}
	}
	at := postmap.Written(ctx, r, files...)
	for _, t := range other {
		if made := t.Made(at); made.Older && made.Other != "" {
			list = append(list, t.String())
		}
	}
	return list
}
