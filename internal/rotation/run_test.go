package rotation_test

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
)

var three = []string{"a.example", "b.example", "c.example"}

// threeServed is a server with three domains whose records it serves itself.
func threeServed(t *testing.T) *server {
	t.Helper()
	modes := map[string]spec.DNSMode{}
	for _, d := range three {
		modes[d] = spec.DNSBind
	}
	return newServer(t, rand.New(rand.NewPCG(1, 1)), modes)
}

// readyToSign is the same server, on which a second key of each domain may sign
// from now on. The first ones are k1 to k3, the second ones k4 to k6.
func readyToSign(t *testing.T) *server {
	t.Helper()
	s := threeServed(t)
	s.run(rotation.Options{Domains: three, Force: true})
	s.now = s.now.Add(2 * time.Hour)
	s.mem.ClearTrace()
	s.ui = ui{}
	s.attempts = nil
	return s
}

// signs are the selectors that sign, as the tables say and as the ledger says.
func (s *server) signs(domains ...string) string {
	s.t.Helper()
	var all []string
	for _, d := range domains {
		k, _ := s.ledger().Signing(d)
		if got := s.signing()[d]; got != k.Selector {
			s.t.Errorf("%s is active, and OpenDKIM signs with %s", k.Selector, got)
		}
		all = append(all, k.Selector)
	}
	return strings.Join(all, " ")
}

func (s *server) reloads() int {
	n := 0
	for _, line := range s.mem.Trace() {
		if strings.HasSuffix(line, " opendkim.service") && !strings.HasPrefix(line, "probe") {
			n++
		}
	}
	return n
}

// refuseSignature lets the proof fail for a key.
func (s *server) refuseSignature(reason string, of func(state.Signer) bool) {
	s.mem.OnProbe = func(p state.Probe) error {
		if slices.ContainsFunc(p.Signers, of) {
			return errors.New(reason)
		}
		return s.probe(p)
	}
}

