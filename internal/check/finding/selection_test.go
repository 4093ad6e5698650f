package finding_test

import (
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/hint"
)

func TestSelection(t *testing.T) {
	for _, tt := range []struct {
		only, skip string
		wants, not string
	}{
		{"", "", "spf.pass live.signed.smtp caa", ""},
		{"spf", "", "spf.pass spf.voids-v6", "dkim.record addr.ptr"},
		{"spf.voids", "", "spf.voids", "spf.voids-v6 spf.pass"},
		{"live.signed caa", "", "live.signed.smtp live.signed.bounce caa", "live.units"},
		{"", "live spf.pass", "spf.helo", "live.units live.signed.smtp spf.pass"},
		{"spf", "spf.pass", "spf.helo", "spf.pass"},
	} {
		s := finding.Selection{Only: strings.Fields(tt.only), Skip: strings.Fields(tt.skip)}
		if err := s.Check(); err != nil {
			t.Errorf("%v: %v", s, err)
		}
		for _, id := range strings.Fields(tt.wants) {
			if !s.Wants(id) {
				t.Errorf("%v does not want %s", s, id)
			}
		}
		for _, id := range strings.Fields(tt.not) {
			if s.Wants(id) {
				t.Errorf("%v wants %s", s, id)
			}
		}
	}
}

// Who mistypes a name is told which one there is.
func TestSelectionOfNothing(t *testing.T) {
	for _, tt := range []struct {
		only, skip string
		err, hint  string
	}{
		{"spf.lookup", "", `--only: no check is called "spf.lookup"`, "did you mean: --only spf.lookups"},
		{"", "SPF", `--skip: no check is called "SPF"`, "did you mean: --skip spf"},
		{"ptr", "", `--only: no check is called "ptr"`, "did you mean: --only addr.ptr"},
		{"dkm", "", `--only: no check is called "dkm"`, "did you mean: --only dkim"},
		{"sfp", "", `--only: no check is called "sfp"`, "did you mean: --only spf"},
		{"quux", "", `--only: no check is called "quux"`, "mailsetup check --explain all lists the checks"},
		{"spf.", "", `--only: no check is called "spf."`, "did you mean: --only spf"},
		{"msg.content", "", "--only: msg.content is not checked", "mailsetup check --explain msg.content says why"},
		{"spf.pass", "spf", "--skip leaves nothing of --only", "leave one of them out"},
	} {
		err := finding.Selection{Only: strings.Fields(tt.only), Skip: strings.Fields(tt.skip)}.Check()
		if err == nil || err.Error() != tt.err || !hint.IsUsage(err) || hint.Of(err)[0] != tt.hint {
			t.Errorf("%s: %v, %q", tt.only, err, hint.Of(err))
		}
	}
}

// Each kind has a place in the catalogue, once, and a title.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range finding.Catalogue() {
		if seen[k.ID] || k.Title == "" || k.ID != strings.ToLower(k.ID) {
			t.Errorf("%+v", k)
		}
		seen[k.ID] = true
	}
	if len(seen) < 100 {
		t.Errorf("%d kinds", len(seen))
	}
}

// Each kind says how it is judged, and nothing is explained that does not exist.
func TestJudged(t *testing.T) {
	for _, k := range finding.Catalogue() {
		if finding.Judged(k.ID) == "" {
			t.Errorf("%s: nothing says when it is what", k.ID)
		}
	}
	n := finding.JudgedIDs()
	for _, k := range finding.Catalogue() {
		if k.Excluded != "" {
			n++
		}
	}
	if n != len(finding.Catalogue()) {
		t.Errorf("%d are judged, of %d", n, len(finding.Catalogue()))
	}
}

