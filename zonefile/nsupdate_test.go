package zonefile_test

import (
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

func TestNsupdate(t *testing.T) {
	key := dkimValue()
	old := []state.Record{{Name: "any.example.", Type: "TXT", TTL: 60, Value: `v=spf1 "old" -all`}}
	check(t, zonefile.Nsupdate("any.example", origin, "ns1.any.example", oddRecords(), old), `; Mail records of any.example
server ns1.any.example
zone any.example.
update delete any.example. IN TXT "v=spf1 \"old\" -all"
; Addresses of the mail server
update add mail.any.example. 3600 IN A 192.0.2.10
update add mail.any.example. 3600 IN AAAA 2001:db8::10
; NS: who answers for the zone
update add any.example. 60 IN NS ns1.any.example.
; MX: who receives mail
update add any.example. 3600 IN MX 10 mail.any.example.
; SPF: who may send mail
update add any.example. 3600 IN TXT "v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 ~all"
update add mail.any.example. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"
; DKIM: the public keys that signatures are checked with
update add 202611._domainkey.any.example. 3600 IN TXT "`+key[:255]+`" "`+key[255:]+`"
; DMARC: what receivers should do with mail that fails, and tell whom
update add _dmarc.any.example. 3600 IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@any.example"
; Other records
update add odd.any.example. 60 IN TXT "it's \"a, b\"; \\ # c"
send
`)
	check(t, zonefile.Nsupdate("a\nb", origin, "", nil, nil), "; Mail records of a b\nzone any.example.\nsend\n")
}

func TestPlain(t *testing.T) {
	records := []state.Record{
		{Name: "mail.other.example.", Type: "A", Value: "192.0.2.11"},
		{Name: "any.example.", Type: "MX", Value: "10 mail.any.example."},
		{Name: "_dmarc.any.example.", Type: "TXT", Value: "v=DMARC1; p=none"},
	}
	const want = "mail.other.example.  A     192.0.2.11\n@                    MX    10 mail.any.example.\n_dmarc               TXT   v=DMARC1; p=none\n"
	if got := zonefile.Plain(records, origin); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := zonefile.Plain(nil, origin); strings.TrimSpace(got) != "" {
		t.Errorf("%q", got)
	}
}
