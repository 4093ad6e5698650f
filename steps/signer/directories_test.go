package signer_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// The directories are such that the running signer gets at what is in them until
// another one runs, whom nothing but root's directories is between it and its
// tables.
func TestDirectoriesAtTheSwitch(t *testing.T) {
	group := func(user, group string) state.Owner { return state.Owner{User: user, Group: group} }
	theirs := group("dkimsign", "dkimsign")
	for name, c := range map[string]struct {
		user         string
		mode         fs.FileMode
		owner        state.Owner
		tables, keys state.Dir
	}{
		"none runs":                 {"", 0o700, signer.KeyOwner, state.Dir{Mode: 0o710, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: signer.KeyOwner}},
		"ours":                      {"opendkim", 0o700, signer.KeyOwner, state.Dir{Mode: 0o710, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: signer.KeyOwner}},
		"of the tutorials":          {"opendkim", 0o755, signer.KeyOwner, state.Dir{Mode: 0o755, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: signer.KeyOwner}},
		"by the group":              {"opendkim", 0o750, group("root", "opendkim"), state.Dir{Mode: 0o750, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: signer.KeyOwner}},
		"root's alone":              {"opendkim", 0o700, state.Root, state.Dir{Mode: 0o755, Owner: state.Root}, state.Dir{Mode: 0o700, Owner: signer.KeyOwner}},
		"everybody's":               {"opendkim", 0o777, state.Root, state.Dir{Mode: 0o755, Owner: state.Root}, state.Dir{Mode: 0o700, Owner: signer.KeyOwner}},
		"a stranger's":              {"dkimsign", 0o700, theirs, state.Dir{Mode: 0o711, Owner: state.Root}, state.Dir{Mode: 0o711, Owner: state.Root}},
		"open, a stranger's":        {"dkimsign", 0o755, theirs, state.Dir{Mode: 0o755, Owner: state.Root}, state.Dir{Mode: 0o711, Owner: state.Root}},
		"Debian's, with a stranger": {"dkimsign", 0o700, signer.KeyOwner, state.Dir{Mode: 0o711, Owner: state.Root}, state.Dir{Mode: 0o700, Owner: signer.KeyOwner}},
		"after the switch":          {"opendkim", 0o711, state.Root, state.Dir{Mode: 0o711, Owner: state.Root}, state.Dir{Mode: 0o711, Owner: state.Root}},
	} {
		in := steptest.Installed()
		o := in.Facts.OpenDKIM
		o.User = c.user
		o.Tables = &state.Dir{Path: "/etc/opendkim", Mode: c.mode, Owner: c.owner}
		o.Keys = &state.Dir{Path: "/etc/dkimkeys", Mode: c.mode, Owner: c.owner}
		tables, err := signer.TablesDir(in)
		keys, err2 := signer.KeyDirectory(in)
		tables.Why, keys.Why, c.tables.Path, c.keys.Path = "", "", "/etc/opendkim", "/etc/dkimkeys"
		if err != nil || err2 != nil || tables != c.tables || keys != c.keys {
			t.Errorf("%s: %+v (%v) and %+v (%v)\nwant %+v and %+v", name, tables, err, keys, err2, c.tables, c.keys)
		}
		if tables.Owner.User != "root" {
			t.Errorf("%s: OpenDKIM can write its own tables", name)
		}
	}

	in := steptest.Installed()
	o := in.Facts.OpenDKIM
	o.User, o.Exposed = "dkimsign", []state.Path{"/etc/dkimkeys/old/a.private"}
	o.Keys = &state.Dir{Path: "/etc/dkimkeys", Mode: 0o700, Owner: theirs}
	var refusal *step.Refusal
	if _, err := signer.KeyDirectory(in); !errors.As(err, &refusal) || refusal.Hint != "if nothing else reads it: chown dkimsign: /etc/dkimkeys/old/a.private && chmod 600 /etc/dkimkeys/old/a.private" {
		t.Errorf("a key that only the directory kept shut: %v", err)
	}
}

