package dmarc_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/dmarc"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/memory"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/zonefile"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// lab is lab.example, whose mail this server signs, and what DNS has.
type lab struct {
	server  subject.Server
	domain  subject.Domain
	zone    []string // of both name servers and the resolver
	elder   []string // what the second name server has instead, nil for the same
	broken  string   // a name for which the resolver answers SERVFAIL
	noServe bool     // the name servers answer nobody
}

func newLab(texts ...string) *lab {
	d := spec.Domain{Name: "lab.example", Selector: "s1"}
	k := keyring.Key{Selector: "s1", Stage: keyring.Active, Seen: now, Since: map[keyring.Stage]time.Time{keyring.Publishing: now}}
	l := &lab{zone: []string{"lab.example. 60 IN MX 10 mail.lab.example.", "mail.lab.example. 60 IN A 192.0.2.10"}}
	l.server = subject.Server{SetUp: true, Now: now, Spec: spec.Spec{
		Host: spec.Host{DNS: spec.DNSBind, Hostname: "mail.lab.example", Domain: "lab.example"}, Domains: []spec.Domain{d},
	}}
	l.domain = subject.Domain{Name: "lab.example", Wanted: &d, Keys: []keyring.Key{k}, Sends: true, Receives: true, Declared: true}
	for _, t := range texts {
		l.zone = append(l.zone, txt("_dmarc.lab.example.", t))
	}
	return l
}

// txt is a TXT record in zone file syntax.
func txt(name, text string) string { return name + ` 60 IN TXT "` + zonefile.Escape(text) + `"` }

func (l *lab) client(t *testing.T) *dnsclient.Client {
	t.Helper()
	served := dnstest.Lab{Resolver: l.zone, First: l.zone, Second: l.zone, Fails: l.broken, FirstSilent: l.noServe, SecondSilent: l.noServe}
	if l.elder != nil {
		served.Second = l.elder
	}
	return served.Client(t)
}

func (l *lab) run(t *testing.T) finding.Result {
	t.Helper()
	r := dmarc.Check(t.Context(), l.client(t), l.server, l.domain)
	findingtest.Remedies(t, r.Findings)
	return r
}

// lines are findings in a form to compare; good ones are only the ID.
func lines(r finding.Result) string {
	var list []string
	for _, f := range r.Findings {
		if f.Severity == finding.OK {
			list = append(list, "ok "+f.ID)
			continue
		}
		line := strings.Join([]string{string(f.Severity), f.ID, f.Subject}, " ") + ": " + f.Seen
		if f.CausedBy != "" {
			line += " [" + f.CausedBy + "]"
		}
		list = append(list, line)
	}
	return strings.Join(list, "\n")
}

// wrong are the lines that are neither ok nor about a policy of none.
func wrong(r finding.Result) string {
	list := strings.Split(lines(r), "\n")
	return strings.Join(slices.DeleteFunc(list, func(l string) bool {
		return strings.HasPrefix(l, "ok ") || strings.HasPrefix(l, "note dmarc.policy _dmarc.lab.example: none: ")
	}), "\n")
}

func TestHealthy(t *testing.T) {
	l := newLab("v=DMARC1; p=reject; rua=mailto:postmaster@lab.example")
	const want = "ok dmarc.one\nok dmarc.space\nok dmarc.exists\nok dmarc.syntax\nok dmarc.policy\nok dmarc.ramp\nok dmarc.sp-none\nok dmarc.rua\nok dmarc.align"
	if got := lines(l.run(t)); got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
	// Right after init: nothing that anybody has to act on.
	r := newLab("v=DMARC1; p=none; rua=mailto:postmaster@lab.example").run(t)
	if got := wrong(r); got != "" {
		t.Errorf("found %s", got)
	}
}

const at = "_dmarc.lab.example"