// field are the checks that others have: mox, internet.nl, Mail-in-a-Box, checkdmarc,
// YunoHost, mail-tester and the like.
const field = `
host.fqdn host.loopback host.forward addr.egress addr.ptr addr.fcrdns addr.helo addr.ptr-source
net.out25 net.in25 net.resolver net.search net.clock net.rpki
dns.delegation dns.same dns.cname dns.wildcard dns.nxdomain-tree dns.size dns.dnssec dns.expiry dns.age
mx.exists mx.addr mx.form mx.ours mx.v6 zone.soa
spf.one spf.prefix spf.syntax spf.pass spf.helo spf.lookups spf.voids spf.voids-v6 spf.size spf.all spf.ptr spf.mx10
spf.loop spf.include-dead spf.type99 spf.senderid spf.redirect-lost spf.hidden spf.ours-first
dkim.record dkim.match dkim.one dkim.paste dkim.bits dkim.tags dkim.ed25519 dkim.stray dkim.age dkim.due dkim.sharing dkim.adsp
dmarc.exists dmarc.one dmarc.place dmarc.space dmarc.foreign dmarc.syntax dmarc.policy dmarc.sp-none dmarc.rua
dmarc.rua-consent dmarc.align dmarc.ramp dmarc.parked
live.signed.sendmail live.signed.smtp live.signed.submission live.signed.bounce live.signed.alias live.signed.reinject
live.tamper live.foreign live.units live.socket live.stale live.root live.tables live.milters live.keys live.daemon
relay.open relay.postmaster relay.abuse relay.return smtp.banner
tls.starttls tls.cert tls.version tls.ciphers tls.curves tls.out sts.record sts.policy sts.mx sts.mode sts.age sts.out
tlsrpt.record tlsrpt.send dane.match dane.rollover dane.usage caa
bl.health bl.ip bl.code bl.class bl.domain rep.reports
msg.form msg.score msg.bulk msg.content queue.size queue.why ops.changed ops.ignore client.srv autoconfig`

// What others check is checked here, or it is said why not.
func TestEveryCheckOfTheField(t *testing.T) {
	reasons := map[string]string{}
	for _, k := range finding.Excluded() {
		reasons[k.ID] = k.Excluded
	}
	kinds := map[string]bool{}
	for _, k := range finding.Catalogue() {
		kinds[k.ID] = k.Excluded == ""
	}
	for _, id := range strings.Fields(field) {
		if kinds[id] == (reasons[id] != "") {
			t.Errorf("%s: checked %v, %q", id, kinds[id], reasons[id])
		}
		if list, err := finding.Select("--explain", id); err != nil || list[0].ID != id || finding.Judged(id) == "" {
			t.Errorf("--explain %s: %v, %v", id, list, err)
		}
	}
}

// What keeps a kind that is asked for from being judged is told, and nothing else.
func TestChoose(t *testing.T) {
	is := func(id string, severity finding.Severity, domain string) finding.Finding {
		return finding.Finding{ID: id, Severity: severity, Domain: domain}
	}
	for _, tt := range []struct {
		only, skip string
		list       []finding.Finding
		want       string
	}{
		{"spf.pass", "", []finding.Finding{is("spf.one", finding.Problem, "a.example"), is("spf.type99", finding.Note, "a.example"), is("dkim.record", finding.Problem, "a.example")}, "spf.one"},
		{"spf.pass", "", []finding.Finding{is("spf.one", finding.Problem, "a.example"), is("spf.pass", finding.OK, "b.example")}, "spf.one spf.pass"},
		{"spf.pass", "", []finding.Finding{is("spf.pass", finding.OK, "a.example"), is("spf.lookups", finding.Problem, "a.example")}, "spf.pass"},
		{"spf.pass", "spf.one", []finding.Finding{is("spf.one", finding.Problem, "a.example")}, ""},
		{"live.signed.smtp", "", []finding.Finding{is("live.units", finding.Problem, "")}, "live.units"},
		{"live.signed.smtp", "", []finding.Finding{is("live.units", finding.Problem, ""), is("live.signed.smtp", finding.OK, "a.example")}, "live.signed.smtp"},
		{"mx.addr", "", []finding.Finding{is("dns.delegation", finding.Unknown, "a.example")}, "dns.delegation"},
		{"", "spf.one", []finding.Finding{is("spf.one", finding.Problem, "a.example"), is("spf.pass", finding.OK, "a.example")}, "spf.pass"},
	} {
		var got []string
		for _, f := range (finding.Selection{Only: strings.Fields(tt.only), Skip: strings.Fields(tt.skip)}).Choose(tt.list) {
			got = append(got, f.ID)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("--only %q --skip %q of %v: %v, want %s", tt.only, tt.skip, tt.list, got, tt.want)
		}
	}
}

// What was looked at is said once.
func TestText(t *testing.T) {
	for want, f := range map[string]finding.Finding{
		"it is so":                     {Seen: "it is so"},
		"192.0.2.10: it has none":      {Subject: "192.0.2.10", Seen: "it has none"},
		"192.0.2.10":                   {Subject: "192.0.2.10"},
		"?all":                         {Domain: "lab.example", Subject: "lab.example", Seen: "?all"},
		"/k, the private key, is gone": {Domain: "lab.example", Subject: "/k", Seen: "/k, the private key, is gone"},
	} {
		if got := f.Text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
