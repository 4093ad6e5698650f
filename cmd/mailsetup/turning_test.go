package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
	"mailsetup/steps"
)

// due is a run on a machine in memory on which the keys of three domains are to
// be switched.
func due(t *testing.T, domains ...string) (*turning, *systemtest.Mem, *bytes.Buffer) {
	t.Helper()
	s, mem, said, want := bareSession(t)
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	mem.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	mem.Put("/var/lib/mailsetup/keyring", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	mem.Put(steps.KeyDir, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Owner{User: "opendkim", Group: "opendkim"}})
	for _, dir := range []state.Path{"/var/spool/postfix", "/etc/tmpfiles.d"} {
		mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	}
	mem.Unit("opendkim.service", steps.KeyTable, steps.SigningTable)
	example := want.Domains[0]
	want.Domains = nil
	s.turned = newTurned()
	turn := &turning{s: s, old: &want, trouble: map[string]bool{}, made: map[string]bool{}, due: map[string][]keyring.Move{}}
	for _, name := range domains {
		d := example
		d.Name = name
		want.Domains = append(want.Domains, d)
		for selector, stage := range map[string]keyring.Stage{"old": keyring.Active, "next": keyring.Published} {
			file := steps.KeyFile(name, selector)
			s.keys = s.keys.With(name, keyring.Key{Selector: selector, Bits: 1024, Public: key.Public(), File: string(file), Stage: stage})
			mem.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}, Content: key.PEM()})
		}
		mem.PutFile(keyring.File(name), string(keyring.MarshalDomain(s.keys[name])))
		turn.due[name] = []keyring.Move{{Act: keyring.Switch, Selector: "next"}}
	}
	want.Host.Domain = domains[0]
	return turn, mem, said
}

// signing are the selectors of the signing table, and those that the ledgers
// call active.
func signing(t *testing.T, mem *systemtest.Mem, domains ...string) string {
	t.Helper()
	var all []string
	for _, d := range domains {
		o, _ := mem.Read(keyring.File(d))
		keys, err := keyring.ParseDomain(o.Content)
		if err != nil {
			t.Fatal(err)
		}
		table, _ := mem.Read(steps.SigningTable)
		row, _, _ := strings.Cut(string(table.Content[bytes.Index(table.Content, []byte("\n"+d))+1:]), "\n")
		k, _ := keyring.Ledger{d: keys}.Signing(d)
		if !strings.HasSuffix(row, k.Selector+"._domainkey."+d) {
			t.Errorf("%s is active, and the table has %q", k.Selector, row)
		}
		all = append(all, k.Selector)
	}
	return strings.Join(all, " ")
}

func reloads(mem *systemtest.Mem) int {
	n := 0
	for _, line := range mem.Trace() {
		if strings.HasSuffix(line, " opendkim.service") && !strings.HasPrefix(line, "probe") {
			n++
		}
	}
	return n
}

var three = []string{"a.example", "b.example", "c.example"}

