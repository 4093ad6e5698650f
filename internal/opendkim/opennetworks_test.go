package opendkim

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestOpenNetworks(t *testing.T) {
	for entries, want := range map[string]string{
		"198.0.0.0/9 198.128.0.0/9 192.168.0.0/16": "198.0.0.0/9 198.128.0.0/9",

		"0.0.0.0/0":                  "0.0.0.0/0",
		"::/0 10.0.0.0/8":            "::/0",
		"0.0.0.0/0.0.0.0":            "0.0.0.0/0.0.0.0",
		"0.0.0.0/1 128.0.0.0/1":      "0.0.0.0/1 128.0.0.0/1",
		"::/1 8000::/1 192.0.2.0/24": "8000::/1 ::/1",
		"::ffff:0:0/96":              "::ffff:0:0/96",
		"198.0.0.0/8":                "198.0.0.0/8",
		"8.0.0.0/7":                  "8.0.0.0/7",
		"8.0.0.0/255.0.0.0":          "8.0.0.0/255.0.0.0",
		"2000::/3":                   "2000::/3",
		"2002::/16":                  "2002::/16",
		"*":                          "*",
		".com .example.org":          ".com",
		".":                          ".",

		"10.0.0.0/8 172.16.0.0/12 192.168.0.0/16":      "",
		"100.64.0.0/10 fc00::/7 fe80::/10":             "",
		"198.51.0.0/16 192.0.2.10 relay.example.org":   "",
		"198.0.0.0/9 198.0.0.0/10 198.51.100.0/24":     "",
		"2001:db8::/32 2001:db8:1::/48 .example.org":   "",
		"!10.0.0.1 !0.0.0.0/0 localhost 127.0.0.0/8":   "",
		"198.51.100.0/255.255.255.0 192.0.2.10/32 ::1": "",
	} {
		if got := strings.Join(OpenNetworks(strings.Fields(entries)), " "); got != want {
			t.Errorf("%s: %q, want %q", entries, got, want)
		}
	}
}

// Who may have mail signed by address is judged by how much of the Internet that is, all
// entries together, whether they overlap or not; private networks are nobody's concern.
func TestHowMuchOfTheInternetIsTrusted(t *testing.T) {
	open := 0
	for seed := range uint64(2_000) {
		r := rand.New(rand.NewPCG(seed, 1918))
		var entries []string
		var nets []netip.Prefix
		for range 1 + r.IntN(6) {
			bits := []int{4, 8, 9, 10, 12, 16, 24, 32}[r.IntN(8)]
			addr := netip.AddrFrom4([4]byte{byte(11 + r.IntN(60)), byte(r.IntN(4) * 64), byte(r.IntN(256)), byte(r.IntN(256))})
			if r.IntN(6) == 0 {
				addr = netip.AddrFrom4([4]byte{10, byte(r.IntN(256)), 0, 0}) // private
				bits = max(bits, 8)
			}
			p := netip.PrefixFrom(addr, bits)
			nets = append(nets, p.Masked())
			entries = append(entries, p.String())
		}
		entries = append(entries, "192.0.2.7", "relay.example.org", ".lab.example")
		share := 0.0 // of 2^24 addresses, each counted once
		for i, p := range nets {
			private := netip.MustParsePrefix("10.0.0.0/8").Contains(p.Addr())
			inOther := slices.ContainsFunc(nets, func(o netip.Prefix) bool { return o.Bits() < p.Bits() && o.Contains(p.Addr()) }) || slices.Contains(nets[:i], p)
			if !private && !inOther {
				share += float64(uint64(1)<<(32-p.Bits())) / (1 << 24)
			}
		}
		share += 1.0 / (1 << 24) // 192.0.2.7
		got := OpenNetworks(entries)
		if (len(got) > 0) != (share >= 1) {
			t.Fatalf("seed %d: of %q, which are %.3f of a /8, %q are too wide", seed, entries, share, got)
		}
		for _, e := range got {
			if strings.HasPrefix(e, "10.") || !slices.Contains(entries, e) {
				t.Errorf("seed %d: %q is named too wide in %q", seed, e, entries)
			}
		}
		if len(got) > 0 {
			open++
		}
	}
	if open < 300 || open > 1_700 {
		t.Errorf("%d of 2000 were too wide: they prove little", open)
	}
}
