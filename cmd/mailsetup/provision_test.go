package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// bareSession is a session on a machine in memory on which nothing is
// installed, and the wish for its first domain.
func bareSession(t *testing.T) (*session, *systemtest.Mem, *bytes.Buffer, spec.Spec) {
	t.Helper()
	mem, said := systemtest.NewMem(), &bytes.Buffer{}
	mem.PutFile("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n")
	s := &session{
		c: console{out: said, err: said}, o: options{yes: true, install: true},
		keys: keyring.Ledger{}, record: plan.Record{},
	}
	s.Machine = machine.New(mem, dnsclient.New("127.0.0.1:1"), s.machineOptions())
	s.Now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	want, findings := spec.Answers{
		Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"},
	}.Spec(nil, s.Now)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.look(t.Context(), &want); err != nil {
		t.Fatal(err)
	}
	return s, mem, said, want
}

func TestOnlyTheSignersConfigurationIsRememberedAsShipped(t *testing.T) {
	s, mem, _, want := bareSession(t)
	mem.PutFile("/etc/opendkim.conf", "Syslog yes\n")
	mem.PutFile("/etc/bind/named.conf.options", "options { };\n")
	mem.OnRun = shipped("/etc/opendkim.conf", "/etc/bind/named.conf.options")
	if err := s.look(t.Context(), &want); err != nil {
		t.Fatal(err)
	}
	if !s.facts.Pristine["/etc/bind/named.conf.options"] {
		t.Fatal("the machine does not say that its files are as shipped")
	}
	if want := (plan.Record{"/etc/opendkim.conf": plan.Hash([]byte("Syslog yes\n"))}); !equalRecords(s.record, want) {
		t.Errorf("record %v, want %v", s.record, want)
	}
}

func equalRecords(a, b plan.Record) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// shipped answers for a dpkg that brought the files as they are.
func shipped(files ...string) func(system.Command) (system.Result, error) {
	return func(c system.Command) (system.Result, error) {
		var out strings.Builder
		for _, f := range files {
			switch {
			case c.Argv[0] == "md5sum":
				out.WriteString("5ad260d06704f44102594fa2b71d2681  " + f + "\n")
			case strings.Contains(strings.Join(c.Argv, " "), "Conffiles"):
				out.WriteString(" " + f + " 5ad260d06704f44102594fa2b71d2681\n")
			}
		}
		return system.Result{Stdout: []byte(out.String())}, nil
	}
}