func TestTheOthersGoOn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		break_  func(s *server)
		signing string
		reloads int
		failed  []string
		says    string
	}{
		{"nothing in the way", func(*server) {}, "k4 k5 k6", 1, nil, ""},
		{
			// Its mail is not accepted any more: another key mends that.
			"the private key that signs is gone", func(s *server) { s.mem.Delete(signer.KeyFile("b.example", "k2")) },
			"k4 k5 k6", 1, nil, "",
		},
		{
			"a message does not come out signed", func(s *server) {
				s.refuseSignature("mail from postmaster@b.example: refused for now (tempfail)", func(x state.Signer) bool { return x.Selector == "k5" })
			},
			// Of four attempts two are taken back, each with two actions.
			"k4 k2 k6", 6,
			[]string{"b.example"},
			"b.example: k2 goes on signing: OpenDKIM: mail from postmaster@b.example: refused for now (tempfail)",
		},
		{
			"a message does not come out signed, and the probe says whose", func(s *server) {
				s.mem.OnProbe = func(p state.Probe) error {
					failed := state.DomainErrors{}
					for _, x := range p.Signers {
						if x.Selector == "k5" {
							failed[x.Domain] = errors.New("mail from postmaster@" + x.Domain + ": refused for now (tempfail)")
						}
					}
					return cmp.Or(failed.Err(), s.probe(p))
				}
			},
			// One attempt is taken back, with two actions.
			"k4 k2 k6", 3,
			[]string{"b.example"},
			"b.example: k2 goes on signing: mail from postmaster@b.example: refused for now (tempfail)",
		},
		{
			"its zone cannot be worked with", func(s *server) { s.unusable["b.example."] = "it is frozen" },
			"k4 k2 k6", 1,
			[]string{"b.example"},
			"b.example: k2 goes on signing: zone b.example: it is frozen",
		},
		{
			"others could read its private key", func(s *server) {
				file := signer.KeyFile("b.example", "k5")
				o, _ := s.mem.Read(file)
				o.Mode = 0o640
				s.mem.Put(file, o)
			},
			"k4 k2 k6", 1,
			[]string{"b.example"},
			"b.example: k2 goes on signing: /etc/dkimkeys/b.example/k5.private, the private key of b.example, has mode 0640: OpenDKIM refuses keys that others could read, and its mail would not be accepted",
		},
		{
			"its private key is another one", func(s *server) {
				file := signer.KeyFile("b.example", "k5")
				o, _ := s.mem.Read(file)
				o.Content = s.key().PEM()
				s.mem.Put(file, o)
			},
			"k4 k2 k6", 1,
			[]string{"b.example"},
			"b.example: k2 goes on signing: /etc/dkimkeys/b.example/k5.private is not the private key of the record k5 in DNS",
		},
		{
			"its private key is damaged", func(s *server) {
				file := signer.KeyFile("b.example", "k5")
				o, _ := s.mem.Read(file)
				o.Content = []byte("garbage")
				s.mem.Put(file, o)
			},
			"k4 k2 k6", 1,
			[]string{"b.example"},
			"b.example: k2 goes on signing: /etc/dkimkeys/b.example/k5.private is no private key",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := readyToSign(t)
			tt.break_(s)
			report, err := s.rotator().Run(t.Context(), rotation.Options{Domains: three})
			if report == nil {
				t.Fatal(err)
			}
			if got := s.signs(three...); got != tt.signing {
				t.Errorf("signing: %s, want %s\n%s", got, tt.signing, s.ui.said)
			}
			if n := s.reloads(); n != tt.reloads {
				t.Errorf("%d reloads, want %d\n%s", n, tt.reloads, strings.Join(s.mem.Trace(), "\n"))
			}
			if !slices.Equal(report.Failed, tt.failed) && len(report.Failed)+len(tt.failed) > 0 {
				t.Errorf("failed %v, want %v", report.Failed, tt.failed)
			}
			if !strings.Contains(s.ui.text(), tt.says) {
				t.Errorf("says\n%s\nwant\n%s", strings.Join(s.ui.said, "\n"), tt.says)
			}
			var skipped *rotation.SkippedError
			if errors.As(err, &skipped) != (len(tt.failed) > 0) || skipped == nil && err != nil {
				t.Errorf("error %v", err)
			}
			if skipped != nil && (skipped.Error() != "1 domain could not go on: b.example" || len(hint.Of(err)) != 1 || !strings.HasPrefix(skipped.Lines[0], tt.says)) {
				t.Errorf("%v, %q, %q", err, hint.Of(err), skipped.Lines)
			}
			switched := 0
			for _, step := range report.Steps {
				if step.Action == keyring.Activate {
					switched++
				}
			}
			if !report.Changed || report.Run == "" || switched != 3-len(tt.failed) {
				t.Errorf("the report is %+v", report)
			}
		})
	}
}

// What fails for all of them ends the run, and no key is switched.
func TestNoneGoesOnWithoutASigner(t *testing.T) {
	s := readyToSign(t)
	s.refuseSignature("connection refused", func(x state.Signer) bool { return x.Selector >= "k4" })
	report, err := s.rotator().Run(t.Context(), rotation.Options{Domains: three})
	var skipped *rotation.SkippedError
	if !errors.As(err, &skipped) || err.Error() != "3 domains could not go on: a.example, b.example, c.example" {
		t.Errorf("error %v", err)
	}
	if got := s.signs(three...); got != "k1 k2 k3" {
		t.Errorf("signing: %s", got)
	}
	if want := "a.example, b.example, c.example: OpenDKIM: connection refused"; !strings.Contains(s.ui.text(), want) {
		t.Errorf("says\n%s\nwant\n%s", s.ui.said, want)
	}
	if len(report.Steps) > 0 || report.Changed || len(report.Failed) != 3 {
		t.Errorf("the report is %+v", report)
	}
}

