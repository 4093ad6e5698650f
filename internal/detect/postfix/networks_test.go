package postfix

import (
	"slices"
	"testing"
)

func TestNetworks(t *testing.T) {
	prefixes, odd := Networks("127.0.0.0/8, [::ffff:127.0.0.0]/104 [::1]/128\t192.0.2.1 [2001:db8::]/32 2001:db8:1::/48,[::1] " +
		"hash:/etc/postfix/nets !10.0.0.1 /etc/nets 192.0.2.1/24 mail.example.org 10.0.0.0/33 [::1 ::1]/64")
	want := []string{"127.0.0.0/8", "::1/128", "192.0.2.1/32", "2001:db8::/32", "2001:db8:1::/48"}
	var got []string
	for _, p := range prefixes {
		got = append(got, p.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("networks %q, want %q", got, want)
	}
	wantOdd := []string{"hash:/etc/postfix/nets", "!10.0.0.1", "/etc/nets", "192.0.2.1/24", "mail.example.org", "10.0.0.0/33", "[::1", "::1]/64"}
	if !slices.Equal(odd, wantOdd) {
		t.Errorf("odd %q, want %q", odd, wantOdd)
	}
}

func FuzzNetworks(f *testing.F) {
	for _, s := range []string{"127.0.0.0/8 [::1]/128", "[::ffff:10.0.0.0]/104", "[]/0", "[[::]]/0", "::/0,!x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		prefixes, _ := Networks(s)
		for _, p := range prefixes {
			again, odd := Networks(p.String())
			if len(odd) > 0 || len(again) != 1 || again[0] != p || p != p.Masked() {
				t.Errorf("%q gave %v, which reads back as %v %q", s, p, again, odd)
			}
		}
	})
}
