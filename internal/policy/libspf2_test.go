package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/policy"
)

// addresses are n terms of a kind.
func addresses(n int, format string) (terms string) {
	for i := range n {
		terms += fmt.Sprintf(" "+format, i+1)
	}
	return terms
}

// The boundaries are those of spfquery of libspf2 1.2.10: findings/libspf2-*.sh.
func TestMisreadByLibspf2(t *testing.T) {
	for _, tt := range []struct{ name, record, want string }{
		{"usual", "v=spf1 ip4:192.0.2.10 include:a.example ~all", ""},
		{"63 addresses", "v=spf1" + addresses(63, "ip4:203.0.113.%d") + " -all", ""},
		{"64 addresses", "v=spf1" + addresses(64, "ip4:203.0.113.%d") + " -all", "nothing behind the first 64 terms is looked at"},
		{"65 addresses, and no all", "v=spf1" + addresses(65, "ip4:203.0.113.%d"), "nothing behind the first 64 terms is looked at"},
		{"26 addresses of IPv6", "v=spf1" + addresses(25, "ip6:2001:db8::%x") + " ip6:2001:db8::99", ""},
		{"27 addresses of IPv6", "v=spf1" + addresses(26, "ip6:2001:db8::%x") + " ip6:2001:db8::99", "nothing behind the first 26 terms is looked at"},
		{"redirect at the end", "v=spf1 ip4:192.0.2.10 redirect=a.example", ""},
		{"redirect in front", "v=spf1 redirect=a.example ip4:192.0.2.10", "nothing behind redirect= is looked at"},
		{"redirect beside all, for which there is Ignored", "v=spf1 redirect=a.example ip4:192.0.2.10 -all", ""},
		{"redirect, and a modifier behind", "v=spf1 ip4:192.0.2.10 redirect=a.example x-note=1", ""},
		{"some labels", "v=spf1 exists:%{d1}.x.example -all", ""},
		{"all labels", "v=spf1 exists:%{d2}.x.example -all", "%{d2} loses its first character"},
		{"all labels, reversed", "v=spf1 exists:%{D3r}.x.example -all", "%{D3r} loses its first character"},
		{"all of the address", "v=spf1 exists:%{i4}.x.example exists:%{ir}.x.example -all", "%{i4} loses its first character"},
		{"a modifier", "v=spf1 x_note=1 -all", ""},
		{"a dot in a modifier", "v=spf1 x.note=1 -all", "x.note= makes the record a permerror"},
	} {
		r, err := policy.ParseSPF(tt.record)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := strings.Join(r.MisreadByLibspf2("ex.example"), "; "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
