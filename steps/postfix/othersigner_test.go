package postfix_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/postfix"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// Every list that Postfix asks is looked at, also through parameters and in
// services, ours is left out, and each milter is told of the
// clients whose mail it sees.
func TestOtherMilters(t *testing.T) {
	in := steptest.Tuned([]string{
		"smtpd_milters = inet:localhost:8891, { inet:127.0.0.1:11332, connect_timeout=5s }, inet:localhost:8893",
		"non_smtpd_milters = $mua_milters", "mua_milters = unix:/run/dkimpy/sock inet:192.0.2.77:11332",
	}, steptest.Service("submission/inet smtpd", "smtpd_milters=unix:sign/sock", "smtpd_sasl_auth_enable=yes", "milter_macro_daemon_name=ORIGINATING"),
		steptest.Service("2525/inet smtpd", "receive_override_options=no_milters", "smtpd_milters=inet:localhost:7777"))
	got := postfix.OtherMilters(in)
	want := []state.Milter{
		{
			Endpoint: "inet:127.0.0.1:11332", Lists: []string{"smtpd_milters"}, Clients: []state.Client{{Kind: state.BySMTP}},
			Addresses: []string{"127.0.0.1:11332"},
		},
		{
			Endpoint: "inet:localhost:8893", Lists: []string{"smtpd_milters"}, Clients: []state.Client{{Kind: state.BySMTP}},
			Addresses: []string{"localhost:8893"},
		},
		{
			Endpoint: "unix:/run/dkimpy/sock", Lists: []string{"mua_milters"}, Clients: []state.Client{{Kind: state.BySendmail}},
			Addresses: []string{"/var/spool/postfix/run/dkimpy/sock", "/run/dkimpy/sock"},
		},
		{Endpoint: "inet:192.0.2.77:11332", Lists: []string{"mua_milters"}, Clients: []state.Client{{Kind: state.BySendmail}}},
		{
			Endpoint: "unix:sign/sock", Lists: []string{"smtpd_milters of submission/inet"},
			Clients:   []state.Client{{Kind: state.BySMTP, Daemon: "ORIGINATING"}, {Kind: state.ByLogin, Daemon: "ORIGINATING"}},
			Addresses: []string{"/var/spool/postfix/sign/sock"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// signsToo is a milter in smtpd_milters that signs the domain.
func signsToo(kind state.ProgramKind, endpoint string) state.Milter {
	return state.Milter{
		Endpoint: endpoint, Lists: []string{"smtpd_milters"}, Clients: []state.Client{{Kind: state.BySMTP}},
		Addresses: []string{"127.0.0.1:11332"}, AskedAt: "127.0.0.1:11332", Asked: true,
		Signatures: []state.Signature{{Domain: "lab.example", Selector: "mail", From: "postmaster@lab.example"}},
		Program:    state.Program{Kind: kind, Unit: "their.service", Conf: "/etc/their.conf"},
	}
}

// Where all domains are left to others, the first one of ours makes a run about the
// host: OpenDKIM is not there, and nobody asks it.
func TestBeginsToSign(t *testing.T) {
	ours, theirs := spec.Domain{Name: "a.example"}, spec.Domain{Name: "b.example", SignedBy: spec.ByOther}
	of := func(list ...spec.Domain) spec.Spec { return spec.Spec{Domains: list} }
	drains := keyring.Ledger{"c.example": {{Selector: "s", Stage: keyring.Draining}}}
	gone := keyring.Ledger{"c.example": {{Selector: "s", Stage: keyring.Gone}}}
	for name, c := range map[string]struct {
		old, want spec.Spec
		keys      keyring.Ledger
		begins    bool
	}{
		"the first of ours":             {of(theirs), of(ours, theirs), nil, true},
		"after one that left no key":    {of(theirs), of(ours, theirs), gone, true},
		"another of theirs":             {of(theirs), of(theirs, spec.Domain{Name: "d.example", SignedBy: spec.ByOther}), nil, false},
		"a further one of ours":         {of(ours), of(ours, spec.Domain{Name: "d.example"}), nil, false},
		"after one whose key is in DNS": {of(theirs), of(ours, theirs), drains, false},
	} {
		if got := postfix.BeginsToSign(c.old, c.want, c.keys); got != c.begins {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// rspamd is switched off by a file that is nobody's yet, after ours signs, and a
// message that comes out unsigned proves it.
func TestRspamdThatSigns(t *testing.T) {
	in := steptest.Tuned([]string{"smtpd_milters = inet:localhost:11332"})
	in.Milters, in.MiltersAsked = []state.Milter{signsToo(state.RspamdProgram, "inet:localhost:11332")}, true
	want := steptest.Build(t, in)
	if n := len(want.Questions); n != 1 || want.Questions[0].Kind != state.AskSigner {
		t.Fatalf("questions %+v", want.Questions)
	}
	q := want.Questions[0]
	text := "rspamd (inet:localhost:11332 in smtpd_milters) signs mail of lab.example already, with selector mail: " +
		"mail would be signed twice. Its signing is switched off, and nothing else of it. Its key is not taken over."
	if q.Text != text || q.ID != "signer inet:localhost:11332 lab.example" || !slices.Equal(q.Domains, []string{"lab.example"}) {
		t.Errorf("question %+v", q)
	}
	in.Consents = map[string]bool{q.ID: true}
	want = steptest.Build(t, in)
	st := steptest.Stage(t, want, "OtherSigner")
	if len(want.Questions) != 0 || len(st.Files) != 1 || st.Files[0].Path != "/etc/rspamd/override.d/dkim_signing.conf" ||
		string(st.Files[0].Content) != "# Written by mailsetup: OpenDKIM signs this server's mail.\nenabled = false;\n" {
		t.Errorf("questions %+v, files %+v", want.Questions, st.Files)
	}
	if len(st.Units) != 1 || st.Units[0].Name != "rspamd.service" || st.Units[0].Action != state.Reload ||
		st.Units[0].Probes[0].Kind != state.ProbeUnsigned || st.Units[0].Probes[0].Address != "127.0.0.1:11332" {
		t.Errorf("units %+v", st.Units)
	}
}

// A signer that does nothing else leaves the lists in which ours stands, and a
// service that is left alone keeps it.
func TestASecondSignerThatOnlySigns(t *testing.T) {
	for _, kind := range []state.ProgramKind{state.OtherOpenDKIM, state.DKIMPyMilter} {
		in := steptest.Tuned([]string{"smtpd_milters = inet:localhost:8892", "non_smtpd_milters = $smtpd_milters"},
			steptest.Service("submission/inet smtpd", "smtpd_milters=inet:localhost:8892"), steptest.Service("smtps/inet smtpd", "smtpd_milters=inet:localhost:8892"))
		in.Spec.Host.LeaveServices = []string{"smtps/inet"}
		m := signsToo(kind, "inet:localhost:8892")
		in.Milters = []state.Milter{m}
		in.Consents = map[string]bool{"signer inet:localhost:8892 lab.example": true, "service submission/inet": true}
		want := steptest.Build(t, in)
		if len(want.Questions) != 0 {
			t.Fatalf("questions %+v", want.Questions)
		}
		st := steptest.Stage(t, want, "OtherSigner")
		ours := "{ unix:opendkim/opendkim.sock, default_action=tempfail }"
		if got := mainSet(st); !slices.Equal(got, []string{"smtpd_milters = " + ours}) {
			t.Errorf("%s: main.cf %q", kind, got)
		}
		if got := masterSet(st); !slices.Equal(got, []string{"submission/inet: -o smtpd_milters=" + ours}) {
			t.Errorf("%s: master.cf %q", kind, got)
		}
	}
}

// The OpenDKIM of opendkim.service is no other signer, by whatever name a list
// calls its socket.
func TestOurOwnOpenDKIMIsNoOtherSigner(t *testing.T) {
	in := steptest.Tuned([]string{"smtpd_milters = inet:mail.lab.example:8891"})
	m := signsToo(state.OtherOpenDKIM, "inet:mail.lab.example:8891")
	m.Program.Unit = "opendkim.service"
	in.Milters = []state.Milter{m}
	if want := steptest.Build(t, in); len(want.Questions) > 0 {
		t.Errorf("questions %+v", want.Questions)
	}
}

// What cannot be switched off by itself is refused with the lines that do it,
// and may be left as it is.
func TestASignerThatIsNotSwitchedOff(t *testing.T) {
	busy, others := signsToo(state.RspamdProgram, "inet:localhost:11332"), signsToo(state.RspamdProgram, "inet:localhost:11332")
	busy.Program.ConflictingFile = "/etc/rspamd/override.d/dkim_signing.conf"
	others.Program.Others = []string{"shop.example"}
	amavis := state.Milter{
		Endpoint: "amavis", Lists: []string{"content_filter"}, Program: state.Program{Kind: state.Amavis},
		Signatures: []state.Signature{{Domain: "lab.example", Selector: "am"}},
	}
	for name, tt := range map[string]struct {
		m          state.Milter
		what, hint string
	}{
		"a file in the way": {busy, "rspamd (inet:localhost:11332", "write enabled = false; into /etc/rspamd/override.d/dkim_signing.conf, run systemctl reload rspamd"},
		"other domains":     {others, "It signs for shop.example as well, whose mail would leave unsigned", "leave signing to it for now, add those domains"},
		"amavis":            {amavis, "amavis (amavis in content_filter) signs mail of lab.example already, with selector am", "write $enable_dkim_signing = 0; into /etc/amavis/conf.d/50-user"},
		"unknown":           {signsToo(state.UnknownProgram, "inet:localhost:11332"), "a milter (inet:localhost:11332", "take it out of smtpd_milters"},
	} {
		in := steptest.Tuned([]string{"smtpd_milters = inet:localhost:11332"})
		in.Milters = []state.Milter{tt.m}
		_, err := steps.Build(steps.All(), in)
		refused, ok := errors.AsType[*step.Refusal](err)
		if !ok {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		if !strings.Contains(refused.What, tt.what) || !strings.Contains(refused.Hint, tt.hint) || refused.Keep == nil || refused.Keep.Declined == "" {
			t.Errorf("%s: %s\nhint: %s\n%+v", name, refused.What, refused.Hint, refused.Keep)
		}
		in.Spec.Domains[0].SignedBy = "other"
		if want, err := steps.Build(steps.All(), in); err != nil || len(want.Questions) > 0 {
			t.Errorf("%s: left to it: %v %+v", name, err, want.Questions)
		}
	}
}

// A milter on another machine is not talked to but asked about, until somebody
// said that it does not sign.
func TestAMilterElsewhere(t *testing.T) {
	in := steptest.Tuned([]string{"smtpd_milters = inet:192.0.2.77:11332"})
	in.Milters = []state.Milter{{Endpoint: "inet:192.0.2.77:11332", Lists: []string{"smtpd_milters"}}}
	want := steptest.Build(t, in)
	if len(want.Questions) != 1 || !strings.Contains(want.Questions[0].Text, "on another machine, so it was not asked whether it signs") ||
		!slices.Equal(want.Questions[0].Domains, []string{"lab.example"}) {
		t.Fatalf("questions %+v", want.Questions)
	}
	in.Spec.Host.NonsigningMilters = []string{"inet:192.0.2.77:11332"}
	if want := steptest.Build(t, in); len(want.Questions) > 0 {
		t.Errorf("asked again: %+v", want.Questions)
	}
}

// Where all is left to another signer, nothing of OpenDKIM is installed, made
// or asked; SPF and DMARC are published all the same.
func TestAllIsLeftToAnotherSigner(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Domains[0].SignedBy = "other"
	in.Ledger, in.Keys.Private = nil, nil
	want := steptest.Build(t, in)
	var packages []string
	for _, p := range steptest.Stage(t, want, "Packages").Packages {
		packages = append(packages, p.Name)
	}
	if !slices.Equal(packages, []string{"postfix"}) {
		t.Errorf("packages %q", packages)
	}
	for _, name := range []string{"DeferMail", "OpenDKIM", "Reinjection", "Postfix", "OtherSigner", "Ledger"} {
		if st := steptest.Stage(t, want, name); len(st.Files)+len(st.Edits)+len(st.Dirs)+len(st.Units) > 0 {
			t.Errorf("%s: %+v", name, st)
		}
	}
	var published []string
	for _, r := range records.ForDomain(in.Spec.Host, in.Spec.Domains[0], in.Ledger["lab.example"]) {
		published = append(published, r.Name+" "+r.Type)
	}
	if !slices.Contains(published, "_dmarc.lab.example. TXT") || !slices.Contains(published, "lab.example. TXT") ||
		slices.ContainsFunc(published, func(s string) bool { return strings.Contains(s, "_domainkey") }) {
		t.Errorf("records %q", published)
	}
}

// A domain that was left to another signer which no longer signs, or not in a
// way that verifies, is told of.
func TestWhatWasLeftToAnotherSignerIsLookedAt(t *testing.T) {
	in := steptest.Tuned([]string{"smtpd_milters = inet:localhost:11332"})
	in.Spec.Domains[0].SignedBy, in.MiltersAsked = "other", true
	topics := func() (all []string) {
		for _, n := range steptest.Build(t, in).Notes {
			if n.Topic == "unsigned" || n.Topic == "dkim" {
				all = append(all, n.Topic+": "+n.Text)
			}
		}
		return all
	}
	want := []string{"unsigned: mail of lab.example is left to another signer (signed_by in /etc/mailsetup/domains.d/lab.example.toml), and no milter here signs it"}
	if got := topics(); !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
	m := signsToo(state.RspamdProgram, "inet:localhost:11332")
	m.Signatures[0].Problem = "no key for signature"
	in.Milters = []state.Milter{m}
	want = []string{"dkim: rspamd signs mail of lab.example with selector mail, and that does not verify: no key for signature"}
	if got := topics(); !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
}
