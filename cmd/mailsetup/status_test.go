package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/console"
	"mailsetup/internal/keyring"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// Data is all of stdout, and what is wrong with a domain's file stands beside it.
func TestStatusAsDataSaysWhatIsWrong(t *testing.T) {
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	sp, findings := spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}}.Spec(nil, start)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	key := keyring.Key{Selector: "202611", Bits: 2048, Stage: keyring.Active, Since: map[keyring.Stage]time.Time{keyring.Active: start}}
	root := systemtest.Directory(t, map[state.Path][]byte{
		spec.HostFile:                        spec.MarshalHost(sp.Host),
		spec.DomainFile("lab.example"):       spec.MarshalDomain(sp.Domains[0]),
		spec.DomainFile("bad.example"):       []byte("ttl = \"5\"\n"),
		spec.DomainFile("no.example") + "/x": nil,
		keyring.File("lab.example"):          keyring.MarshalDomain([]keyring.Key{key}),
	})
	var out, said bytes.Buffer
	c := console.Console{Out: &out, Err: &said}
	if err := runStatus(t.Context(), c, options{root: root, dryRun: true, json: true, command: "status"}, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "{") || !strings.Contains(out.String(), `"202611"`) {
		t.Errorf("data:\n%s", out.String())
	}
	for _, want := range []string{"bad.example.toml:1: ttl: takes a whole number", "\nhint: write: ttl = 5\n", "no.example.toml: is a directory, expected a"} {
		if got := said.String(); !strings.Contains(got, want) {
			t.Errorf("said\n%s\nwant %q", got, want)
		}
	}
}

// Where thousands of keys wait, or are wrong, a few are told, and how many more there are.
func TestManyKeysAreCounted(t *testing.T) {
	var out, said bytes.Buffer
	c := console.Console{Out: &out, Err: &said}
	report := &rotation.Report{Quiet: true}
	for i := range 1000 {
		d := fmt.Sprintf("d%d.example", i)
		report.Waiting = append(report.Waiting, rotation.WaitingKey{Domain: d, Selector: "s", Name: "s._domainkey." + d, Value: "v=DKIM1; p=KEY"})
	}
	if err := printReport(ui{c, options{}}, report, false, nil); err != nil {
		t.Fatal(err)
	}
	const more = "\nand 997 more: mailsetup dns prints all records, mailsetup status says what\neach key waits for\n"
	if got := out.String(); strings.Count(got, "publish this record") != 3 || !strings.HasSuffix(got, more) {
		t.Errorf("%.2000s", got)
	}
	out.Reset()
	report.Waiting = report.Waiting[:20]
	if err := printReport(ui{c, options{}}, report, false, nil); err != nil || strings.Count(out.String(), "publish this record") != 20 || strings.Contains(out.String(), " more: mailsetup") {
		t.Errorf("%v\n%.2000s", err, out.String())
	}
	files := map[state.Path][]byte{}
	sp, _ := spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}}.Spec(nil, time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	files[spec.HostFile], files[spec.DomainFile("lab.example")] = spec.MarshalHost(sp.Host), spec.MarshalDomain(sp.Domains[0])
	for i := range 100 {
		files[spec.DomainFile(fmt.Sprintf("d%d.example", i))] = []byte("ttl = \"5\"\n")
	}
	said.Reset()
	root := systemtest.Directory(t, files)
	if err := runStatus(t.Context(), c, options{root: root, dryRun: true, command: "status"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := said.String(); strings.Count(got, "takes a whole number") != 3 || !strings.Contains(got, "and 97 more of this kind\n") {
		t.Errorf("said\n%.2000s", got)
	}
}