// A key that signs and whose file is gone is told of in a run of the timer, also
// where nothing is due, and its domain alone.
func TestAKeyFileThatIsGone(t *testing.T) {
	s := threeServed(t)
	s.mem.Delete(signer.KeyFile("b.example", "k2"))
	report, err := s.rotator().Run(t.Context(), rotation.Options{})
	if err == nil || err.Error() != "1 domain could not go on: b.example" || !slices.Equal(report.Failed, []string{"b.example"}) {
		t.Errorf("%v, %+v", err, report)
	}
	want := []string{
		"b.example: /etc/dkimkeys/b.example/k2.private, the private key of b.example, is gone: its mail is not accepted",
		"hint: put the file back from a backup; without one, mailsetup rotate-dkim --compromised b.example makes another key and revokes this one",
	}
	if !slices.Equal(s.ui.said, want) {
		t.Errorf("says\n%s\nwant\n%s", strings.Join(s.ui.said, "\n"), strings.Join(want, "\n"))
	}
}

// A file that is there and has no key, or another one, is told of as one that is gone.
func TestAKeyFileWithOtherContent(t *testing.T) {
	const file = "/etc/dkimkeys/b.example/k2.private"
	for _, tt := range []struct {
		name, says, hint string
		break_           func(s *server, o *state.Object)
	}{
		{
			"junk", "b.example: " + file + " is no private key: parse private key: no PEM block",
			"put the file back from a backup; without one, mailsetup rotate-dkim --compromised b.example makes another key and revokes this one",
			func(_ *server, o *state.Object) { o.Content = []byte("junk\n") },
		},
		{
			"nothing", "b.example: " + file + " is no private key: parse private key: no PEM block",
			"put the file back from a backup; without one, mailsetup rotate-dkim --compromised b.example makes another key and revokes this one",
			func(_ *server, o *state.Object) { o.Content = nil },
		},
		{
			"the key of another domain", "b.example: " + file + " is not the private key of the record k2 in DNS",
			"put the file back from a backup; without one, mailsetup rotate-dkim --compromised b.example makes another key and revokes this one",
			func(s *server, o *state.Object) { o.Content = s.key().PEM() },
		},
		{
			"a link", "b.example: " + file + ", the private key of b.example, is a symlink, not the key itself: its mail is not accepted",
			"remove it; then put the file back from a backup; without one, mailsetup rotate-dkim --compromised b.example makes another key and revokes this one",
			func(_ *server, o *state.Object) {
				*o = state.Object{Kind: state.Symlink, Mode: 0o777, Owner: state.Root, Content: []byte("/etc/shadow")}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := threeServed(t)
			o, _ := s.mem.Read(file)
			tt.break_(s, &o)
			s.mem.Put(file, o)
			report, err := s.rotator().Run(t.Context(), rotation.Options{})
			if err == nil || err.Error() != "1 domain could not go on: b.example" || !slices.Equal(report.Failed, []string{"b.example"}) {
				t.Errorf("%v, %+v", err, report)
			}
			if len(s.ui.said) != 2 || s.ui.said[0] != tt.says || s.ui.said[1] != "hint: "+tt.hint {
				t.Errorf("says %q", s.ui.said)
			}
			st, err := s.rotator().Status(nil)
			if err != nil || len(st.Problems) != 1 || st.Problems[0].Text != tt.says || st.Problems[0].Action != tt.hint {
				t.Errorf("problems %+v, %v", st.Problems, err)
			}
			for _, k := range st.Keys {
				if want := map[bool]string{true: "unusable", false: "active"}[k.Domain == "b.example"]; k.State() != want {
					t.Errorf("%s: %s, want %s", k.Domain, k.State(), want)
				}
			}
		})
	}
}

