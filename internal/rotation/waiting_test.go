package rotation_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
)

// compromised are the keys that the ledger calls that.
func (s *server) compromised() []string {
	var list []string
	for _, domain := range slices.Sorted(slices.Values(three)) {
		for _, k := range s.ledger()[domain] {
			if k.Compromised {
				list = append(list, domain+" "+k.Selector)
			}
		}
	}
	return list
}

// Who has read a directory of keys has all of them, and one that signs for
// several domains is lost for all. An emergency that goes on is none anew.
func TestCompromisedKeys(t *testing.T) {
	s := readyToSign(t)
	keys := s.ledger()
	keys["c.example"][0].Public = keys["a.example"][0].Public
	s.mem.PutFile(keyring.File("c.example"), string(keyring.MarshalDomain(keys["c.example"])))
	s.missing["k4 a.example"], s.missing["k6 c.example"] = "ns2: missing", "ns2: missing"
	s.sp.Domains[0].DNS, s.sp.Domains[2].DNS = spec.DNSManual, spec.DNSManual // for which no run waits
	o := rotation.Options{Domains: []string{"a.example"}, Compromised: true}
	report := s.run(o)
	if want := []string{"a.example k1", "a.example k4", "c.example k3", "c.example k6"}; !slices.Equal(s.compromised(), want) {
		t.Errorf("compromised are %q, want %q", s.compromised(), want)
	}
	if !slices.Equal(o.Domains, []string{"a.example"}) {
		t.Errorf("the run wrote into what it was asked for: %q", o.Domains)
	}
	for _, want := range []string{
		"c.example: signs with the same private key as a.example, and gets another one, too",
		"a.example: another key signs as soon as every name server has its record. Then k1 is revoked at once: mail that it signed and that is still under way fails. Until then, and for 600 s in caches, whoever has it can sign for you.",
	} {
		if !strings.Contains(s.ui.text(), want) {
			t.Errorf("nothing of %q in\n%s", want, s.ui.said)
		}
	}
	if len(report.Waiting) != 2 || !report.Attention {
		t.Errorf("waits for %+v", report.Waiting)
	}
	s.ui = ui{}
	s.run(o)
	if want := []string{"a.example k1", "a.example k4", "c.example k3", "c.example k6"}; !slices.Equal(s.compromised(), want) || strings.Contains(s.ui.text(), "another key signs") {
		t.Errorf("an emergency that goes on is one anew: %q\n%s", s.compromised(), s.ui.said)
	}
}

// An emergency is over when another key signs and the old one is revoked, in one
// run where the records are served here.
func TestAnEmergencyInOneRun(t *testing.T) {
	s := threeServed(t)
	s.run(rotation.Options{Domains: three[:1], Compromised: true})
	if got := s.signs(three...); got != "k4 k2 k3" {
		t.Errorf("signing %s", got)
	}
	if k := s.ledger()["a.example"][0]; k.Stage != keyring.Revoked || s.has("a.example", k) {
		t.Errorf("%s is %s", k.Selector, k.Stage)
	}
}

// A key that was revoked stays in DNS for as long as status says, also after another
// rotation, and after its domain is gone.
func TestARevokedKeyStaysAsLongAsStatusSays(t *testing.T) {
	for name, change := range map[string]func(s *server){
		"nothing else": func(*server) {},
		"a rotation":   func(s *server) { s.run(rotation.Options{Domains: three[:1], Force: true}) },
		"removed": func(s *server) {
			slices.Reverse(s.sp.Domains)
			s.remove()
			slices.Reverse(s.sp.Domains)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := threeServed(t)
			s.run(rotation.Options{Domains: three[:1], Compromised: true})
			change(s)
			st, err := s.rotator().Status(three[:1])
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(st.Keys, func(k rotation.KeyStatus) bool { return k.Selector == "k1" })
			if i < 0 || st.Keys[i].Stage != keyring.Revoked || !st.Keys[i].Next.Equal(s.now.Add(14*day)) {
				t.Fatalf("status %+v, want k1 revoked for 14 days", st.Keys)
			}
			for _, tt := range []struct {
				after time.Duration
				stage keyring.Stage
			}{{time.Minute, keyring.Revoked}, {14*day - 2*time.Minute, keyring.Revoked}, {time.Minute, keyring.Gone}} {
				s.now = s.now.Add(tt.after)
				s.run(rotation.Options{})
				if k := s.ledger()["a.example"][0]; k.Stage != tt.stage {
					t.Errorf("%s later %s is %s, want %s", tt.after, k.Selector, k.Stage, tt.stage)
				}
			}
		})
	}
}