// taking is a server that took over what TestTakeOver shows.
func taking() step.Input {
	in := steptest.Installed()
	d := in.Spec.Domains[0]
	d.Subdomains, d.Also = true, []string{"ann@shop.example", "*"}
	d.Identities = []string{".lab.example @lab.example"}
	news := d
	news.Name, news.Partial, news.Subdomains, news.Also, news.Identities = "news.example", true, false, []string{"postmaster@lab.example", "ann@*"}, nil
	news.DNS = spec.DNSManual
	in.Spec.Domains = []spec.Domain{d, news}
	in.Spec.Host.Trusted = []string{"10.20.0.0/16"}
	in.Spec.Host.OpenDKIM = []string{"Canonicalization simple/simple"}
	in.Ledger = keyring.Ledger{
		"lab.example":  {{Selector: "Mail", Public: "MIIB", File: "/etc/mail/a.key", Stage: keyring.Active, Adopted: true}},
		"news.example": {{Selector: "n", Public: "MIIC", File: "/etc/mail/b.key", Stage: keyring.Active, Adopted: true}},
	}
	in.Keys.Private = nil
	return in
}

func TestTablesOfWhatWasTakenOver(t *testing.T) {
	in := taking()
	in.Keys.Permissions = []state.Meta{{Path: "/etc/mail/a.key", Mode: 0o600, Owner: signer.KeyOwner}}
	want := steptest.Build(t, in)
	st := steptest.Stage(t, want, "OpenDKIM")
	if d := cmp.Diff([]string{
		"* Mail._domainkey.lab.example",
		".lab.example Mail._domainkey.lab.example:@lab.example",
		"ann@* n._domainkey.news.example",
		"ann@shop.example Mail._domainkey.lab.example",
		"lab.example Mail._domainkey.lab.example",
		"postmaster@lab.example n._domainkey.news.example",
	}, steptest.TableRows(steptest.Content(t, st, signer.SigningTable))); d != "" {
		t.Errorf("the host's own row would change i=, and the domain is signed in part (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{
		"Mail._domainkey.lab.example lab.example:Mail:/etc/mail/a.key",
		"n._domainkey.news.example news.example:n:/etc/mail/b.key",
	}, steptest.TableRows(steptest.Content(t, st, signer.KeyTable))); d != "" {
		t.Error(d)
	}
	if rows := steptest.TableRows(steptest.Content(t, st, signer.TrustedHosts)); rows[len(rows)-1] != "10.20.0.0/16" {
		t.Errorf("trusted %q", rows)
	}
	if text := steptest.Content(t, st, signer.ConfFile); strings.Contains(text, "relaxed/simple") || !strings.Contains(text, "simple/simple") {
		t.Errorf("Canonicalization is ours:\n%s", text)
	}
	if got := steptest.Stage(t, want, "Keys").Metas; len(got) != 1 || got[0].Path != "/etc/mail/a.key" {
		t.Errorf("owners and modes %v", got)
	}
}

// TestProbesOfWhatWasTakenOver: each domain is asked for by an address that its
// own row is for.
func TestProbesOfWhatWasTakenOver(t *testing.T) {
	var got []string
	for _, u := range steptest.Stage(t, steptest.Build(t, taking()), "OpenDKIM").Units {
		for _, p := range u.Probes {
			for _, s := range p.Signers {
				got = append(got, s.From+" "+s.Domain+" "+s.Selector)
			}
		}
	}
	if d := cmp.Diff([]string{
		"mailsetup@lab.example lab.example Mail", "postmaster@lab.example news.example n", "root@mail.lab.example lab.example Mail",
	}, got); d != "" {
		t.Error(d)
	}
}

// The socket stands where chrooted services of Postfix see it, wherever the queue is.
func TestTheSocketFollowsTheQueue(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.QueueDirectory = "/srv/mail/queue"
	in.Facts.OpenDKIM.Endpoint = "local:/var/spool/postfix/opendkim/opendkim.sock"
	st := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM")
	if !slices.ContainsFunc(st.Dirs, func(d state.Dir) bool { return d.Path == "/srv/mail/queue/opendkim" }) {
		t.Errorf("directories %+v", st.Dirs)
	}
	for path, want := range map[state.Path]string{
		signer.ConfFile:                  "Socket                  local:/srv/mail/queue/opendkim/opendkim.sock\n",
		"/etc/tmpfiles.d/mailsetup.conf": "d /srv/mail/queue/opendkim 2750 opendkim postfix - -\n",
	} {
		if got := steptest.Content(t, st, path); !strings.Contains(got, want) {
			t.Errorf("%s:\n%s", path, got)
		}
	}
	u := st.Units[0]
	if u.Action != state.Restart || u.Probes[0].Address != "/srv/mail/queue/opendkim/opendkim.sock" {
		t.Errorf("%s, asked at %s", u.Action, u.Probes[0].Address)
	}
}
