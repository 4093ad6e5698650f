package dnsname_test

import (
	"testing"

	"mailsetup/internal/dnsname"
)

func TestVersion(t *testing.T) {
	for text, want := range map[string]string{
		"v=spf1 -all":                        "spf",
		"V=SPF1":                             "spf",
		"v=spf10 -all":                       "v=spf10-all", // what a receiver takes for no SPF record
		"v = DMARC1 ; p=none":                "dmarc",
		"v=DKIM1; k=rsa; p=MIIB":             "v=dkim1",
		"v=TLSRPTv1; rua=mailto:a@b.example": "v=tlsrptv1",
		"k=rsa; p=MIIB":                      "",
		"google-site-verification=abc":       "",
		"":                                   "",
	} {
		if got := dnsname.Version(text); got != want {
			t.Errorf("Version(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestConflict(t *testing.T) {
	const host, key, policy, consent = "lab.example.", "s._domainkey.lab.example.", "_dmarc.lab.example.", "a.example._report._dmarc.lab.example."
	for _, tt := range []struct {
		why, name, a, b string
		want            bool
	}{
		{"one record, said twice", host, "v=spf1 -all", "v=spf1 -all", false},
		{"two SPF records are a permanent error", host, "v=spf1 -all", "V=SPF1 mx -all", true},
		{"another version is no SPF record", host, "v=spf1 -all", "v=spf10 -all", false},
		{"nor is a text that begins like one", host, "v=spf1 -all", "v=spf1-all", false},
		{"proofs of ownership stand beside", host, "v=spf1 -all", "google-site-verification=a", false},
		{"and beside each other", host, "google-site-verification=a", "google-site-verification=b", false},
		{"a key's name has one record", key, "v=DKIM1; p=a", "k=rsa; p=b", true},
		{"in any case", "S._DOMAINKEY.lab.example.", "v=DKIM1; p=a", "x", true},
		{"two policies count as none", policy, "v=DMARC1; p=none", "v=DMARC1; p=reject", true},
		{"what is no policy is passed over", policy, "v=DMARC1; p=none", "x", false},
		{"any consent will do", consent, "v=DMARC1", "v=DMARC1; rua=mailto:a@lab.example", false},
		{"two reports' addresses count as none", "_smtp._tls.lab.example.", "v=TLSRPTv1; rua=a", "v=TLSRPTv1; rua=b", true},
	} {
		if dnsname.Conflict(tt.name, tt.a, tt.b) != tt.want || dnsname.Conflict(tt.name, tt.b, tt.a) != tt.want {
			t.Errorf("%s: %s: %q and %q: want %v", tt.why, tt.name, tt.a, tt.b, tt.want)
		}
	}
}
