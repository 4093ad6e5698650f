package postfix

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestNetworks(t *testing.T) {
	for _, tt := range []struct{ value, trusted, excluded, other string }{
		{
			"127.0.0.0/8, [::ffff:127.0.0.0]/104 [::1]/128\t192.0.2.1 [2001:db8::]/32 2001:db8:1::/48,[::1] " +
				"hash:/etc/postfix/nets /etc/nets 192.0.2.1/24 mail.example.org 10.0.0.0/33 [::1 ::1]/64 !hash:/etc/not !",
			"127.0.0.0/8 ::1/128 192.0.2.1/32 2001:db8::/32 2001:db8:1::/48", "",
			"hash:/etc/postfix/nets /etc/nets 192.0.2.1/24 mail.example.org 10.0.0.0/33 [::1 ::1]/64 !hash:/etc/not !",
		},
		{"!10.0.0.1 10.0.0.0/8 ![2001:db8::7] [2001:db8::]/32", "10.0.0.0/8 2001:db8::/32", "10.0.0.1/32 2001:db8::7/128", ""},
		{"10.0.0.0/8 !10.0.0.1", "10.0.0.0/8", "", ""},                          // the first that matches counts: it is trusted
		{"!10.0.0.0/8 10.0.0.1 192.0.2.0/24", "192.0.2.0/24", "10.0.0.0/8", ""}, // and here it is not
		{"10.1.0.0/16 !10.1.2.0/24 !10.0.0.0/8 0.0.0.0/0", "10.1.0.0/16 0.0.0.0/0", "10.0.0.0/8", ""},
		{"!10.1.2.3 10.1.0.0/16, !10.0.0.0/8 !10.0.0.0/8 10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32 10.0.0.0/8", ""},
	} {
		got := Networks(tt.value)
		if texts(got.Trusted) != tt.trusted || texts(got.Excluded) != tt.excluded || strings.Join(got.Other, " ") != tt.other {
			t.Errorf("%q: trusted %s, excluded %s, other %q", tt.value, texts(got.Trusted), texts(got.Excluded), got.Other)
		}
	}
}

func texts(list []netip.Prefix) string {
	var all []string
	for _, p := range list {
		all = append(all, p.String())
	}
	return strings.Join(all, " ")
}

// FuzzNetworks compares with the way in which Postfix goes through the list.
func FuzzNetworks(f *testing.F) {
	for _, s := range []string{"127.0.0.0/8 [::1]/128", "[::ffff:10.0.0.0]/104", "[]/0", "[[::]]/0", "::/0,!x", "!10.0.0.1 10.0.0.0/8 !10.0.0.0/7", "10.1.0.0/16 !10.0.0.0/8 10.0.0.0/8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l := Networks(s)
		for _, p := range l.Trusted {
			again := Networks(p.String())
			if len(again.Other) > 0 || len(again.Trusted) != 1 || again.Trusted[0] != p || p != p.Masked() {
				t.Errorf("%q gave %v, which reads back as %+v", s, p, again)
			}
		}
		for _, p := range slices.Concat(l.Trusted, l.Excluded) {
			if got, want := longest(l, p.Addr()), first(s, p.Addr()); got != want {
				t.Errorf("%q: %v is trusted: %v, by Postfix: %v", s, p.Addr(), got, want)
			}
		}
	})
}

// first goes through the list as match_list(3) of Postfix does.
func first(value string, a netip.Addr) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\n", r) }) {
		text, not := strings.CutPrefix(word, "!")
		if p, ok := network(text); ok && p.Contains(a) {
			return !not
		}
	}
	return false
}

// longest looks an address up as OpenDKIM does.
func longest(l NetworkList, a netip.Addr) bool {
	bits, trusted := -1, false
	for i, list := range [][]netip.Prefix{l.Excluded, l.Trusted} {
		for _, p := range list {
			if p.Contains(a) && p.Bits() > bits {
				bits, trusted = p.Bits(), i == 1
			}
		}
	}
	return trusted
}