// TestRecords: the texts at _dmarc, and what RFC 9989 makes of them.
func TestRecords(t *testing.T) {
	const rua = "rua=mailto:postmaster@lab.example"
	for _, tt := range []struct {
		name  string
		texts []string
		want  string
	}{
		{"none", nil, "warning dmarc.exists " + at + ": no policy"},
		{"two", []string{"v=DMARC1; p=none", "v=DMARC1; p=reject"}, "problem dmarc.one " + at + `: 2 records: "v=DMARC1; p=none", "v=DMARC1; p=reject"`},
		{"a blank in front", []string{" v=DMARC1; p=none"}, "problem dmarc.space " + at + `: " v=DMARC1; p=none": a blank is before v=DMARC1, so receivers see no record; OpenDMARC 1.4 takes it nevertheless`},
		{"in quotes", []string{`"v=DMARC1; p=none"`}, "problem dmarc.space " + at + `: "\"v=DMARC1; p=none\"": something is before v=DMARC1, so receivers see no record`},
		{"lower case", []string{"v=dmarc1; p=none"}, "problem dmarc.space " + at + `: "v=dmarc1; p=none": DMARC1 is case-sensitive, so receivers see no record`},
		{
			"a capital v",
			[]string{"V=DMARC1; p=reject; " + rua},
			"warning dmarc.syntax " + at + ": it begins with v=DMARC1, but not to the letter, as RFC 9989 permits: OpenDMARC 1.4 sees no record",
		},
		{"blanks around =", []string{"v=DMARC1 ; p = reject ; " + rua}, ""},
		{
			"blanks around the first =",
			[]string{"v = DMARC1 ; p = reject ; " + rua},
			"warning dmarc.syntax " + at + ": it begins with v=DMARC1, but not to the letter, as RFC 9989 permits: OpenDMARC 1.4 sees no record",
		},
		{"no semicolon", []string{"v=DMARC1 p=none"}, "problem dmarc.space " + at + `: "v=DMARC1 p=none": no semicolon ends v=DMARC1, so receivers see no record`},
		{
			"the version last",
			[]string{"p=none; v=DMARC1"},
			"problem dmarc.space " + at + `: "p=none; v=DMARC1": v=DMARC1 is not the first tag, so receivers see no record; OpenDMARC 1.4 takes it nevertheless`,
		},
		{"another text alone", []string{"v=spf1 -all"}, "note dmarc.foreign " + at + `: "v=spf1 -all"` + "\nwarning dmarc.exists " + at + ": no policy"},
		{"another text beside it", []string{"v=DMARC1; p=none; " + rua, "hello"}, "note dmarc.foreign " + at + `: "hello"`},
		{
			"no p, reports",
			[]string{"v=DMARC1; " + rua},
			"warning dmarc.syntax " + at + ": p= is missing: p=none applies; OpenDMARC 1.4 and go-msgauth take the record for an error",
		},
		{
			"no p, no reports",
			[]string{"v=DMARC1"},
			"warning dmarc.syntax " + at + ": p= is missing: DMARC does not apply; OpenDMARC 1.4 and go-msgauth take the record for an error\n" +
				"note dmarc.rua " + at + ": nobody gets reports: there is no rua=",
		},
		{
			"p is no policy",
			[]string{"v=DMARC1; p=rejct; " + rua},
			"warning dmarc.syntax " + at + ": p=rejct is no policy: p=none applies to all mail; OpenDMARC 1.4 and go-msgauth take the record for an error",
		},
		{
			"sp is no policy",
			[]string{"v=DMARC1; p=reject; sp=foo; " + rua},
			"warning dmarc.syntax " + at + ": sp=foo is no policy: p=none applies to all mail; OpenDMARC 1.4 and go-msgauth take the record for an error",
		},
		{"capitals", []string{"v=DMARC1; p=Reject; " + rua}, "note dmarc.syntax " + at + ": p=Reject: receivers read it in any case of letters, go-msgauth does not"},
		{"p not second", []string{"v=DMARC1; " + rua + "; p=reject"}, "note dmarc.syntax " + at + ": p= is not the second tag, where receivers of RFC 7489 want it"},
		{"pct of old", []string{"v=DMARC1; p=reject; pct=100; " + rua}, "note dmarc.syntax " + at + ": pct=100 is gone with RFC 9989, and changes nothing"},
		{"pct=0", []string{"v=DMARC1; p=reject; pct=0; " + rua}, "note dmarc.syntax " + at + ": pct=0: RFC 9989 applies the policy to all mail, OpenDMARC 1.4 to 0 in 100"},
		{
			"pct is no number",
			[]string{"v=DMARC1; p=reject; pct=abc; " + rua},
			"warning dmarc.syntax " + at + ": pct=abc: RFC 9989 ignores it, OpenDMARC 1.4 reads 0, and so never acts on the policy",
		},
		{"ri and rf", []string{"v=DMARC1; p=reject; ri=86400; " + rua}, "note dmarc.syntax " + at + ": ri= is gone with RFC 9989, nobody acts on it"},
		{"an unknown tag", []string{"v=DMARC1; p=reject; x=y; " + rua}, "note dmarc.syntax " + at + ": the tag x= is not known, so it is ignored"},
		{
			"a word for a letter",
			[]string{"v=DMARC1; p=reject; adkim=strict; " + rua},
			"warning dmarc.syntax " + at + ": adkim=strict is none of r, s: the default applies, go-msgauth takes the record for an error",
		},
		{
			"junk",
			[]string{"v=DMARC1; p=reject; junk; " + rua},
			"warning dmarc.syntax " + at + `: "junk" is no tag: RFC 9989 ignores it, older receivers may ignore the whole record`,
		},
		{
			"a tag twice",
			[]string{"v=DMARC1; p=reject; p=none; " + rua},
			"warning dmarc.syntax " + at + ": the tag p is there twice: RFC 9989 ignores it, older receivers may ignore the whole record",
		},
		{"under test", []string{"v=DMARC1; p=reject; t=y; " + rua}, "note dmarc.policy " + at + ": reject under test (t=y): quarantine at receivers of RFC 9989"},
		{"quarantine under test", []string{"v=DMARC1; p=quarantine; t=y; " + rua}, "note dmarc.policy " + at + ": quarantine under test (t=y): none at receivers of RFC 9989"},
		{"none under test", []string{"v=DMARC1; p=none; t=y; " + rua}, ""},
		{"subdomains without", []string{"v=DMARC1; p=reject; sp=none; " + rua}, "warning dmarc.sp-none " + at + ": p=reject, but sp=none for all subdomains"},
		{"all known tags", []string{"v=DMARC1; p=reject; sp=reject; np=reject; psd=n; t=n; adkim=s; aspf=s; fo=1:d:s; ruf=mailto:a@lab.example; " + rua}, ""},
		{"a size behind an address", []string{"v=DMARC1; p=reject; rua=mailto:postmaster@lab.example!10m"}, ""},
		{"no reports", []string{"v=DMARC1; p=reject"}, "note dmarc.rua " + at + ": nobody gets reports: there is no rua="},
		{"no mailto:", []string{"v=DMARC1; p=reject; rua=dmarc@lab.example"}, "warning dmarc.rua dmarc@lab.example: dmarc@lab.example lacks mailto: in front"},
		{
			"https",
			[]string{"v=DMARC1; p=reject; rua=https://r.example/x"},
			"warning dmarc.rua https://r.example/x: https://r.example/x is no mailto: address, the only kind that all receivers use",
		},
		{"a domain that does not exist", []string{"v=DMARC1; p=reject; rua=mailto:a@nowhere.lab.example"}, "warning dmarc.rua a@nowhere.lab.example: nowhere.lab.example does not exist"},
		{"an address without an MX", []string{"v=DMARC1; p=reject; rua=mailto:a@mail.lab.example"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newLab(tt.texts...).run(t)
			if got := wrong(r); got != tt.want {
				t.Errorf("found\n%s\nwant\n%s", got, tt.want)
			}
			for _, f := range r.Findings {
				if (f.Severity == finding.Problem || f.Severity == finding.Warning) && f.Remedy.String() == "" {
					t.Errorf("no remedy: %+v", f)
				}
			}
		})
	}
}

