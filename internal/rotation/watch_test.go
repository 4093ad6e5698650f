package rotation_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
)

// watching is a server whose hourly run looks at records, with mail to its
// administrator.
func watching(t *testing.T) *server {
	t.Helper()
	s := threeServed(t)
	s.sp.Host.Notify = "ops@lab.example"
	if report := s.run(rotation.Options{}); report.Attention || len(report.Records) > 0 {
		t.Fatalf("%+v\n%s", report, s.ui.said)
	}
	s.now = s.now.Add(time.Hour)
	return s
}

// dropInclude takes our line out of a zone file, as a tool does that writes the
// zone anew.
func (s *server) dropInclude(origin string) {
	o, _ := s.mem.Read(zoneFile(origin))
	var kept []string
	for line := range strings.Lines(string(o.Content)) {
		if !strings.HasPrefix(line, "$INCLUDE") {
			kept = append(kept, line)
		}
	}
	s.mem.PutFile(zoneFile(origin), strings.Join(kept, ""))
	s.must(s.mem.Act(s.t.Context(), "named.service", state.Reload, ""))
}

func (s *server) rootMail() string {
	text, err := os.ReadFile(s.mailbox)
	if err != nil {
		return ""
	}
	return string(text)
}

// A record that is gone from a zone of this machine is put back, and people are
// told: by an alarm, by mail, and by mail to root that takes no alias.
func TestALostRecordIsPutBack(t *testing.T) {
	s := watching(t)
	sent := mails(s.mem)
	s.dropInclude("b.example.")
	report := s.run(rotation.Options{})
	k, _ := s.ledger().Signing("b.example")
	if !s.has("b.example", k) {
		t.Errorf("it is not there again\n%s", s.ui.said)
	}
	if !report.Attention || !slices.ContainsFunc(report.Records, func(p recordwatch.Problem) bool {
		return p.Domain == "b.example" && p.About == "k2._domainkey.b.example TXT" && p.Restored && p.Gone
	}) {
		t.Errorf("the report is %+v", report.Records)
	}
	if len(s.ui.alerts) != 2 || !strings.HasPrefix(s.ui.alerts[0], "b.example: gone from its zone, and put back: ") {
		t.Errorf("alarms %q", s.ui.alerts)
	}
	const subject = "Subject: mail.lab.example: DNS records were gone, and are back\n"
	if len(*sent) != 1 || !strings.Contains((*sent)[0], "To: <ops@lab.example>\n"+subject) {
		t.Errorf("mails %s", *sent)
	}
	if text := s.rootMail(); !strings.Contains(text, "To: <root@mail.lab.example>\n"+subject) || !strings.Contains(text, "k2._domainkey.b.example TXT") {
		t.Errorf("root's mailbox is\n%s", text)
	}
	s.ui = ui{}
	s.now = s.now.Add(time.Hour)
	if report = s.run(rotation.Options{}); report.Attention || len(s.ui.alerts) > 0 {
		t.Errorf("told again: %+v, %q", report, s.ui.alerts)
	}
}

// Whoever does not want it, or edited our file, is told only.
func TestALostRecordStays(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(s *server)
		says string
	}{
		"repair is off": {func(s *server) { s.sp.Domains[1].Repair = "no" }, "hint: mailsetup init --yes puts it back"},
		"the fragment is edited": {
			func(s *server) {
				s.mem.PutFile("/etc/bind/mailsetup/b.example.zone", "x.b.example. 600 IN A 192.0.2.66\n")
			},
			"b.example: not put back: /etc/bind/mailsetup/b.example.zone is not as mailsetup left it",
		},
		"whoever is asked says no": {func(s *server) { s.refuse = true }, "b.example: not put back: not confirmed: nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := watching(t)
			s.dropInclude("b.example.")
			tt.do(s)
			report := s.run(rotation.Options{})
			if k, _ := s.ledger().Signing("b.example"); s.has("b.example", k) || !report.Attention {
				t.Errorf("%+v", report)
			}
			if !slices.ContainsFunc(s.ui.alerts, func(l string) bool { return strings.Contains(l, tt.says) }) {
				t.Errorf("alarms\n%s\nwant %q", strings.Join(s.ui.alerts, "\n"), tt.says)
			}
			if !strings.Contains(s.rootMail(), ": DNS records are gone or changed\n") {
				t.Errorf("root's mailbox is\n%s", s.rootMail())
			}
			st, err := s.rotator().Status(nil)
			if err != nil || len(st.Domains) != 1 || st.Domains[0].Problems[0].Domain != "b.example" || len(st.Domains[0].Hints) == 0 {
				t.Errorf("status %+v, %v", st, err)
			}
			i := slices.IndexFunc(st.Keys, func(k rotation.KeyStatus) bool { return k.Selector == "k2" })
			if st.Keys[i].State() != "not in DNS" || st.Keys[i].Gone == "" || st.Keys[0].State() != "active" {
				t.Errorf("keys %+v", st.Keys)
			}
		})
	}
}