// While the file of a domain is gone whose key signs, tables are not made anew:
// its rows would go. Other moves go on, and its keys stay as they are.
func TestNoKeyIsActivatedWhileAFileIsGone(t *testing.T) {
	s := readyToSign(t)
	removed := s.sp.Domains[2]
	s.sp.Domains = s.sp.Domains[:2]
	_, err := s.rotator().Run(t.Context(), rotation.Options{Domains: three})
	if err == nil || err.Error() != "1 domain could not go on: c.example" || s.signs(three...) != "k1 k2 k3" {
		t.Errorf("%v, signing %s", err, s.signs(three...))
	}
	for _, want := range []string{
		"c.example: k3 goes on signing: /etc/mailsetup/domains.d/c.example.toml is gone: no key is switched until that is settled",
		"hint: mailsetup add-domain c.example brings it back, with the same key hint: mailsetup remove-domain c.example ends it",
	} {
		if !strings.Contains(s.ui.text(), want) {
			t.Errorf("said\n%s\nwant %q", s.ui.said, want)
		}
	}
	s.sp.Domains = append(s.sp.Domains, removed)
	s.run(rotation.Options{Domains: three})
	if got := s.signs(three...); got != "k4 k5 k6" {
		t.Errorf("signing %s", got)
	}
}

// A file in which something is wrong stops its own domain, and moves that make tables
// anew; the records of others are looked at, and go when they are due.
func TestTheOthersGoOnWithoutAFileThatIsWrong(t *testing.T) {
	s := readyToSign(t)
	all := s.sp.Domains
	s.run(rotation.Options{Domains: three})
	s.now = s.now.Add(s.drain + 24*time.Hour)
	s.ui = ui{}
	s.sp.Domains = all[:2]
	r := s.rotator()
	r.Unreadable = map[string]error{"c.example": hint.New("write: ttl = 5", "/etc/mailsetup/domains.d/c.example.toml:5: ttl: takes a whole number")}
	report, err := r.Run(t.Context(), rotation.Options{})
	if report == nil || err == nil || err.Error() != "1 domain could not go on: c.example" || s.signs(three...) != "k4 k5 k6" {
		t.Fatalf("%v, signing %s", err, s.signs(three...))
	}
	if want := "c.example: k6 goes on signing: /etc/mailsetup/domains.d/c.example.toml:5: ttl: takes a whole number hint: write: ttl = 5"; !strings.Contains(s.ui.text(), want) {
		t.Errorf("said\n%s\nwant %q", s.ui.said, want)
	}
	if n := strings.Count(s.ui.text(), "c.example"); n != 2 { // the line, and its file
		t.Errorf("said %d times\n%s", n, s.ui.said)
	}
	for _, step := range report.Steps {
		if step.Domain == "c.example" {
			t.Errorf("step %+v", step)
		}
	}
	if len(report.Steps) == 0 {
		t.Error("nothing was done for the others")
	}
}

// A person agrees once: what follows from that in later rounds is shown only.
func TestConsentIsAskedForOnce(t *testing.T) {
	s := threeServed(t)
	s.now = s.now.Add(time.Hour)
	report := s.run(rotation.Options{Domains: three[:1], Force: true})
	if len(s.confirmed) != 1 || len(report.Steps) != 2 {
		t.Errorf("asked %d times for %v", len(s.confirmed), report.Steps)
	}
	// An emergency: the key is made, seen, signs, and the old one is revoked.
	s.confirmed = nil
	report = s.run(rotation.Options{Domains: three[1:2], Compromised: true})
	var acts []string
	for _, x := range report.Steps {
		acts = append(acts, string(x.Action))
	}
	if want := []string{"generate", "confirm", "activate", "revoke"}; !slices.Equal(acts, want) {
		t.Errorf("steps %v, want %v", acts, want)
	}
	if len(s.confirmed) != 1 || len(s.ui.shown) != 3 {
		t.Errorf("asked %d times, shown %d plans more", len(s.confirmed), len(s.ui.shown))
	}
}

