package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/console"
	"mailsetup/internal/keyring"
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
	if !strings.HasPrefix(out.String(), "[") || !strings.Contains(out.String(), `"202611"`) {
		t.Errorf("data:\n%s", out.String())
	}
	for _, want := range []string{"bad.example.toml:1: ttl: takes a whole number", "\nhint: write: ttl = 5\n", "no.example.toml: is a directory, expected a"} {
		if got := said.String(); !strings.Contains(got, want) {
			t.Errorf("said\n%s\nwant %q", got, want)
		}
	}
}