// What a run published itself has time until the next one; in an emergency that
// is over only when another key signs. Once a day is enough, unless one asks.
func TestWaiting(t *testing.T) {
	a := three[:1]
	for name, tt := range map[string]struct {
		options rotation.Options
		begun   bool // by an earlier run
		tells   int  // of two runs
	}{
		"asked for, made":               {rotation.Options{Domains: a, Force: true}, false, 1}, // by the second
		"asked for, on its way":         {rotation.Options{Domains: a, Force: true}, true, 2},
		"a later tick":                  {rotation.Options{Domains: a}, true, 1},
		"a tick in which there is none": {rotation.Options{Domains: a}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := threeServed(t)
			s.missing["k4 a.example"] = "ns2: missing"
			if tt.begun {
				s.run(rotation.Options{Domains: a, Force: true})
			}
			var waiting []rotation.WaitingKey
			tells := 0
			for range 2 {
				report := s.run(tt.options)
				if report.Attention {
					tells++
				}
				waiting = append(waiting, report.Waiting...)
			}
			if tells != tt.tells || len(waiting) != tells {
				t.Fatalf("told %d times of %v, want %d", tells, waiting, tt.tells)
			}
			if tells > 0 && (waiting[0].String() != "a.example: k4 does not sign yet, k1 goes on: ns2: missing" || waiting[0].ByHand()) {
				t.Errorf("says %q", waiting[0])
			}
		})
	}
}

func TestAWaitingKeyIsToldOfOnceADay(t *testing.T) {
	s := threeServed(t)
	s.missing["k4 a.example"] = "ns2: missing"
	s.run(rotation.Options{Domains: three[:1], Force: true})
	told := []int{}
	for range 50 {
		s.now = s.now.Add(time.Hour)
		told = append(told, len(s.run(rotation.Options{Domains: three[:1]}).Waiting))
	}
	for i, n := range told {
		if want := i%24 == 0; (n == 1) != want {
			t.Errorf("in hour %d it is told of %d times", i+1, n)
		}
	}
}

// byHand is a server whose administrator publishes the records.
func byHand(t *testing.T, domains ...string) *server {
	t.Helper()
	modes := map[string]spec.DNSMode{}
	for _, d := range domains {
		modes[d] = spec.DNSManual
	}
	s := newServer(t, rand.New(rand.NewPCG(1, 1)), modes)
	s.sp.Host.Notify = "ops@lab.example"
	return s
}

// mails are what sendmail was given.
func mails(mem *systemtest.Mem) *[]string {
	var list []string
	mem.OnRun = func(c system.Command) (system.Result, error) {
		if c.Argv[0] == "sendmail" {
			list = append(list, string(c.Stdin))
		}
		return system.Result{}, nil
	}
	return &list
}

// A mail has what to paste, twice, and no more than that.
func TestMailAboutARecordToPublish(t *testing.T) {
	s := byHand(t, "lab.example")
	sent := mails(s.mem)
	s.missing["k2 lab.example"] = "ns1: no record\x1b[2J"
	report := s.run(rotation.Options{Domains: []string{"lab.example"}, Force: true})
	next, _ := keyring.Successor(s.ledger()["lab.example"])
	record := keygen.Record(next.Public)
	if len(report.Waiting) != 1 || report.Waiting[0].Name != "k2._domainkey.lab.example" || report.Waiting[0].Value != record || !report.Attention {
		t.Errorf("waits for %+v", report.Waiting)
	}
	want := `From: mailsetup <root@mail.lab.example>
To: <ops@lab.example>
Subject: mail.lab.example: publish a DKIM record
Date: Thu, 01 Jan 2026 00:00:00 +0000
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Publish what follows, beside the records that are there. mailsetup looks every
hour: once every name server has had a record for long enough, its key signs.
Until then the one before does; no mail waits for this. mailsetup publishes
later keys itself where this server's BIND has the zone (init --dns bind), its
primary takes dynamic updates (init --dns rfc2136), or a program changes records
at the provider (init --dns hook).

For a web form, names without the domain:

lab.example:
name           type  value
k2._domainkey  TXT   ` + record + `

The same as text of a zone file:

; Mail records of lab.example

; DKIM: the public keys that signatures are checked with
k2._domainkey.lab.example. 600 IN TXT (
	"` + record + `" )

lab.example: k2 does not sign yet, k1 goes on: ns1: no record\x1b[2J
`
	if len(*sent) != 1 || (*sent)[0] != want {
		t.Errorf("the mails are\n%s\nwant\n%s", strings.Join(*sent, "\n---\n"), want)
	}
}