func TestNoIsNo(t *testing.T) {
	s := threeServed(t)
	s.refuse = true
	before := len(s.mem.Trace())
	report, err := s.rotator().Run(t.Context(), rotation.Options{Domains: three, Force: true})
	if report != nil || err == nil || err.Error() != "not confirmed: nothing was changed" || len(s.mem.Trace()) != before || s.generated != 3 {
		t.Errorf("%v, %v; %d keys\n%q", report, err, s.generated, s.mem.Trace()[before:])
	}
}

// A round that only takes notice of what DNS has asks nobody, and says nothing of
// its result.
func TestARoundThatOnlyObserves(t *testing.T) {
	s := threeServed(t)
	s.missing["k4 a.example"] = "ns2: missing"
	s.run(rotation.Options{Domains: three[:1], Force: true})
	s.confirmed, s.ui, s.missing = nil, ui{}, map[string]string{}
	report := s.run(rotation.Options{Domains: three[:1]})
	if len(s.confirmed)+len(s.ui.shown)+len(s.ui.results)+len(report.Notes) > 0 || len(report.Steps) != 1 || !report.Changed {
		t.Errorf("asked %v; %+v; results %v", s.confirmed, report, s.ui.results)
	}
	if want := []string{"a.example: k4 is seen everywhere, and signs at 2026-01-01 01:00 UTC at the earliest"}; !slices.Equal(s.ui.transitions, want) {
		t.Errorf("says %q, want %q", s.ui.transitions, want)
	}
}

func TestDryRun(t *testing.T) {
	s := readyToSign(t)
	before := s.mem.Files()
	report := s.run(rotation.Options{Domains: three, DryRun: true})
	if len(s.mem.Files()) != len(before) || len(s.mem.Trace()) > 0 || len(s.confirmed) != 1 { // by readyToSign
		t.Errorf("a dry run did something: %q", s.mem.Trace())
	}
	if report.Plan == nil || report.Plan.Empty() || report.Changed || len(report.Keys) != 6 || len(report.Steps) == 0 {
		t.Errorf("the report is %+v", report)
	}
	s.run(rotation.Options{Domains: three})
	if report = s.run(rotation.Options{Domains: three, DryRun: true}); report.Plan != nil || len(report.Keys) != 6 {
		t.Errorf("nothing is due: %+v", report)
	}
}

