package steps_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

var update = flag.Bool("update", false, "write docs/files.md anew")

const pageOfFiles = "../docs/files.md"

// docs/files.md has every path that a step writes, for servers of which each needs others.
// It is written by go test ./steps -update.
func TestPageOfFiles(t *testing.T) {
	rows := pathsOf(t)
	var b strings.Builder
	b.WriteString(headOfFiles)
	for _, part := range []struct{ title, text string }{
		{"Files of mailsetup", "Made whole. An edit by hand is noticed and asked about, but for those that are yours to edit."},
		{"Files of others", "Of these only what mailsetup needs is changed; every other byte, owner and mode stays."},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| Path | Owner, mode | What it is for | Stage | Goes with |\n|---|---|---|---|---|\n", part.title, part.text)
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			if r := rows[name]; r.ours == (part.title == "Files of mailsetup") {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, cmp.Or(r.owner, "theirs"), cell(cmp.Or(r.why, aboutDirs[name])), strings.Join(r.stages, ", "), goes(t, name, r))
			}
		}
	}
	b.WriteString("\n## What mailsetup remembers\n\nAll below `" + string(state.OwnDir) + "`, root's alone (0700, files 0600). " +
		"`mailsetup rollback` needs the journal, and a key ever used is in the ledger for ever.\n\n| Path | What it is for |\n|---|---|\n")
	for _, f := range ownFiles(t) {
		f[1] = strings.TrimSuffix(f[1], ", see StartedUnits")
		fmt.Fprintf(&b, "| `%s` | %s |\n", f[0], cell(f[1]))
	}
	b.WriteString(tailOfFiles)
	if *update {
		if err := os.WriteFile(pageOfFiles, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(pageOfFiles); err != nil || string(got) != b.String() {
		t.Errorf("docs/files.md is not what the steps make (%v); go test ./steps -update writes it anew", err)
	}
}

const headOfFiles = `# Every path that mailsetup writes

<!-- Written by go test ./steps -update; do not edit. -->

Which of them a run touches its plan says: ` + "`mailsetup init --dry-run`" + `. What a run did,
` + "`mailsetup history RUN`" + ` lists, and ` + "`mailsetup rollback`" + ` gives each file back as it was,
with its owner and mode. DOMAIN, SELECTOR and ZONE stand for names; a stage is a
heading of the plan, and *theirs* an owner and a mode that stay as they were found.
Packages stay in any case.
`

const tailOfFiles = `
## By the packages and by ` + "`make install`" + `

The program, its manual, and its schedule: the units ` + "`mailsetup-rotate`" + ` (timer and service)
and ` + "`mailsetup-check`" + `, and ` + "`/etc/cron.d/mailsetup`" + `, which does nothing while the timer is
active. Keys of an OpenDKIM that was taken over stay where they are; one that the user
opendkim could not use there is copied to ` + "`/etc/dkimkeys/adopted`" + `.

## For a moment

| Path | What it is for |
|---|---|
| ` + "`*~` beside a file" + ` | the new contents, until they are renamed into place: readers of conf.d directories skip such names |
| ` + "`/tmp/mailsetup-scratch-*`" + `, root's alone (0700) | copies for the daemons' own checkers, removed after them |
| ` + "`/var/lib/exim4/.mailsetup-probe-*`" + ` | a configuration, a queue and logs with which exim4 proves that it signs |
| ` + "`/run/systemd/system/UNIT.d/mailsetup-installs.conf`" + ` | keeps a mail server from starting while apt installs it; exim4 gets a line in ` + "`/etc/exim4/exim4.conf.localmacros`" + `, or ` + "`conf.d/main/00_mailsetup`" + `, by which mail waits |
| ` + "`/var/spool/postfix/opendkim/opendkim.sock`" + ` | the socket of OpenDKIM, made by it |
| ` + "`/var/mail/root`" + ` | gets a letter appended when records of a key that signs are gone, or exim4 does not sign |
`

// aboutDirs says what directories are for of which the plan does not say so.
var aboutDirs = map[string]string{
	"/etc/bind/mailsetup/": "parts of zones, which those take in", "/etc/dkimkeys/": "private keys", "/etc/exim4/dkim/": "private keys of exim4",
	"/etc/mailsetup/": "what you asked for", "/etc/mailsetup/domains.d/": "a file for each domain",
	"/etc/opendkim/": "tables of OpenDKIM", "/etc/opendmarc/": "a table of OpenDMARC",
}

// pathRow is one path of the page.
type pathRow struct {
	owner, why string
	stages     []string
	ours       bool
	edit       bool // a file of others, of which lines are changed
}

// pathsOf builds the states of servers that differ, and gathers their paths.
func pathsOf(t *testing.T) map[string]pathRow {
	t.Helper()
	rows := map[string]pathRow{}
	all := differentServers()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		in := all[name]
		want, err := steps.Build(steps.All(), steps.Prepare(steps.All(), in))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, st := range want.Stages {
			gather(rows, st)
		}
	}
	return rows
}

