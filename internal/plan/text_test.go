package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"mailsetup/internal/jsondoc"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// everything is a plan with one of each.
func everything() plan.Plan {
	file := func(mode fs.FileMode, content string) state.Object {
		return state.Object{Kind: state.Regular, Mode: mode, Owner: state.Root, Content: []byte(content)}
	}
	dkim := state.Owner{User: "opendkim", Group: "postfix"}
	key := file(0o600, "-----BEGIN RSA PRIVATE KEY-----\nTOPSECRET\n")
	key.Owner = dkim
	key.Secret = true
	chowned := file(0o640, "x\n")
	chowned.Owner = dkim
	return plan.Plan{
		Stages: []plan.StageChanges{{
			Name: "Packages", Packages: []state.Package{{Name: "opendkim", Why: "signs outgoing mail"}},
			Install:   []string{"libmilter1.0.1", "libopendkim11", "libvbr2", "opendkim", "opendkim-tools", "postfix", "ssl-cert"},
			Uninstall: []string{"exim4-base"}, Checkpoint: true,
		}, {
			Name: "OpenDKIM",
			Changes: []plan.Change{
				{Op: plan.Mkdir, Path: "/var/spool/postfix/opendkim", Why: "holds the socket inside Postfix's chroot, where its processes look for it whether they are chrooted or not", After: state.Object{Kind: state.Directory, Mode: fs.ModeSetgid | 0o750, Owner: dkim}},
				{Op: plan.Create, Path: "/etc/dkimkeys/example.org/202611.private", After: key, Why: "signs for example.org"},
				{Op: plan.Modify, Path: "/etc/opendkim.conf", Before: file(0o644, "Mode v\nSyslog yes\n"), After: file(0o644, "# a line of a file that is longer than a screen is wide, and goes on further in, whole words each\nMode sv\nSyslog yes\n"), Why: "signs and verifies"},
				{Op: plan.Meta, Path: "/etc/opendkim/KeyTable", Before: file(0o644, "x\n"), After: chowned},
				{Op: plan.Remove, Path: "/etc/opendkim/old", Before: file(0o644, "gone\x1b[2J\n"), Why: "no longer wanted"},
				{Op: plan.Remove, Path: "/etc/dkimkeys/old.private", Before: file(0o600, "-----BEGIN PRIVATE KEY-----\nTOPSECRET\n")},
			},
			Units: []state.Unit{{Name: "opendkim.service", Action: state.Restart, Why: "its socket moves", NeedsDaemonReload: true, Probes: []state.Probe{{Kind: state.ProbeActive, Unit: "opendkim.service"}}}},
		}, {
			Name:    "Postfix",
			Changes: []plan.Change{{Op: plan.Later, Path: "/etc/postfix/main.cf", Why: "mail goes through the milter", Settings: []string{"smtpd_milters = { unix:opendkim/opendkim.sock, default_action=tempfail }"}}},
			Derived: []state.Derived{{Path: "/etc/aliases.db", From: "/etc/aliases", Argv: []string{"newaliases"}}},
		}},
		Drift:     []plan.Drift{{Path: "/etc/opendkim.conf", Why: "edited since mailsetup wrote it"}},
		Questions: questions(),
		Answers:   []plan.Answer{{Name: "Domain", Text: "example.org"}, {Name: "Server", Text: "mail.example.org, 192.0.2.10"}},
		Notes:     []state.Note{{Topic: "signed", Text: "mail of @example.org, when it comes from this machine, from 192.0.2.0/24 (mynetworks) and from users who log in", Informational: true}, {Topic: "ptr", Text: "ask the hosting company for this reverse record", Action: "10.2.0.192.in-addr.arpa. PTR mail.example.org."}},
	}
}

// asJSON returns what --json prints of a plan.
func asJSON(p plan.Plan) ([]byte, error) {
	var b bytes.Buffer
	err := jsondoc.Write(&b, p.Document())
	return b.Bytes(), err
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil { //nolint:gosec // for everybody
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s", name, got)
	}
}