// The steps of a round in words.
func TestTransitionsInWords(t *testing.T) {
	s := threeServed(t)
	s.sp.Host.Revoke = 30 * day
	run := func(o rotation.Options) string {
		s.ui = ui{}
		s.run(o)
		return strings.Join(s.ui.transitions, "\n")
	}
	a := rotation.Options{Domains: three[:1]}
	if got, want := run(rotation.Options{Domains: a.Domains, Force: true}), `a.example: a new key, since you asked for it. It signs when every name server has had its record for 1h, or longer if caches may keep that there was none; k1 is revoked 14d later.
a.example: k4 is seen everywhere, and signs at 2026-01-01 01:00 UTC at the earliest`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	s.missing["k4 a.example"] = "ns2: missing"
	if got, want := run(a), "a.example: k4 has to wait again: ns2: missing"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	s.missing = map[string]string{}
	run(a)
	s.now = s.now.Add(2 * time.Hour)
	if got, want := run(a), "a.example: k4 signs instead of k1: its record has been seen everywhere for long enough"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	s.now = s.now.Add(15 * day)
	if got, want := run(a), "a.example: k1 gets an empty p=: mail that it signed has arrived or come back"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	s.now = s.now.Add(31 * day)
	if got, want := run(a), "a.example: k1 goes: it has been revoked for long enough"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	s.sp.Host.Revoke = spec.Never
	if got, want := run(rotation.Options{Domains: a.Domains, Force: true}), "k4 leaves DNS 14d later."; !strings.Contains(got, want) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Only what signs can be replaced, and what is to be done about the rest is said.
func TestWhoseKeysCanBeReplaced(t *testing.T) {
	stages := map[string]keyring.Stage{"removed.example": keyring.Draining, "first.example": keyring.Publishing, "gone.example": keyring.Gone}
	for _, tt := range []struct {
		domain string
		begins bool
		want   string
	}{
		{"a.example", false, ""},
		{"removed.example", false, ""},
		{"removed.example", true, "removed.example was removed: no key signs for it that another one could replace"},
		{"first.example", true, "the first key of first.example is not finished"},
		{"gone.example", false, "gone.example has no keys here"},
		{"unknown.example", false, "unknown.example has no keys here"},
	} {
		s, got := threeServed(t), ""
		if stage := stages[tt.domain]; stage != "" {
			k := keyring.Key{Selector: "s1", Bits: 1024, Public: s.key().Public(), File: "/x", Stage: stage, Since: map[keyring.Stage]time.Time{stage: s.now}}
			s.mem.PutFile(keyring.File(tt.domain), string(keyring.MarshalDomain([]keyring.Key{k})))
		}
		report, err := s.rotator().Run(t.Context(), rotation.Options{Domains: []string{tt.domain}, Force: tt.begins})
		if err != nil {
			got = err.Error()
		}
		if got != tt.want || (report == nil) != (tt.want != "") || (err != nil && !hint.IsUsage(err)) {
			t.Errorf("%s: %q, want %q", tt.domain, got, tt.want)
		}
	}
}

// A ledger that cannot be read in between ends the run.
func TestALedgerThatCannotBeRead(t *testing.T) {
	s := threeServed(t)
	s.broken = errors.New("input/output error")
	if report, err := s.rotator().Run(t.Context(), rotation.Options{}); report != nil || !errors.Is(err, s.broken) {
		t.Errorf("%v, %v", report, err)
	}
	if _, err := s.rotator().Status(nil); !errors.Is(err, s.broken) {
		t.Errorf("%v", err)
	}
}

// In a tree nothing signs: keys that were removed go, by the wall clock, and no
// other step is taken.
func TestATree(t *testing.T) {
	s := threeServed(t)
	s.remove()
	s.now = s.now.Add(15 * day)
	r := s.rotator()
	r.Tree = true
	report, err := r.Run(t.Context(), rotation.Options{})
	if err != nil || len(report.Steps) != 1 || report.Steps[0] != (rotation.Step{Domain: "c.example", Selector: "k3", Action: keyring.Withdraw, Why: "mail that it signed has arrived or come back"}) {
		t.Errorf("%v, %+v", err, report)
	}
	if _, err := os.Stat(s.mailbox); err == nil {
		t.Error("root got mail")
	}
}

// Who forgets the domain does not begin a rotation of all of them.
func TestARotationOfAllHasToBeSaid(t *testing.T) {
	s := threeServed(t)
	_, err := s.rotator().Run(t.Context(), rotation.Options{Force: true})
	if err == nil || err.Error() != "--now names no domain, and there are 3: each would get a new key" || !hint.IsUsage(err) ||
		!slices.Equal(hint.Of(err), []string{"mailsetup rotate-dkim --now a.example", "mailsetup rotate-dkim --now --all"}) {
		t.Errorf("%v, %q", err, hint.Of(err))
	}
	// Only what signs gets a key, and can be named.
	s.sp.Domains[0].SignedBy = "other"
	_, err = s.rotator().Run(t.Context(), rotation.Options{Force: true})
	if err == nil || err.Error() != "--now names no domain, and there are 2: each would get a new key" ||
		!slices.Equal(hint.Of(err), []string{"mailsetup rotate-dkim --now b.example", "mailsetup rotate-dkim --now --all"}) {
		t.Errorf("%v, %q", err, hint.Of(err))
	}
	s.sp.Domains[0].SignedBy = ""
	s.run(rotation.Options{Force: true, DryRun: true})
	if got := s.signs(three...); got != "k1 k2 k3" {
		t.Errorf("signing %s", got)
	}
	s.run(rotation.Options{Force: true, All: true})
	if got := len(s.ledger()["c.example"]); got != 2 {
		t.Errorf("%d keys of a domain, want a new one beside the old", got)
	}
}