func gather(rows map[string]pathRow, st state.Stage) {
	note := func(p state.Path, r pathRow) {
		name := placeholders.Replace(string(p))
		old, seen := rows[name]
		if seen {
			r.stages = old.stages
			if why := placeholders.Replace(r.why); !strings.Contains(old.why, why) && !strings.Contains(why, old.why) {
				r.why = old.why + "; " + why
			} else if len(old.why) > len(why) {
				r.why = old.why
			}
			if old.owner != "" {
				r.owner = old.owner
			}
			r.ours = r.ours || old.ours
		}
		if !slices.Contains(r.stages, st.Name) {
			r.stages = append(r.stages, st.Name)
		}
		slices.Sort(r.stages)
		r.why = placeholders.Replace(r.why)
		rows[name] = r
	}
	if strings.HasPrefix(st.Name, "Old") {
		return
	}
	for _, d := range st.Dirs {
		if d.Path == state.OwnDir || strings.HasPrefix(string(d.Path), string(state.OwnDir)+"/") {
			continue
		}
		note(d.Path+"/", pathRow{owner: d.Owner.String() + " " + octal(d.Mode), why: d.Why, ours: true})
	}
	for _, f := range st.Files {
		if !strings.HasPrefix(string(f.Path), string(state.OwnDir)) {
			note(f.Path, pathRow{owner: f.Owner.String() + " " + octal(f.Mode), why: f.Why, ours: true})
		}
	}
	for _, m := range st.Metas {
		note(m.Path, pathRow{owner: m.Owner.String() + " " + octal(m.Mode), why: m.Why})
	}
	for _, e := range st.Edits {
		note(e.Target(), pathRow{why: e.Why(), edit: true})
	}
	for _, d := range st.Derived {
		note(d.Path, pathRow{why: "made from " + string(d.From) + " by " + path.Base(d.Argv[0]), edit: true})
	}
}

// placeholders turns names of the servers of tests into words.
var placeholders = strings.NewReplacer("/etc/bind/db.lab.example", "the file of a zone", "mailsetup/lab.example.zone", "mailsetup/ZONE.zone",
	"lab.example", "DOMAIN", "202611", "SELECTOR")

func octal(m fs.FileMode) string {
	n := uint32(m.Perm())
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	return fmt.Sprintf("%04o", n)
}

// cell is a text in a table of Markdown.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "<", `\<`, "\n", " ").Replace(s)
}

// goes says what takes a path away, or its lines out of it.
func goes(t *testing.T, name string, r pathRow) string {
	t.Helper()
	for _, rule := range []struct{ stage, prefix, what string }{
		{"Keys", "/etc/exim4/dkim/DOMAIN", "`rotate-dkim`, once the key has drained"},
		{"Keys", "/etc/dkimkeys/DOMAIN", "`rotate-dkim`, once the key has drained"},
		{"", "/etc/mailsetup/domains.d/DOMAIN.toml", "`remove-domain`"},
		{"OtherSigner", "", "`rollback`"},
		{"DNS", "", "`remove-domain`, once no record is left"},
		{"SPF", "", "`inbound --spf off`"},
		{"DMARC", "", "`inbound --dmarc off`"},
		{"Door", "", "`inbound --spf off --dnsbl none`"},
		{"Checks", "", "`inbound --spf off --dnsbl none`"},
		{"", "", "`rollback`"},
	} {
		if (rule.stage == "" || slices.Contains(r.stages, rule.stage)) && strings.HasPrefix(name, rule.prefix) && (rule.prefix != "" || len(r.stages) == 1 || rule.stage == "") {
			return rule.what
		}
	}
	t.Fatalf("nothing takes %s away", name)
	return ""
}

