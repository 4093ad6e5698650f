package syntax

import (
	"fmt"
	"strings"
	"testing"
)

// words runs a validator over good values and their normal forms, "" for those
// that must be refused.
func words[T any](t *testing.T, parse func(string) (T, error), cases map[string]string) {
	t.Helper()
	for given, want := range cases {
		got, err := parse(given)
		if want == "" {
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: accepted as %v, or not one line: %v", given, got, err)
			}
			continue
		}
		if text := fmt.Sprint(got); err != nil || text != want {
			t.Errorf("%q: %s, %v, want %s", given, text, err, want)
		}
	}
}

func TestAddress(t *testing.T) {
	for given, want := range map[string]string{
		"192.0.2.25": "192.0.2.25", " 203.0.113.9\n": "203.0.113.9", "198.51.100.1": "198.51.100.1", "100.128.0.1": "100.128.0.1",
		"2001:DB8::25": "2001:db8::25", "[2001:db8::25]": "2001:db8::25", "3fff::1": "3fff::1", "::ffff:192.0.2.25": "192.0.2.25",
	} {
		got, err := Address(given)
		if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v, want %s", given, got, err, want)
		}
	}
	for given, why := range map[string]string{
		"": "no IP address", "mail.shop.example": "no IP address", "192.0.2": "no IP address", "192.0.2.256": "no IP address",
		"192.0.2.025": "no IP address", "192.0.2.0/24": "is a network", "192.0.2.1:25": "no IP address", "192.0.2.1\n192.0.2.2": "no IP address",
		"10.1.2.3": "private", "172.31.0.1": "private", "192.168.0.1": "private", "fd00::1": "private", "::ffff:10.0.0.1": "private",
		"127.0.0.1": "loopback", "127.1.2.3": "loopback", "::1": "loopback", "0.0.0.0": "unspecified", "::": "unspecified",
		"169.254.1.1": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "zone", "2001:db8::1%x": "zone",
		"224.0.0.1": "multicast", "ff02::1": "multicast", "255.255.255.255": "reserved", "0.1.2.3": "reserved", "192.0.0.8": "reserved",
		"100.64.0.1": "RFC 6598", "100.127.255.255": "RFC 6598", "64:ff9b::1": "global unicast", "fec0::1": "global unicast",
	} {
		got, err := Address(given)
		text := ""
		if got.IsValid() {
			text = got.String()
		}
		checkBad(t, given, text, err, why)
	}
}

func TestMailAddress(t *testing.T) {
	local := strings.Repeat("l", 64)
	words(t, MailAddress, map[string]string{
		"alice@shop.example": "alice@shop.example", " Alice.B+c@Shop.Example. ": "Alice.B+c@shop.example", "o'brien@shop.example": "o'brien@shop.example",
		"a@münchen.example": "a@xn--mnchen-3ya.example", local + "@shop.example": local + "@shop.example",
		"": "", "alice": "", "@shop.example": "", "alice@": "", "alice@shop": "", "alice@localhost": "", "a@b@shop.example": "", "alice@[192.0.2.1]": "",
		"|/bin/sh@shop.example": "", "/dev/null@shop.example": "", ":include:/etc/passwd@shop.example": "", `"a b"@shop.example`: "",
		"a b@shop.example": "", "a,b@shop.example": "", "a;b@shop.example": "", "a%b@shop.example": "", "a!b@shop.example": "", "a\n@shop.example": "",
		".a@shop.example": "", "a.@shop.example": "", "a..b@shop.example": "", "-a@shop.example": "", "ü@shop.example": "", "a@shop.example, b@shop.example": "",
		local + "l@shop.example": "", local + "@" + name253(): "", "Alice <alice@shop.example>": "", "root:x@shop.example": "", `a\@shop.example`: "",
	})
}

func TestReport(t *testing.T) {
	words(t, Report, map[string]string{
		"dmarc@shop.example": "mailto:dmarc@shop.example", "MAILTO:D@Shop.Example": "mailto:D@shop.example", " mailto:d+x@shop.example ": "mailto:d+x@shop.example",
		"": "", "mailto:": "", "https://shop.example/r": "", "mailto:a@shop.example!10m": "", "a@shop.example!10m": "", "a@shop.example,b@shop.example": "",
		"mailto:a@shop.example?subject=x": "", "mailto:a b@shop.example": "", "a@shop.example;p=none": "", "mailto:mailto:a@shop.example": "", "a%40b@shop.example": "",
	})
	_, err := Report("a@shop.example,b@shop.example")
	checkBad(t, "two", "", err, "more than one address")
	_, err = Report("a@shop.example!5m")
	checkBad(t, "size", "", err, "RFC 9989")
}

func TestBadValueText(t *testing.T) {
	_, err := Hostname("mail\x1b[2J.shop.example\n")
	const want = `hostname "mail\x1b[2J.shop.example\n" has '\x1b', only letters, digits, hyphens and dots are allowed; hint: a name such as mail.example.org`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestUpdates(t *testing.T) {
	words(t, UpdateServer, map[string]string{
		"192.0.2.53": "192.0.2.53", "NS1.Shop.example.": "ns1.shop.example", "ns1.shop.example:53": "ns1.shop.example",
		"[2001:db8::53]:5353": "[2001:db8::53]:5353", "2001:DB8::53": "2001:db8::53", "127.0.0.1:5300": "127.0.0.1:5300",
		"": "", "ns1": "", "ns1.shop.example:0": "", "ns1.shop.example:x": "", "dns://ns1.shop.example": "", "a b.example": "",
	})
	words(t, UpdateKey, map[string]string{
		"/etc/mailsetup/tsig.key": "/etc/mailsetup/tsig.key", " /run/named/../named/x ": "", "/a//b": "/a/b",
		"tsig.key": "", "": "", "/etc/a\nb": "",
	})
}

func TestSender(t *testing.T) {
	words(t, Sender, map[string]string{
		"Shop.example": "shop.example", ".shop.example.": ".shop.example", "Ann@Shop.example": "ann@shop.example",
		"*": "*", "Ann@*": "ann@*", "ann@.Shop.example": "ann@.shop.example",
		"": "", "*.shop.example": "", "ann@*.shop.example": "", "ann x@*": "", "*@shop.example": "", "@shop.example": "", "ann@": "", "..shop.example": "", "a b@shop.example": "", "shop": "",
	})
}

func TestSigning(t *testing.T) {
	words(t, Identity, map[string]string{
		".Shop.example  @shop.example": ".shop.example @shop.example", "ann@shop.example %": "ann@shop.example %",
		"": "", "shop.example": "", "shop @shop": "", "shop.example @shop.example x": "", "shop.example #": "",
	})
	words(t, Trusted, map[string]string{
		" 192.0.2.0/24": "192.0.2.0/24", "!relay.shop.example": "!relay.shop.example", ".shop.example": ".shop.example",
		"": "", "a b": "", "#a": "", "ä.example": "",
	})
	words(t, OpenDKIMLine, map[string]string{
		"Canonicalization  simple/simple ": "Canonicalization simple/simple", "OversignHeaders": "OversignHeaders", "On-BadSignature reject": "On-BadSignature reject",
		"": "", "KeyTable /x": "", "userid root": "", "A#b c": "", "LogWhy no # x": "", "X y\nSocket z": "",
	})
}
