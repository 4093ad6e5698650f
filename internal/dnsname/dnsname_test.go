package dnsname_test

import (
	"testing"

	"mailsetup/internal/dnsname"
)

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		name, origin string
		want         bool
	}{
		{"lab.example.", "lab.example.", true},
		{"mail.lab.example.", "lab.example.", true},
		{"MAIL.Lab.Example.", "lab.example.", true},
		{"mail.lab.example", "lab.example", true},
		{"mylab.example.", "lab.example.", false},
		{"example.", "lab.example.", false},
		{"lab.example.", ".", true},
		{".", ".", true},
	} {
		if got := dnsname.Within(tt.name, tt.origin); got != tt.want {
			t.Errorf("Within(%q, %q) = %v", tt.name, tt.origin, got)
		}
	}
}

func TestParent(t *testing.T) {
	for name, want := range map[string]string{
		"mail.lab.example.":      "lab.example.",
		"example.":               ".",
		".":                      ".",
		"":                       ".",
		`john\.doe.lab.example.`: "lab.example.",
		`back\\.lab.example.`:    "lab.example.",
	} {
		if got := dnsname.Parent(name); got != want {
			t.Errorf("Parent(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestDots(t *testing.T) {
	for _, name := range []string{"lab.example", "lab.example."} {
		if got := dnsname.Absolute(name); got != "lab.example." {
			t.Errorf("Absolute(%q) = %q", name, got)
		}
		if got := dnsname.TrimDot(name); got != "lab.example" {
			t.Errorf("TrimDot(%q) = %q", name, got)
		}
		if !dnsname.Same(name, "LAB.example") || dnsname.Same(name, "lab.example.org") {
			t.Errorf("Same(%q, …)", name)
		}
	}
}

// The names of records that mail looks for, put together and taken apart.
func TestRecordNames(t *testing.T) {
	key := dnsname.Key("202611", "lab.example.")
	if key != "202611._domainkey.lab.example." {
		t.Errorf("key at %s", key)
	}
	if s, d, ok := dnsname.SplitKey("202611._DomainKey.lab.example"); !ok || s != "202611" || d != "lab.example" {
		t.Errorf("a key of %q, selector %q, %v", d, s, ok)
	}
	policy := dnsname.Policy("lab.example")
	if policy != "_dmarc.lab.example" {
		t.Errorf("policy at %s", policy)
	}
	if d, ok := dnsname.SplitPolicy("_DMARC.lab.example."); !ok || d != "lab.example." {
		t.Errorf("a policy of %q, %v", d, ok)
	}
	consent := dnsname.ReportConsent("lab.example", "reports.example.")
	if consent != "lab.example._report._dmarc.reports.example." {
		t.Errorf("consent at %s", consent)
	}
	if a, r, ok := dnsname.SplitReportConsent(consent); !ok || a != "lab.example" || r != "reports.example." {
		t.Errorf("a consent of %q about %q, %v", r, a, ok)
	}
	for _, other := range []string{"lab.example.", "_domainkey.lab.example.", "x_dmarc.lab.example.", ""} {
		if dnsname.IsKey(other) || dnsname.IsPolicy(other) || dnsname.IsReportConsent(other) {
			t.Errorf("%q passes for the name of a record", other)
		}
	}
	if !dnsname.IsReportConsent(consent) || dnsname.IsPolicy(consent) {
		t.Error("a consent passes for a policy")
	}
}
