package zonefile_test

import (
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

func oddRecords() []state.Record {
	return append(mailRecords(),
		state.Record{Name: "any.example.", Type: "NS", TTL: 60, Value: "ns1.any.example."},
		state.Record{Name: "odd.any.example.", Type: "TXT", TTL: 60, Value: `it's "a, b"; \ # c`},
		state.Record{Name: "mail.other.example.", Type: "A", TTL: 60, Value: "192.0.2.11"},
	)
}

func check(t *testing.T, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDnsmasq(t *testing.T) {
	check(t, zonefile.Dnsmasq("any.example", oddRecords()), `# Mail records of any.example
# Addresses of the mail server
host-record=mail.any.example,192.0.2.10
host-record=mail.any.example,2001:db8::10
host-record=mail.other.example,192.0.2.11
# NS: who answers for the zone
# dnsmasq cannot say it: any.example NS ns1.any.example.
# MX: who receives mail
mx-host=any.example,mail.any.example,10
# SPF: who may send mail
txt-record=any.example,"v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 ~all"
txt-record=mail.any.example,"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"
# DKIM: the public keys that signatures are checked with
txt-record=202611._domainkey.any.example,"`+dkimValue()+`"
# DMARC: what receivers should do with mail that fails, and tell whom
txt-record=_dmarc.any.example,"v=DMARC1; p=none; rua=mailto:postmaster@any.example"
# Other records
txt-record=odd.any.example,"it's \"a, b\"; \\ # c"
`)
	long := state.Record{Name: "k.any.example.", Type: "TXT", Value: strings.Repeat("x", 1000)}
	check(t, zonefile.Dnsmasq("a\nb", []state.Record{long}), "# Mail records of a b\n# Other records\n# too long for dnsmasq, 1000 octets: k.any.example TXT\n")
}

func TestUnbound(t *testing.T) {
	key := dkimValue()
	check(t, zonefile.Unbound("any.example", origin, oddRecords()), `server:
    local-zone: "any.example." typetransparent
    local-zone: "mail.other.example." typetransparent
    # Mail records of any.example
    # Addresses of the mail server
    local-data: 'mail.any.example. 3600 IN A 192.0.2.10'
    local-data: 'mail.any.example. 3600 IN AAAA 2001:db8::10'
    local-data: 'mail.other.example. 60 IN A 192.0.2.11'
    # NS: who answers for the zone
    local-data: 'any.example. 60 IN NS ns1.any.example.'
    # MX: who receives mail
    local-data: 'any.example. 3600 IN MX 10 mail.any.example.'
    # SPF: who may send mail
    local-data: 'any.example. 3600 IN TXT "v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 ~all"'
    local-data: 'mail.any.example. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"'
    # DKIM: the public keys that signatures are checked with
    local-data: '202611._domainkey.any.example. 3600 IN TXT "`+key[:255]+`" "`+key[255:]+`"'
    # DMARC: what receivers should do with mail that fails, and tell whom
    local-data: '_dmarc.any.example. 3600 IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@any.example"'
    # Other records
    local-data: 'odd.any.example. 60 IN TXT "it\039s \"a, b\"; \\ # c"'
`)
}

func TestPowerDNS(t *testing.T) {
	key := dkimValue()
	check(t, zonefile.PowerDNS("any.example", origin, oddRecords()), `# Mail records of any.example
# Addresses of the mail server
pdnsutil add-record any.example mail A 3600 '192.0.2.10'
pdnsutil add-record any.example mail AAAA 3600 '2001:db8::10'
# not in any.example: mail.other.example. A 192.0.2.11
# NS: who answers for the zone
pdnsutil add-record any.example @ NS 60 'ns1.any.example.'
# MX: who receives mail
pdnsutil add-record any.example @ MX 3600 '10 mail.any.example.'
# SPF: who may send mail
pdnsutil add-record any.example @ TXT 3600 '"v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 ~all"'
pdnsutil add-record any.example mail TXT 3600 '"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"'
# DKIM: the public keys that signatures are checked with
pdnsutil add-record any.example 202611._domainkey TXT 3600 '"`+key[:255]+`" "`+key[255:]+`"'
# DMARC: what receivers should do with mail that fails, and tell whom
pdnsutil add-record any.example _dmarc TXT 3600 '"v=DMARC1; p=none; rua=mailto:postmaster@any.example"'
# Other records
pdnsutil add-record any.example odd TXT 60 '"it\039s \"a, b\"; \\ # c"'
pdnsutil increase-serial any.example
pdns_control purge 'any.example$'
`)
}

// FuzzFormats: whatever a record holds, it stays on its line and in its quotes.
func FuzzFormats(f *testing.F) {
	f.Add("odd.any.example.", "TXT", "it's \"a\"\n\\")
	f.Add("a\nb.", "MX", "10 'x;\r\n y")
	f.Fuzz(func(t *testing.T, name, typ, value string) {
		if strings.ContainsAny(typ, "\n\r'\"") || strings.ContainsAny(name, "'\"\\") {
			return
		}
		records := []state.Record{{Name: name, Type: typ, Value: value}}
		for _, text := range [][]byte{zonefile.Unbound("x", origin, records), zonefile.PowerDNS("x", origin, records)} {
			for line := range strings.Lines(string(text)) {
				if n := strings.Count(line, "'"); n != 0 && (n != 2 || !strings.HasSuffix(line, "'\n")) {
					t.Errorf("%q", line)
				}
			}
		}
		if n := strings.Count(string(zonefile.Dnsmasq("x", records)), "\n"); n != 3 {
			t.Errorf("%d lines", n)
		}
		if n := strings.Count(string(zonefile.PowerDNS("x", origin, records)), "\n"); n != 5 {
			t.Errorf("%d lines", n)
		}
	})
}