func TestGolden(t *testing.T) {
	p := everything()
	var text, color, summary bytes.Buffer
	for _, err := range []error{
		p.Text(&text, plan.TextOptions{Diff: true}), p.Text(&color, plan.TextOptions{Color: true}), p.Summary(&summary, plan.TextOptions{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := asJSON(p)
	if err != nil || !json.Valid(data) {
		t.Fatalf("JSON: %v", err)
	}
	for name, got := range map[string][]byte{
		"plan.txt": text.Bytes(), "color.txt": color.Bytes(), "summary.txt": summary.Bytes(), "plan.json": data,
	} {
		golden(t, name, got)
		if bytes.Contains(got, []byte("SECRET")) {
			t.Errorf("%s shows a private key", name)
		}
		if name != "color.txt" && bytes.ContainsRune(got, '\x1b') {
			t.Errorf("%s: an escape of a file reaches the terminal", name)
		}
	}
	for l := range strings.SplitSeq(text.String(), "\n") {
		if utf8.RuneCountInString(l) > 80 {
			t.Errorf("wider than 80 columns: %s", l)
		}
	}
}

func TestAnEmptyPlanSaysSo(t *testing.T) {
	var b bytes.Buffer
	if err := (plan.Plan{}).Text(&b, plan.TextOptions{}); err != nil || b.String() != "Nothing to do: everything is as it should be.\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if got, err := asJSON(plan.Plan{}); err != nil || string(got) != "{\n  \"schema\": 1,\n  \"document\": \"plan\",\n  \"pending\": false,\n  \"stages\": [],\n  \"drift\": [],\n  \"questions\": [],\n  \"notes\": []\n}\n" {
		t.Errorf("%s, %v", got, err)
	}
}

// Whatever the plan is like, it is told in twenty lines, below the answers.
func TestASummaryFitsOnAScreen(t *testing.T) {
	p := everything()
	for i := range 10_000 {
		p.Stages[1].Changes = append(p.Stages[1].Changes, plan.Change{
			Op: plan.Create, Path: state.Path(fmt.Sprintf("/etc/f%d", i)), After: state.Object{Kind: state.Regular},
		})
	}
	for i := range 100 {
		p.Stages[0].Uninstall = append(p.Stages[0].Uninstall, fmt.Sprintf("package-with-a-long-name-%d", i))
		p.Notes = append(p.Notes, state.Note{Topic: "dns", Text: strings.Repeat("word ", i)})
	}
	for range 30 {
		p.Stages = append(p.Stages, p.Stages[1])
	}
	var b bytes.Buffer
	if err := p.Summary(&b, plan.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(b.String(), "\n\n")
	if n := strings.Count(below, "\n"); n > 20 {
		t.Errorf("%d lines\n%s", n, below)
	}
	for l := range strings.SplitSeq(b.String(), "\n") {
		if utf8.RuneCountInString(l) > 80 {
			t.Errorf("wider than 80 columns: %s", l)
		}
	}
}

// A note that doubts an answer comes before what follows from it, others have a line.
func TestNotesOfASummary(t *testing.T) {
	p := plan.Plan{
		Answers: []plan.Answer{{Name: "Server", Text: "mail.lab.example, 203.0.113.9"}},
		Stages:  []plan.StageChanges{{Name: "Postfix", Units: []state.Unit{{Name: "postfix.service", Action: state.Reload}}}},
		Notes: []state.Note{
			{Topic: "signed", Text: "mail of @lab.example, when it comes from this machine,\nand from users who log in to submission", Informational: true},
			{Topic: "address", Text: "mail leaves from 192.0.2.10, which is not among the addresses of this server (203.0.113.9): SPF fails for it", Action: "mailsetup init --ip 192.0.2.10", Doubt: true},
		},
	}
	const want = `  Server  mail.lab.example, 203.0.113.9

  * address: mail leaves from 192.0.2.10, which is not among the addresses of
    this server (203.0.113.9): SPF fails for it
        mailsetup init --ip 192.0.2.10

  Postfix  reload postfix.service
  * signed: mail of @lab.example, when it comes from this machine, and from ...
`
	var b bytes.Buffer
	if err := p.Summary(&b, plan.TextOptions{}); err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, b.String())
	}
}
