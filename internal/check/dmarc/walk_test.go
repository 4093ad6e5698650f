package dmarc

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// TestSteps has the example of RFC 9989 section 4.10.
func TestSteps(t *testing.T) {
	for from, want := range map[string]string{
		"a.b.c.d.e.f.g.h.i.j.mail.example.com": "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com mail.example.com example.com com",
		"a.mail.example.com":                   "a.mail.example.com mail.example.com example.com com",
		"a.b.c.d.e.f.g.example":                "a.b.c.d.e.f.g.example b.c.d.e.f.g.example c.d.e.f.g.example d.e.f.g.example e.f.g.example f.g.example g.example example",
		"com":                                  "com",
	} {
		if got := steps(from); !slices.Equal(got, strings.Fields(want)) || len(got) > maxQueries {
			t.Errorf("%s: %q", from, got)
		}
	}
}

// TestWalk has the examples of RFC 9989 section 4.10.2, and more.
func TestWalk(t *testing.T) {
	for _, tt := range []struct {
		name, from, records          string // name=text, with | between them
		organization, applies, value string
	}{
		{"its own", "lab.example", "_dmarc.lab.example=v=DMARC1; p=reject", "lab.example", "lab.example", "reject"},
		{"its own, and one above", "a.mail.lab.example", "_dmarc.mail.lab.example=v=DMARC1; p=none|_dmarc.lab.example=v=DMARC1; p=reject", "lab.example", "lab.example", "reject"},
		{"psd=n", "a.mail.lab.example", "_dmarc.mail.lab.example=v=DMARC1; p=none; psd=n|_dmarc.lab.example=v=DMARC1; p=reject", "mail.lab.example", "mail.lab.example", "none"},
		{"psd=y above", "a.mail.lab.example", "_dmarc.example=v=DMARC1; p=reject; psd=y", "lab.example", "example", "reject"},
		{"psd=y, and an organization", "a.mail.lab.example", "_dmarc.lab.example=v=DMARC1; p=none|_dmarc.example=v=DMARC1; p=reject; psd=y", "lab.example", "lab.example", "none"},
		{"itself psd=y", "lab.example", "_dmarc.lab.example=v=DMARC1; p=none; psd=y", "lab.example", "lab.example", "none"},
		{"none", "a.lab.example", "", "a.lab.example", "", ""},
		{"two records count as none", "a.lab.example", "_dmarc.a.lab.example=v=DMARC1; p=none|_dmarc.a.lab.example=v=DMARC1; p=reject|_dmarc.lab.example=v=DMARC1; p=quarantine", "lab.example", "lab.example", "quarantine"},
		{"another text", "a.lab.example", "_dmarc.a.lab.example=v=spf1 -all|_dmarc.lab.example=v=DMARC1; p=quarantine", "lab.example", "lab.example", "quarantine"},
		{"in between only", "a.b.lab.example", "_dmarc.b.lab.example=v=DMARC1; p=none", "b.lab.example", "b.lab.example", "none"},
	} {
		zone := []string{"example. 60 IN SOA ns.example. h.example. 1 1 1 1 1"}
		for r := range strings.SplitSeq(tt.records, "|") {
			if name, text, ok := strings.Cut(r, "="); ok {
				zone = append(zone, name+`. 60 IN TXT "`+text+`"`)
			}
		}
		w := walkUp(t.Context(), dnsclient.New(dnstest.Serve(t, "127.0.0.1", dnstest.Zone(t, zone...))), tt.from)
		p, found := w.policyFor()
		if w.err != nil || w.organization() != tt.organization || found != (tt.applies != "") || p.domain != tt.applies || found && p.Policy() != tt.value {
			t.Errorf("%s: organization %s, %s p=%s, found %v, %v", tt.name, w.organization(), p.domain, p.Policy(), found, w.err)
		}
	}
}

// TestListed: receivers before RFC 9989 look into the Public Suffix List.
func TestListed(t *testing.T) {
	for domain, want := range map[string]string{
		"sub.example.co.uk": "example.co.uk", "a.b.example.com": "example.com", "co.uk": "", "mail.lab.internal": "", "example.org": "example.org",
	} {
		if got := listed(domain); got != want {
			t.Errorf("%s: %q, want %q", domain, got, want)
		}
	}
}
