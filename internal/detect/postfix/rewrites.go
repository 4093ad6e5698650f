package postfix

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postmap"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// afterSigning are the parameters with tables by which smtp(8) changes a message.
var afterSigning = []string{
	"smtp_generic_maps", "smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks", "smtp_body_checks",
}

// rewrites reads the tables of those parameters, in main.cf and in SMTP clients of
// master.cf.
func rewrites(ctx context.Context, s source.Source, o source.Options, p *state.Postfix) []state.Rewrite {
	var all []state.Rewrite
	for _, name := range afterSigning {
		at := state.Rewrite{Parameter: name, Line: p.Lines[name]}
		for _, table := range route.Maps(p.Value[name]) {
			all = append(all, readTable(ctx, s, o, at, table))
		}
		for _, service := range p.Services {
			option, own := service.Option(name)
			if !own || service.Command != "smtp" {
				continue
			}
			at := state.Rewrite{Parameter: name, Service: service.Name, Line: option.Line}
			for _, table := range route.Maps(option.Expanded) {
				all = append(all, readTable(ctx, s, o, at, table))
			}
		}
	}
	return all
}

// readTable finds out what a table does: from its text if it has patterns, by asking
// Postfix if it has addresses.
func readTable(ctx context.Context, s source.Source, o source.Options, r state.Rewrite, table string) state.Rewrite {
	r.Table = table
	if r.Parameter == "smtp_generic_maps" {
		r.Rows, r.Problem = genericRows(ctx, s, o, table)
		return r
	}
	kind, rest, _ := strings.Cut(table, ":")
	if kind != "regexp" && kind != "pcre" {
		r.Problem = "a table of type " + kind
		return r
	}
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		var rules []string
		for _, rule := range route.Maps(strings.TrimSuffix(inner, "}")) {
			rules = append(rules, strings.Trim(rule, "{} \t"))
		}
		r.Text = []byte(strings.Join(rules, "\n"))
		return r
	}
	file, err := state.ParsePath(rest)
	if err == nil {
		r.File = file
		r.Text, err = source.Text(s, file)
	}
	switch {
	case err != nil:
		r.Problem = err.Error()
	case r.Text == nil:
		r.Problem = "there is no such file"
	}
	return r
}

// maxOrigins bounds the names for which a table is queried that cannot list its keys:
// it may be a database on the network.
const maxOrigins = 20

// genericRows returns the rows of an address table: all of them if its type can list
// them (postmap -s), else those for usual senders at our names.
func genericRows(ctx context.Context, s source.Source, o source.Options, table string) (rows []state.Setting, unread string) {
	argv, in := []string{"postmap", "-s", table}, []byte(nil)
	kind, _, _ := strings.Cut(table, ":")
	if !slices.Contains([]string{"hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash"}, kind) {
		var keys bytes.Buffer
		for _, name := range o.Origins[:min(len(o.Origins), maxOrigins)] {
			name = dnsname.TrimDot(name)
			for _, user := range []string{"", "root", "postmaster", "info"} {
				keys.WriteString(user + "@" + name + "\n")
			}
		}
		argv, in = []string{"postmap", "-q", "-", table}, keys.Bytes()
	}
	res, err := s.Run(ctx, system.Command{Argv: argv, Stdin: in})
	switch {
	case err != nil:
		return nil, err.Error()
	case res.Code != 0 && postmap.Failure(res.Stderr) != "":
		return nil, postmap.Failure(res.Stderr)
	}
	for line := range strings.Lines(string(res.Stdout)) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t"); ok && key != "@" && !strings.HasPrefix(key, "YP_") {
			rows = append(rows, state.Setting{Name: key, Value: value})
		}
	}
	return rows, ""
}