// A fragment that is gone is not made again where that makes something else.
func TestALostFragment(t *testing.T) {
	s := watching(t)
	s.mem.Delete("/etc/bind/mailsetup/b.example.zone")
	report := s.run(rotation.Options{})
	if o, _ := s.mem.Read("/etc/bind/mailsetup/b.example.zone"); o.Kind != state.Absent || !report.Attention {
		t.Errorf("%+v, it is\n%s", report, o.Content)
	}
	want := []string{
		"b.example: file /etc/bind/mailsetup/b.example.zone: is gone: the name server will refuse the zone when it starts again",
		"b.example: not put back: /etc/bind/mailsetup/b.example.zone would not be what it was",
		"hint: mailsetup init shows what it would be, and makes it",
	}
	if !slices.Equal(s.ui.alerts, want) {
		t.Errorf("alarms %q, want %q", s.ui.alerts, want)
	}
}

// Who asks for a step, or for what would be done, does not have records looked at.
func TestOnlyTheTimerLooksAtRecords(t *testing.T) {
	s := watching(t)
	s.dropInclude("b.example.")
	for _, o := range []rotation.Options{{Domains: []string{"b.example"}}, {DryRun: true}} {
		if report := s.run(o); len(report.Records) > 0 || s.rootMail() != "" {
			t.Errorf("%+v: %+v", o, report)
		}
	}
}

// Each key has a line with what it waits for.
func TestStatus(t *testing.T) {
	s := readyToSign(t)
	s.sp.Host.Every, s.sp.Host.Revoke = 180*day, 30*day
	in := func(d time.Duration) time.Time { return s.now.Add(d) }
	want := func(selector string, stage keyring.Stage, waits string, next time.Time) {
		t.Helper()
		st, err := s.rotator().Status([]string{"a.example"})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(st.Keys, func(k rotation.KeyStatus) bool { return k.Selector == selector })
		if i < 0 || st.Keys[i].Stage != stage || st.Keys[i].WaitsFor != waits || !st.Keys[i].Next.Equal(next) || st.Keys[i].Domain != "a.example" {
			t.Errorf("%s: %+v, want it %s until %v because of %s", selector, st.Keys, stage, next, waits)
		}
	}
	want("k1", keyring.Active, "successor", time.Time{})
	want("k4", keyring.Published, "caches", s.now)
	s.run(rotation.Options{Domains: three})
	want("k4", keyring.Active, "age", in(180*day))
	want("k1", keyring.Draining, "mail under way", in(14*day))
	s.now = s.now.Add(14 * day)
	s.run(rotation.Options{Domains: three})
	want("k1", keyring.Revoked, "late mail", in(30*day))
	s.sp.Host.Every = spec.Never
	want("k4", keyring.Active, "nothing", time.Time{})
	s.missing["k7 a.example"] = "ns2: missing"
	s.run(rotation.Options{Domains: three[:1], Force: true})
	want("k7", keyring.Publishing, "name servers", time.Time{})
	s.sp.Domains = s.sp.Domains[1:]
	want("k4", keyring.Active, "its file", time.Time{})
	s.mem.PutFile(signer.KeyTable, "")
	want("k4", "unused", "its file", time.Time{})
}

// What keeps mail from being signed is no note among others.
func TestStatusNamesProblems(t *testing.T) {
	s := readyToSign(t)
	s.mem.Delete(signer.KeyFile("b.example", "k2"))
	st, err := s.rotator().Status(nil)
	if err != nil || len(st.Problems) != 1 || !strings.HasPrefix(st.Problems[0].Text, "b.example: /etc/dkimkeys/b.example/k2.private, the private key of b.example, is gone") {
		t.Errorf("problems %+v, %v", st.Problems, err)
	}
	for _, n := range st.Notes {
		if strings.Contains(n.Text, "k2.private") {
			t.Errorf("it is a note as well: %+v", n)
		}
	}
}