// TestMended: what should stand there instead.
func TestMended(t *testing.T) {
	for text, want := range map[string]string{
		" v=DMARC1; p=none":   `_dmarc.lab.example TXT "v=DMARC1; p=none"`,
		`"v=DMARC1; p=none;"`: `_dmarc.lab.example TXT "v=DMARC1; p=none"`,
		"v=dmarc1;p=reject":   `_dmarc.lab.example TXT "v=DMARC1; p=reject"`,
		"v=DMARC1 p=none":     `_dmarc.lab.example TXT "v=DMARC1; p=none"`,
		"p=none; v=DMARC1":    `_dmarc.lab.example TXT "v=DMARC1; p=none"`,
	} {
		for _, f := range newLab(text).run(t).Findings {
			if f.ID == "dmarc.space" && f.Expected != want {
				t.Errorf("%q: %s, want %s", text, f.Expected, want)
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	const good = "v=DMARC1; p=reject; rua=mailto:postmaster@lab.example"
	for _, tt := range []struct {
		name string
		set  func(l *lab)
		want string
	}{
		{
			"at the domain, too", func(l *lab) { l.zone = append(l.zone, txt("lab.example.", "v=DMARC1; p=none"), txt(at+".", good)) },
			`warning dmarc.place lab.example: "v=DMARC1; p=none" is at the domain itself`,
		},
		{
			"at the domain alone", func(l *lab) { l.zone = append(l.zone, txt("lab.example.", "v=DMARC1; p=none")) },
			"warning dmarc.place " + at + ": nothing there, but lab.example has it",
		},
		{
			"the domain twice", func(l *lab) { l.zone = append(l.zone, txt("_dmarc.lab.example.lab.example.", good)) },
			"warning dmarc.place " + at + ": nothing there, but _dmarc.lab.example.lab.example has it: the domain was added to a name that had it already",
		},
		{
			"an alias that leads nowhere", func(l *lab) { l.zone = append(l.zone, at+". 60 IN CNAME nowhere.lab.example.") },
			"warning dmarc.exists " + at + ": the name is an alias (CNAME) of nowhere.lab.example, which has no such record [dns.cname]",
		},
		{
			"an old copy", func(l *lab) { l.elder, l.zone = l.zone, append(slices.Clone(l.zone), txt(at+".", good)) },
			"warning dmarc.exists " + at + ": ns2.lab.example (127.0.0.3): an old copy of the zone: its serial is 7, and ns1.lab.example has 8 (missing) [dns.same]",
		},
		{
			"name servers that do not answer", func(l *lab) { l.noServe = true },
			"unknown dmarc.exists " + at + ": ns1.lab.example (127.0.0.2): it does not answer: nothing came within 300ms; ns2.lab.example (127.0.0.3): it does not answer: nothing came within 300ms; no name server can be asked [dns.delegation]",
		},
		{
			"a resolver that fails above", func(l *lab) { l.broken = "_dmarc.example." },
			"warning dmarc.exists " + at + ": no policy of its own",
		},
		{
			"a resolver that fails above a domain of nobody", func(l *lab) { l.broken, l.domain.Wanted = "_dmarc.example.", nil },
			"unknown dmarc.exists " + at + ": look up _dmarc.example. TXT: ",
		},
		{
			"a resolver that fails above a policy", func(l *lab) { l.broken, l.zone = "_dmarc.example.", append(l.zone, txt(at+".", good)) }, "",
		},
		{
			"nobody published it yet", func(l *lab) { l.server.Spec.Host.DNS, l.domain.Keys[0].Seen = spec.DNSManual, time.Time{} },
			"note dmarc.exists " + at + ": waits for you to publish it",
		},
		{"a domain that only receives", func(l *lab) { l.domain.Sends = false }, "note dmarc.exists " + at + ": no policy"},
	} {
		l := newLab()
		tt.set(l)
		if got := wrong(l.run(t)); got != tt.want && (!strings.HasSuffix(tt.want, ": ") || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s: found\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestSubdomainsAsWished: what the administrator asked for is not held against him.
func TestSubdomainsAsWished(t *testing.T) {
	l := newLab("v=DMARC1; p=reject; sp=none; rua=mailto:postmaster@lab.example")
	l.domain.Wanted.DMARC.SubdomainPolicy = "none"
	if got := wrong(l.run(t)); got != "note dmarc.sp-none "+at+": p=reject, but sp=none for all subdomains" {
		t.Errorf("found %s", got)
	}
}

// TestReportsToItself: a domain that takes no mail here, as its file says, may be
// reported to elsewhere.
func TestReportsToItself(t *testing.T) {
	for receives, want := range map[bool]string{true: "warning", false: "note"} {
		l := newLab("v=DMARC1; p=reject; rua=mailto:postmaster@lab.example")
		l.zone, l.domain.Receives = l.zone[1:], receives
		if got := wrong(l.run(t)); got != want+" dmarc.rua postmaster@lab.example: lab.example takes no mail: it has neither an MX nor an address" {
			t.Errorf("receives %v: found %s", receives, got)
		}
	}
}

func TestConsent(t *testing.T) {
	const name = "lab.example._report._dmarc.reports.test-lab.example"
	record := "v=DMARC1; p=reject; rua=mailto:x@reports.test-lab.example"
	for _, tt := range []struct {
		name string
		more []string
		want string
	}{
		{"none", nil, "warning dmarc.rua-consent " + name + ": reports.test-lab.example does not consent to reports about lab.example, so nobody sends them there"},
		{"given", []string{txt(name+".", "v=DMARC1")}, ""},
		{"given, with an address", []string{txt(name+".", "v=DMARC1; rua=mailto:y@test-lab.example")}, ""},
		{"another text there", []string{txt(name+".", "hello")}, "warning dmarc.rua-consent " + name + ": reports.test-lab.example does not consent to reports about lab.example, so nobody sends them there"},
	} {
		l := newLab(record)
		l.zone = append(append(l.zone, "reports.test-lab.example. 60 IN MX 10 mail.lab.example."), tt.more...)
		if got := wrong(l.run(t)); got != tt.want {
			t.Errorf("%s: found\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestParked: a domain that is declared to have no mail.
func TestParked(t *testing.T) {
	l := newLab()
	l.domain.Sends, l.domain.Receives = false, false
	good := []string{txt("lab.example.", "v=spf1 -all"), "lab.example. 60 IN MX 0 .", txt(at+".", "v=DMARC1; p=reject")}
	for _, tt := range []struct {
		zone []string
		want string
	}{
		{good, "ok dmarc.parked"},
		{good[1:], "warning dmarc.parked lab.example: SPF passes or allows senders"},
		{[]string{good[0], good[2], "lab.example. 60 IN A 192.0.2.1"}, "warning dmarc.parked lab.example: mail is led somewhere"},
		{[]string{good[0], good[2]}, "ok dmarc.parked"}, // nothing leads mail anywhere
		{good[:2], "warning dmarc.parked lab.example: DMARC does not say reject"},
	} {
		l.zone = tt.zone
		if got := lines(l.run(t)); got != tt.want {
			t.Errorf("%q: found %s, want %s", tt.zone, got, tt.want)
		}
	}
}

// TestAlignment: d= and the domain in From:.
func TestAlignment(t *testing.T) {
	relaxed, strict := "v=DMARC1; p=reject; rua=mailto:a@lab.example", "v=DMARC1; p=reject; adkim=s; rua=mailto:a@lab.example"
	other := func(signer string) func(l *lab) {
		return func(l *lab) {
			l.domain.Wanted, l.domain.Keys = nil, nil
			l.domain.Selectors = []subject.Selector{{Name: "s", Domain: signer, Program: "OpenDKIM"}}
		}
	}
	for _, tt := range []struct {
		name, record string
		set          func(l *lab)
		want         string
	}{
		{"its own", strict, other("lab.example"), ""},
		{"a subdomain, relaxed", relaxed, other("mail.lab.example"), ""},
		{"a subdomain, strict", strict, other("mail.lab.example"), "warning dmarc.align From: @lab.example: d=mail.lab.example is not aligned (strict): only SPF is, which fails where mail is forwarded"},
		{"a stranger", relaxed, other("stranger.example"), "warning dmarc.align From: @lab.example: d=stranger.example is not aligned (relaxed): only SPF is, which fails where mail is forwarded"},
		{"nobody knows", relaxed, func(l *lab) { l.domain.Wanted, l.domain.Keys = nil, nil }, ""},
		{
			"further senders", relaxed, func(l *lab) {
				l.domain.Wanted.Also = []string{"shop.example", "news.lab.example"}
				l.zone = append(l.zone, txt("_dmarc.shop.example.", "v=DMARC1; p=reject"))
			},
			"note dmarc.align further senders: mail from shop.example is signed with d=lab.example, which is not aligned: there SPF alone counts",
		},
		{"further senders without a policy", relaxed, func(l *lab) { l.domain.Wanted.Also = []string{"shop.example"} }, ""},
	} {
		l := newLab(tt.record)
		tt.set(l)
		if got := wrong(l.run(t)); got != tt.want {
			t.Errorf("%s: found\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestServersOwnMail: cron and bounces are From: the name of the server.
func TestServersOwnMail(t *testing.T) {
	for record, want := range map[string]string{
		"":                            "",
		"v=DMARC1; p=reject":          "ok dmarc.align",
		"v=DMARC1; p=reject; adkim=s": "note dmarc.align From: @mail.lab.example: mail of the server itself has d=lab.example, which is not aligned (strict): SPF of mail.lab.example alone counts",
	} {
		l := newLab()
		if record != "" {
			l = newLab(record)
		}
		if got := lines(dmarc.CheckServer(t.Context(), l.client(t), l.server)); got != want {
			t.Errorf("%s: found %s, want %s", record, got, want)
		}
	}
}

// A policy of none that has been there for long is worth a note. Without reports there is
// no next step.
func TestPolicyOfNoneForLong(t *testing.T) {
	const rua = "; rua=mailto:postmaster@lab.example"
	for _, tt := range []struct {
		name, record string
		days         int
		want, remedy string
	}{
		{"new", "v=DMARC1; p=none" + rua, 0, "ok: p=none, seen since 2026-11-30", ""},
		{"for seven weeks", "v=DMARC1; p=none" + rua, 55, "ok: p=none, seen since 2026-11-30", ""},
		{
			"for eight weeks", "v=DMARC1; p=none" + rua, 56, "note: p=none, seen since 2026-11-30",
			"once reports show that all mail of your own passes, and not before:\nmailsetup init --dmarc quarantine",
		},
		{"without reports", "v=DMARC1; p=none", 56, "note: p=none, seen since 2026-11-30", "have reports sent first:\nmailsetup init --rua mailto:ADDRESS"},
		{"stricter", "v=DMARC1; p=reject" + rua, 56, "ok: p=reject", ""},
	} {
		first := newLab("v=DMARC1; p=none")
		first.server.Memory = memory.New(nil, now)
		first.run(t)
		l := newLab(tt.record)
		l.server.Now = now.AddDate(0, 0, tt.days)
		l.server.Memory = memory.New(first.server.Memory.Facts(nil), l.server.Now)
		for _, f := range l.run(t).Findings {
			if f.ID == "dmarc.ramp" && (string(f.Severity)+": "+f.Seen != tt.want || f.Remedy.String() != tt.remedy) {
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
		if facts := l.server.Memory.Facts(nil); (len(facts) == 0) != (tt.name == "stricter") {
			t.Errorf("%s: %+v", tt.name, facts)
		}
	}
}