// Many domains are in one mail, which stays small.
func TestOneMail(t *testing.T) {
	m := &many{ledger: keyring.Ledger{}}
	sp := spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", Notify: "ops@lab.example", DNS: spec.DNSManual}}
	domains := numbered(250)
	for _, name := range domains {
		sp.Domains = append(sp.Domains, spec.Domain{Name: name, TTL: 600})
		m.ledger[name] = []keyring.Key{{Selector: "k1", Public: "MIIA", Stage: keyring.Active}, {Selector: "k2", Public: "MIIB", Stage: keyring.Publishing}}
	}
	mem := systemtest.NewMem()
	sent := mails(mem)
	r := &rotation.Rotator{System: mem, Spec: sp, Clock: time.Now, Store: m, DNS: func() rotation.DNS { return nowhere{} }, Provisioner: m, UI: &m.ui}
	report, err := r.Run(t.Context(), rotation.Options{Domains: domains})
	if err != nil || len(report.Waiting) != 250 || len(*sent) != 1 {
		t.Fatalf("%v, %d wait, %d mails", err, len(report.Waiting), len(*sent))
	}
	text := (*sent)[0]
	if !strings.Contains(text, "\nSubject: mail.lab.example: publish DKIM records (250)\n") || strings.Count(text, "v=DKIM1") != 200 ||
		!strings.HasSuffix(text, "And 150 more domains: mailsetup dns prints all records.\n") {
		t.Errorf("%d records in\n%s…%s", strings.Count(text, "v=DKIM1"), text[:500], text[len(text)-200:])
	}
}

// nowhere has no record.
type nowhere struct{ rotation.DNS }

func (nowhere) ObserveKey(context.Context, spec.Domain, keyring.Key) keyring.Observation {
	return keyring.Observation{Problem: "ns1: no record"}
}

// Of a server that lags behind there is nothing to publish.
func TestMailAboutAServerThatLags(t *testing.T) {
	s := threeServed(t)
	s.sp.Host.Notify = "ops@lab.example"
	sent := mails(s.mem)
	s.missing["k4 a.example"] = "ns2: missing"
	s.run(rotation.Options{Domains: three[:1], Force: true})
	s.run(rotation.Options{Domains: three[:1]})
	if len(*sent) != 1 || !strings.Contains((*sent)[0], ": a new DKIM key waits\n") || strings.Contains((*sent)[0], "v=DKIM1") {
		t.Errorf("mails\n%s", *sent)
	}
}

// What a run leaves to the administrator is mailed, and the run says that there is
// something to do. A record that still holds a compromised key a day later is
// told of once a day.
func TestWhatIsLeftIsMailed(t *testing.T) {
	s := byHand(t, "lab.example")
	sent := mails(s.mem)
	s.run(rotation.Options{Domains: []string{"lab.example"}, Compromised: true})
	s.publish()
	report := s.run(rotation.Options{Domains: []string{"lab.example"}})
	if len(report.Notes) != 1 || len(report.Reminders) != 0 || !report.Attention || s.signs("lab.example") != "k2" {
		t.Fatalf("%+v", report)
	}
	last := (*sent)[len(*sent)-1]
	if !strings.Contains(last, "Subject: mail.lab.example: left for you by mailsetup rotate-dkim\n") ||
		!strings.Contains(last, "\n\nLeft for you:\n  * ") || !strings.Contains(last, "k1._domainkey.lab.example") {
		t.Errorf("the mail is\n%s", last)
	}
	reminded := []int{}
	for range 4 { // nobody does so
		s.now = s.now.Add(13 * time.Hour)
		reminded = append(reminded, len(s.run(rotation.Options{Domains: []string{"lab.example"}}).Reminders))
	}
	if want := []int{0, 1, 0, 1}; !slices.Equal(reminded, want) {
		t.Errorf("reminded %v, want %v", reminded, want)
	}
	s.publish()
	s.now = s.now.Add(25 * time.Hour)
	if report = s.run(rotation.Options{Domains: []string{"lab.example"}}); len(report.Reminders) != 0 || report.Attention {
		t.Errorf("it is done: %+v", report)
	}
}

// Nobody asked for mails, or none can be sent: no run fails for it.
func TestMailsAreOptional(t *testing.T) {
	s := byHand(t, "lab.example")
	s.mem.OnRun = func(system.Command) (system.Result, error) {
		return system.Result{Code: 75, Stderr: []byte("sendmail: fatal: queue file write error\n")}, nil
	}
	s.run(rotation.Options{Domains: []string{"lab.example"}, Force: true})
	if want := "no mail to ops@lab.example: run sendmail: exit status 75: sendmail: fatal: queue file write error"; s.ui.text() != want {
		t.Errorf("said %q", s.ui.said)
	}
	s.sp.Host.Notify = ""
	sent := mails(s.mem)
	s.run(rotation.Options{Domains: []string{"lab.example"}, Force: true})
	if len(*sent) > 0 {
		t.Error("nobody asked for mails")
	}
}

