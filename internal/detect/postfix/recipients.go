package postfix

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postmap"
	"mailsetup/internal/recipient"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Mail is what decides about recipients, beside the tables of the machine.
type Mail struct {
	Settings map[string]string // of main.cf, expanded, as they are or will be
	Aliases  []byte            // what /etc/aliases will say; nil to ask its table
	Route    func(domain string) state.MailRoute
}

// Recipients returns what Postfix does with mail for addresses.
func Recipients(ctx context.Context, s source.Source, m Mail, addresses []string) map[string]state.Recipient {
	var tables recipient.Tables = Tables(s, s)
	if m.Aliases != nil {
		tables = recipient.Aliases{Tables: tables, Path: "/etc/aliases", Text: m.Aliases}
	}
	value := maps.Clone(m.Settings)
	if value[route.Parameter] != "" { // our own entry, which is not asked about the mail of others
		value[route.Parameter] = strings.Join(slices.DeleteFunc(route.Maps(value[route.Parameter]), route.Own), ", ")
	}
	p := recipient.Postfix{Value: value, Tables: tables, Route: m.Route}
	out := map[string]state.Recipient{}
	for _, a := range addresses {
		if _, known := out[a]; !known {
			out[a] = p.Resolve(ctx, a)
		}
	}
	return out
}

// Tables returns the tables of this machine's Postfix.
func Tables(r system.Reader, run system.Runner) *postmap.Tables {
	return &postmap.Tables{Run: run, Read: func(p state.Path) ([]byte, error) { return source.Text(r, p) }}
}