func TestTheOthersGoOn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		break_  func(mem *systemtest.Mem, turn *turning)
		signing string
		reloads int
		says    string
	}{
		{"nothing in the way", func(*systemtest.Mem, *turning) {}, "next next next", 1, ""},
		{
			// Its mail is not accepted any more: another key mends that.
			"the private key that signs is gone", func(mem *systemtest.Mem, _ *turning) { mem.Delete(steps.KeyFile("b.example", "old")) },
			"next next next", 1, "",
		},
		{
			"a message does not come out signed", func(mem *systemtest.Mem, _ *turning) {
				mem.OnProbe = func(p state.Probe) error {
					if slices.ContainsFunc(p.Signers, func(s state.Signer) bool { return s.Domain == "b.example" && s.Selector == "next" }) {
						return errors.New("mail from postmaster@b.example: refused for now (tempfail)")
					}
					return nil
				}
			},
			// Of five attempts three are taken back, each with two actions.
			"next old next", 11, "b.example: old goes on signing: OpenDKIM: mail from postmaster@b.example: refused for now (tempfail)\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			turn, mem, said := due(t, three...)
			tt.break_(mem, turn)
			did, err := turn.carry(t.Context())
			if err != nil || !did {
				t.Fatalf("%v, %v\n%s", did, err, said)
			}
			if got := signing(t, mem, three...); got != tt.signing {
				t.Errorf("signing: %s, want %s\n%s", got, tt.signing, said)
			}
			if n := reloads(mem); n != tt.reloads {
				t.Errorf("%d reloads, want %d\n%s", n, tt.reloads, strings.Join(mem.Trace(), "\n"))
			}
			if !strings.Contains(said.String(), tt.says) {
				t.Errorf("says\n%s\nwant\n%s", said, tt.says)
			}
			if code := turn.s.c.finish(turn.troubled()); (code == exitFailed) != (tt.says != "") {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// What fails for all of them ends the run, and no key is switched.
func TestNoneGoesOnWithoutASigner(t *testing.T) {
	turn, mem, said := due(t, three...)
	mem.OnProbe = func(p state.Probe) error {
		if slices.ContainsFunc(p.Signers, func(s state.Signer) bool { return s.Selector == "next" }) {
			return errors.New("connection refused")
		}
		return nil
	}
	did, err := turn.carry(t.Context())
	if did || err != nil {
		t.Errorf("%v, %v", did, err)
	}
	for _, d := range three {
		if k, _ := turn.s.keys.Signing(d); k.Selector != "old" {
			t.Errorf("%s: %s signs", d, k.Selector)
		}
	}
	if want := "a.example, b.example, c.example: OpenDKIM: connection refused\neverything was put back as it was\n"; !strings.Contains(said.String(), want) {
		t.Errorf("says\n%s\nwant\n%s", said, want)
	}
	if code := turn.s.c.finish(turn.troubled()); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}

// A key that signs and whose file is gone is told of although nothing is due, and
// its domain alone.
func TestAKeyFileThatIsGone(t *testing.T) {
	turn, mem, said := due(t, three...)
	turn.due = map[string][]keyring.Move{}
	mem.Delete(steps.KeyFile("b.example", "old"))
	turn.missKeyFiles(three)
	want := "b.example: /etc/dkimkeys/b.example/old.private, the private key of b.example, is gone: its mail is not accepted\n" +
		"hint: put the file back from a backup; without one, mailsetup rotate-dkim --compromised b.example makes another key and revokes this one\n"
	if said.String() != want {
		t.Errorf("says\n%s\nwant\n%s", said, want)
	}
	if code := turn.s.c.finish(turn.troubled()); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}

// A key that is not the one in DNS never signs.
func TestAPrivateKeyThatDoesNotFit(t *testing.T) {
	turn, mem, _ := due(t, "a.example")
	moves := turn.due["a.example"]
	if err := turn.fit("a.example", moves); err != nil {
		t.Fatal(err)
	}
	other, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	file := steps.KeyFile("a.example", "next")
	mem.Put(file, state.Object{Kind: state.Regular, Mode: 0o640, Content: other.PEM()})
	if err := turn.fit("a.example", moves); err == nil || !strings.HasSuffix(err.Error(), "has mode 0640: OpenDKIM refuses keys that others could read, and its mail would not be accepted") {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]string{
		string(other.PEM()): "/etc/dkimkeys/a.example/next.private is not the private key of the record next in DNS",
		"garbage":           "/etc/dkimkeys/a.example/next.private is no private key",
	} {
		mem.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Content: []byte(text)})
		if err := turn.fit("a.example", moves); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// While the file of a domain is gone whose key signs, tables are not made anew:
// its rows would go. Other moves go on, and its keys stay as they are.
func TestNoSwitchWhileAFileIsGone(t *testing.T) {
	run, _, said := due(t, "a.example")
	run.sight = map[string]map[string]keyring.Sight{"a.example": {"next": {Served: true}}}
	run.s.passed = keyring.Passed{Keys: map[string]keyring.InStage{
		"a.example next": {Stage: keyring.Published, Passed: 100 * oneDay}, "gone.example older": {Stage: keyring.Draining, Passed: 100 * oneDay},
	}}
	next := func() map[string][]keyring.Move {
		run.due = map[string][]keyring.Move{}
		run.next()
		return run.due
	}
	if moves := next(); len(moves["a.example"]) != 1 || moves["a.example"][0].Act != keyring.Switch {
		t.Fatalf("moves %v, want a switch", moves)
	}
	run.s.keys["gone.example"] = []keyring.Key{{Selector: "older", Stage: keyring.Draining}, {Selector: "old", Stage: keyring.Active}}
	if moves := next(); len(moves) != 0 || !run.trouble["gone.example"] {
		t.Errorf("moves %v, trouble %v", moves, run.trouble)
	}
	for _, want := range []string{"gone.example", "/etc/mailsetup/domains.d/gone.example.toml is gone", "mailsetup add-domain gone.example", "mailsetup remove-domain gone.example"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("said\n%s\nwant %q", said, want)
		}
	}
	run.s.keys["gone.example"][1].Stage = keyring.Draining // removed by command
	if moves := next(); len(moves["a.example"]) != 1 {
		t.Errorf("moves %v, want a switch", moves)
	}
}