// Failures are mailed once a day, and also when a domain's file is what is wrong.
func TestFailuresAreMailedOnceADay(t *testing.T) {
	mem := systemtest.NewMem()
	sent := mails(mem)
	failed := &rotation.SkippedError{Lines: []string{"a.example: no", "hint: ask"}, Err: errors.New("1 domain could not go on: a.example")}
	mem.Put(state.OwnDir, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	files := store.New(mem)
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	if err := rotation.MailFailure(t.Context(), mem, files, start, failed); err != nil || len(*sent) > 0 {
		t.Errorf("nobody is to be told: %v, %q", err, *sent)
	}
	mem.PutFile(spec.HostFile, `version = 1
hostname = "mail.lab.example"
domain = "lab.example"
addresses = ["192.0.2.10"]
notify = "ops@lab.example"
`)
	for _, after := range []time.Duration{0, time.Hour, 23 * time.Hour, 25 * time.Hour, -48 * time.Hour} {
		if err := rotation.MailFailure(t.Context(), mem, files, start.Add(after), failed); err != nil {
			t.Fatal(err)
		}
	}
	if len(*sent) != 3 {
		t.Fatalf("%d mails, want them after 0 h and 25 h, and by a clock that went back:\n%s", len(*sent), *sent)
	}
	for _, want := range []string{
		"To: <ops@lab.example>\n", "Subject: mail.lab.example: mailsetup rotate-dkim failed\n",
		"\n\na.example: no\nhint: ask\nmailsetup: 1 domain could not go on: a.example\n\nIt is tried again every hour.",
	} {
		if !strings.Contains((*sent)[0], want) {
			t.Errorf("no %q in\n%s", want, (*sent)[0])
		}
	}
	if err := rotation.MailFailure(t.Context(), mem, unwritable{files}, start.Add(100*time.Hour), failed); !errors.Is(err, errFull) || len(*sent) != 3 {
		t.Errorf("%v: each run would send one", err)
	}
}

var errFull = errors.New("no space left")

// unwritable cannot remember that a failure was mailed.
type unwritable struct{ store.Store }

func (unwritable) SaveFailureMail(time.Time) error { return errFull }

// A domain for which a run has no time keeps its place: its key does not have to wait
// again, and nobody is told that a record is missing which nobody looked for.
func TestNoTimeToLook(t *testing.T) {
	t.Parallel()
	s := readyToSign(t)
	s.silent = "b.example"
	report := s.run(rotation.Options{Within: 200 * time.Millisecond})
	if got := s.signs(three...); got != "k4 k2 k6" {
		t.Errorf("signing %s", got)
	}
	if next, _ := keyring.Successor(s.ledger()["b.example"]); next.Stage != keyring.Published {
		t.Errorf("%s is %s", next.Selector, next.Stage)
	}
	if len(report.Failed)+len(report.Waiting) > 0 || !strings.Contains(s.ui.text(), "no time was left to look for the records of b.example: the next run does") {
		t.Errorf("failed %q, waiting %+v, said %q", report.Failed, report.Waiting, s.ui.said)
	}
	s.silent = ""
	s.run(rotation.Options{})
	if got := s.signs(three...); got != "k4 k5 k6" {
		t.Errorf("signing %s", got)
	}
}

// Keys for which a timer's run has no time are made by the next one; nothing failed.
func TestNoTimeToMakeKeys(t *testing.T) {
	t.Parallel()
	s := threeServed(t)
	s.sp.Host.Every = 20 * day
	s.now = s.now.Add(30 * day)
	s.late = map[string]bool{"b.example": true}
	report := s.run(rotation.Options{Within: 100 * time.Hour})
	if got := s.made; len(report.Failed) > 0 || s.until.Before(time.Now().Add(90*time.Hour)) {
		t.Errorf("%d keys, failed %q, keys until %v", got, report.Failed, s.until)
	}
	if len(s.ledger()["a.example"]) != 2 || len(s.ledger()["b.example"]) != 1 || len(s.ledger()["c.example"]) != 2 {
		t.Errorf("keys are %v", s.ledger())
	}
	if !strings.Contains(s.ui.text(), "no time was left to make keys for b.example: the next run does") {
		t.Errorf("said %q", s.ui.said)
	}
	s.late = nil
	s.run(rotation.Options{})
	if len(s.ledger()["b.example"]) != 2 {
		t.Errorf("keys are %v", s.ledger()["b.example"])
	}
}

// A record that was seen is not looked for again in the same run, however many rounds it
// takes; one that was not, is.
func TestARecordIsSeenOnceInARun(t *testing.T) {
	t.Parallel()
	s := threeServed(t)
	s.missing["k5 b.example"] = "ns2.lab.example: missing"
	s.run(rotation.Options{Domains: three, Force: true})
	if n := s.observations.Load(); n != 4 {
		t.Errorf("%d observations, want one of each of three keys and a second one of k5", n)
	}
}