// differentServers are machines each of which needs files that the others do not.
func differentServers() map[string]step.Input {
	update := steptest.Bare()
	update.Spec.Host.DNS, update.Facts.Zones = spec.DNSUpdate, nil
	update.Facts.Updated = []state.Zone{{
		Origin: "lab.example.", Kind: "primary", Dynamic: true,
		Update: &state.UpdateTarget{Server: "192.0.2.53:53", KeyFile: "/root/update.key"},
	}}
	smarthost, alone := steptest.Exim(true), steptest.Exim(false)
	smarthost.Facts.Exim.Type, alone.Facts.Exim.Type = "smarthost", "local"
	checks, checksSplit := steptest.Exim(false), steptest.Exim(true)
	checks.Spec.Host.Inbound.DNSBL, checksSplit.Spec.Host.Inbound.DNSBL = []string{"bl.example=127.0.0.2"}, []string{"bl.example=127.0.0.2"}
	all := map[string]step.Input{
		"exim, inbound": checks, "exim, split, inbound": checksSplit,
		"bare": steptest.Bare(), "installed": steptest.Installed(), "printed": steptest.Manual(), "updates": update,
		"filter": steptest.Tuned([]string{"content_filter = smtp-amavis:[127.0.0.1]:10024"}, steptest.Service("smtp-amavis/unix smtp"),
			steptest.Service("127.0.0.1:10025/inet smtpd", "content_filter=")),
		"signer": steptest.Tuned([]string{"smtpd_milters = inet:localhost:11332"}), "override": overridden(),
		"guarded": guarded("opendmarc"), "rspamd": guarded("rspamd"),
		"exim": steptest.Exim(false), "exim, split": steptest.Exim(true),
		"exim, smarthost": smarthost, "exim, local": alone, "send-only": steptest.Bare(), "exim, send-only": steptest.Exim(false),
	}
	for name, in := range all {
		if in.Spec.Host.MTA == spec.Exim {
			in.Spec.Domains = in.Spec.Domains[:1]
			in.Keys.Private = map[state.Path][]byte{"/etc/exim4/dkim/lab.example/202611.private": nil}
		}
		in.Spec.Host.RootAlias = "ann@lab.example"
		if in.Spec.Host.SendOnly = strings.HasSuffix(name, "send-only"); in.Spec.Host.SendOnly {
			in.Spec.Domains = slices.Clone(in.Spec.Domains)
			in.Spec.Domains[0].Receive = false
		}
		in.SpecFiles = map[state.Path][]byte{spec.HostFile: {}, spec.DomainFile("lab.example"): {}}
		in.Consents = map[string]bool{"signer inet:localhost:11332 lab.example": true, "service 127.0.0.1:10025/inet": true}
		if name == "signer" {
			in.MiltersAsked, in.Milters = true, []state.Milter{{
				Endpoint: "inet:localhost:11332", Lists: []string{"smtpd_milters"}, Clients: []state.Client{{Kind: state.BySMTP}},
				AskedAt: "127.0.0.1:11332", Asked: true, Program: state.Program{Kind: state.RspamdProgram, Unit: "rspamd.service"},
				Signatures: []state.Signature{{Domain: "lab.example", Selector: "mail", From: "postmaster@lab.example"}},
			}}
		}
		all[name] = in
	}
	return all
}

// overridden is a server on which a drop-in of systemd gives OpenDKIM a socket.
func overridden() step.Input {
	const dropIn = "/etc/systemd/system/opendkim.service.d/override.conf"
	in := steptest.Installed()
	in.Facts.OpenDKIM.DropIns = []state.Path{dropIn}
	in.Facts.Files = map[state.Path][]byte{dropIn: []byte("[Service]\nExecStart=\nExecStart=/usr/sbin/opendkim -p inet:8891@localhost\n")}
	return in
}

// guarded is a server at whose door a program stands.
func guarded(by string) step.Input {
	in := steptest.Installed()
	in.Spec.Host.Inbound = inbound.Policy{
		SPF: inbound.Mark, DMARC: inbound.Mark, DNSBL: []string{"bl.spamcop.net=127.0.0.2"},
		Allow: []string{"198.51.100.0/24", ".relay.example", "@shop.example", "ann@list.example"},
	}
	in.Facts.SMTPAddress = "127.0.0.1:25"
	in.Facts.Installed["opendmarc"], in.Facts.Installed["postfix-policyd-spf-python"] = true, true
	in.Facts.Files = map[state.Path][]byte{
		"/etc/opendmarc.conf":                              []byte("Socket local:/run/opendmarc/opendmarc.sock\n"),
		"/usr/share/publicsuffix/public_suffix_list.dat":   []byte("com\n"),
		"/etc/postfix/main.cf":                             []byte("smtpd_relay_restrictions = permit_mynetworks defer_unauth_destination\n"),
		"/etc/postfix/master.cf":                           []byte("smtp inet n - y - - smtpd\n"),
		"/etc/postfix-policyd-spf-python/policyd-spf.conf": []byte("HELO_reject = Fail\n"),
	}
	in.Facts.Postfix.Raw["smtpd_relay_restrictions"] = "permit_mynetworks defer_unauth_destination"
	in.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks defer_unauth_destination"
	in.Facts.Postfix.Value["mynetworks"] = "127.0.0.0/8"
	in.Facts.Postfix.Services = []state.Service{steptest.Service("smtp/inet smtpd")}
	in.Facts.Daemons = map[string]state.Daemon{"opendmarc.service": {Running: true}}
	if by == "rspamd" {
		in.Facts.Rspamd, in.Facts.Installed["rspamd"] = true, true
		in.Facts.Postfix.Raw["smtpd_milters"] = "inet:localhost:11332"
		in.Facts.Daemons["rspamd.service"] = state.Daemon{Running: true}
	}
	return in
}

// ownFiles are the constants of internal/state/ownfiles.go, with their comments.
func ownFiles(t *testing.T) (list [][2]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/state/ownfiles.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		s, is := n.(*ast.ValueSpec)
		if !is {
			return true
		}
		name := s.Names[0].Name
		switch v := s.Values[0].(type) {
		case *ast.BasicLit:
			values[name] = strings.Trim(v.Value, `"`)
		case *ast.BinaryExpr:
			values[name] = values[v.X.(*ast.Ident).Name] + strings.Trim(v.Y.(*ast.BasicLit).Value, `"`)
		}
		if said := strings.TrimSpace(s.Comment.Text()); said != "" {
			list = append(list, [2]string{values[name], said})
		}
		return true
	})
	if len(list) < 15 {
		t.Fatalf("%d files of our own", len(list))
	}
	return list
}
