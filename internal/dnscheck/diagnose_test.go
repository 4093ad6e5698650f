package dnscheck_test

import (
	"strings"
	"testing"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

// Public keys of 2048 and 1024 bits, made by openssl.
const (
	key2048 = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4s7t8/1076cA7DBUHJrCPViDYXmh+R9ZcroiswUNSfwbiYvmvrwYlZxIWX3LrJAwr+uEuBC8nj2w1vyUZA4QqjsxNkv22R36u1LTDmxcCoM2FsMXMu6v2EhiuXBo8jaTEE6vjyt2WyWd4h0EnlQZOai9siMOQegYwnsWOECSaj6WPk/HdEt0dwlRE/cF3/Koy/PygLCB+Tsq4VoKuTWPvXbxSaeFMH0zGnX/bS6mFi3wRtCBPkxlbASTWUWoQ6pgT+0BGkPDBunS/hSDz2Y8dIBfg1yVSr8ZF+fzzPjvEpNSCiSB226uWlFQ8qXoStQjJUEomAmsS626GeZrXOJRIwIDAQAB"
	key1024 = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCvbeGXnEg7b2FS0FupQFlfjDLKw1SEyJYZNWCU7XDJfb3qB1PqpXM675yQLqFGyt8HjLq7DAtLAXM4aLvlRZigYwWeVvZtErJ2EWUMLxoB3asf7jo6eyCihapOfMbA7/75u7pcXCZtugb7el23ejJ/KDsDCukfng0TGKB9xveRowIDAQAB"
)

const keyRecord = "v=DKIM1; h=sha256; k=rsa; p=" + key2048

func expect(name, value string) dnscheck.ExpectedRecord {
	return dnscheck.ExpectedRecord{
		Domain: "lab.example", Zone: "lab.example.", Record: record(name, "TXT", value),
		Keys: map[string]string{"202611": key2048, "202605": key1024},
	}
}

func theKey() dnscheck.ExpectedRecord { return expect("202611._domainkey.lab.example.", keyRecord) }
func theSPF() dnscheck.ExpectedRecord { return expect("lab.example.", "v=spf1 mx ip4:192.0.2.10 ~all") }

func theDMARC() dnscheck.ExpectedRecord {
	return expect("_dmarc.lab.example.", "v=DMARC1; p=none; rua=mailto:a@lab.example")
}

func inZone(e dnscheck.ExpectedRecord, zone string) dnscheck.ExpectedRecord {
	e.Zone = zone
	return e
}

func other(rtype, name, value string) dnscheck.ExpectedRecord {
	e := expect(name, value)
	e.Record.Type = rtype
	return e
}

// TestDiagnoseValue: what people do to a value on its way into a web form or a
// zone file, one text served at the right name.
func TestDiagnoseValue(t *testing.T) {
	const plain = "enter the bare value: mailsetup dns lab.example --format plain"
	const ours = "put ours in its place: mailsetup dns lab.example"
	const whole = "enter all of it; where a form takes 255 octets at a time, several strings in quotes, as mailsetup dns lab.example prints them"
	const quoted = "in a zone file the value stands in quotes: mailsetup dns lab.example"
	for _, c := range []struct {
		name         string
		e            dnscheck.ExpectedRecord
		got          string
		fault        dnsclient.Fault
		text, remedy string
	}{
		{"as it should be", theKey(), keyRecord, dnsclient.OK, "", ""},
		{"the least of a key record", theKey(), "p=" + key2048, dnsclient.OK, "", ""},
		{"tags in another order, testing", theKey(), "v=DKIM1;t=y;p=" + key2048 + ";k=rsa;", dnsclient.OK, "", ""},
		{"cut at 255", theKey(), keyRecord[:255], dnscheck.Truncated, "the value is cut after 255 of 420 octets", whole},
		{"cut in the key of another spelling", theKey(), "v=DKIM1; k=rsa; p=" + key2048[:200], dnscheck.Truncated, "the key is cut after 200 of 392 characters", whole},
		{"only the second string", theKey(), keyRecord[255:], dnscheck.Truncated, "only the last 165 of 420 octets of the value are there", whole},
		{"cut SPF", theSPF(), "v=spf1 mx ip4:192.0.2", dnscheck.Truncated, "the value is cut after 21 of 29 octets", whole},
		{"quotes", theKey(), `"` + keyRecord + `"`, dnscheck.Quotes, "quotation marks are in the value", plain},
		{"quotes of two strings", theKey(), `"` + keyRecord[:255] + `" "` + keyRecord[255:] + `"`, dnscheck.Quotes, "quotation marks are in the value", plain},
		{"typographic quotes", theDMARC(), "“v=DMARC1; p=none; rua=mailto:a@lab.example”", dnscheck.Quotes, "quotation marks are in the value", plain},
		{"quoted SPF", theSPF(), `"v=spf1 mx ip4:192.0.2.10 ~all"`, dnscheck.Quotes, "quotation marks are in the value", plain},
		{"parentheses", theKey(), `( "` + keyRecord[:255] + `"` + "\n\t" + `"` + keyRecord[255:] + `" )`, dnscheck.Parentheses, "the parentheses of a zone file are in the value", plain},
		{"backslashes", theKey(), strings.ReplaceAll(keyRecord, ";", `\;`), dnscheck.Backslashes, "backslashes are in the value", plain},
		{"strings joined by a space", theKey(), keyRecord[:255] + " " + keyRecord[255:], dnscheck.Space, "white space is in the key, after 227 of its 392 characters", plain},
		{"a line break in the key", theKey(), keyRecord[:100] + "\n" + keyRecord[100:], dnscheck.Space, "white space is in the key, after 72 of its 392 characters", plain},
		{"without quotes in a zone file", theKey(), "v=DKIM1", dnscheck.Unquoted, "the value ends at its first semicolon, where a comment begins in a zone file", quoted},
		{"DMARC without quotes", theDMARC(), "v=DMARC1", dnscheck.Unquoted, "the value ends at its first semicolon, where a comment begins in a zone file", quoted},
		{"SPF without quotes", theSPF(), "v=spf1mxip4:192.0.2.10~all", dnscheck.Unquoted, "the spaces of the value are gone", quoted},
		{"small letters", theKey(), strings.ToLower(keyRecord), dnscheck.Case, "capitals became small letters or the reverse, which makes another key", plain},
		{"key of another selector", theKey(), "v=DKIM1; k=rsa; p=" + key1024, dnscheck.OtherKey, "the key of the selector 202605 is there", ours},
		{"key of somebody else", theKey(), "v=DKIM1; k=rsa; p=" + key1024[:160] + "AAAA", dnscheck.OtherKey, "another key is there, so no signature of this server verifies", ours},
		{"revoked", theKey(), "v=DKIM1; p=", dnscheck.Revoked, "the key is revoked there: p= is empty", ours},
		{"another hash", theKey(), "v=DKIM1; h=sha1; p=" + key2048, dnscheck.Damaged, "h=sha1 leaves out sha256, which this server signs with", ours},
		{"another kind", theKey(), "v=DKIM1; k=ed25519; p=" + key2048, dnscheck.Damaged, "k=ed25519 says that the key is of another kind than rsa", ours},
		{"another service", theKey(), "v=DKIM1; s=tlsrpt; p=" + key2048, dnscheck.Damaged, "s=tlsrpt leaves out email", ours},
		{"a tag twice", theKey(), keyRecord + "; k=rsa", dnscheck.Damaged, "receivers do not read the record: tag k= given twice", ours},
		{"no key at all", theKey(), "v=spf1 -all", dnscheck.Different, `another value: "v=spf1 -all"`, ours},
		{"revocation that is wanted", expect("old._domainkey.lab.example.", "v=DKIM1; h=sha256; k=rsa; p="), "v=DKIM1; p=", dnsclient.OK, "", ""},
		{"SPF that says more", theSPF(), "v=spf1 MX include:_spf.vendor.example ip4:192.0.2.0/28 ~all", dnsclient.OK, "", ""},
		{"SPF that says less", theSPF(), "v=spf1 mx -all", dnscheck.Different, `another value, which lacks ip4:192.0.2.10, ~all: "v=spf1 mx -all"`, ours},
		{"SPF with a mistake", theSPF(), "v=spf1 mx ipv4:192.0.2.10 ~all", dnscheck.Damaged, `receivers do not read the SPF record there: "ipv4:192.0.2.10": SPF has no such mechanism`, ours},
		{"DMARC that says more", theDMARC(), "v=DMARC1;p=none;fo=1;rua=mailto:b@lab.example,mailto:a@lab.example", dnsclient.OK, "", ""},
		{"DMARC without the last tag", theDMARC(), "v=DMARC1; p=none", dnscheck.Different, `another value, which lacks rua=mailto:a@lab.example: "v=DMARC1; p=none"`, ours},
		{"DMARC without the last tag, closed", theDMARC(), "v=DMARC1; p=none;", dnscheck.Different, `another value, which lacks rua=mailto:a@lab.example: "v=DMARC1; p=none;"`, ours},
		{"cut DMARC", theDMARC(), "v=DMARC1; p=none; rua=mailto:a@la", dnscheck.Truncated, "the value is cut after 33 of 42 octets", whole},
		{"DMARC that says less", theDMARC(), "v=DMARC1; p=reject", dnscheck.Different, `another value, which lacks p=none, rua=mailto:a@lab.example: "v=DMARC1; p=reject"`, ours},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := dnscheck.Diagnose(c.e, dnscheck.Answer{Records: []state.Record{record(c.e.Record.Name, "TXT", c.got)}})
			if want := (dnsclient.Finding{Fault: c.fault, Text: c.text, Remedy: c.remedy}); found != want {
				t.Errorf("%q\ngot  %+v\nwant %+v", c.got, found, want)
			}
		})
	}
}

// TestDiagnosePlace: nothing at the name, or too much.
func TestDiagnosePlace(t *testing.T) {
	txt := func(values ...string) (list []state.Record) {
		for _, v := range values {
			list = append(list, record("x.", "TXT", v))
		}
		return list
	}
	at := func(name, value string) map[string][]state.Record {
		return map[string][]state.Record{name: {record(name, "TXT", value)}}
	}
	alias := record("x.", "CNAME", "elsewhere.example.")
	sub := theKey()
	sub.Domain, sub.Record.Name = "sub.lab.example", "202611._domainkey.sub.lab.example."
	for _, c := range []struct {
		name         string
		e            dnscheck.ExpectedRecord
		s            dnscheck.Answer
		fault        dnsclient.Fault
		text, remedy string
	}{
		{"missing", theKey(), dnscheck.Answer{}, dnscheck.Missing, "missing", "publish it: mailsetup dns lab.example"},
		{"SPF missing among other texts", theSPF(), dnscheck.Answer{Records: txt("site-verification=1")}, dnscheck.Missing, "missing", "publish it: mailsetup dns lab.example"},
		{"SPF beside other texts", theSPF(), dnscheck.Answer{Records: txt("site-verification=1", "v=spf1 mx ip4:192.0.2.10 ~all")}, dnsclient.OK, "", ""},
		{
			"doubled", theKey(),
			dnscheck.Answer{Elsewhere: at("202611._domainkey.lab.example.lab.example.", keyRecord)},
			dnscheck.DomainAppended,
			"nothing there, but 202611._domainkey.lab.example.lab.example has it: the domain was added to a name that had it already",
			"enter the name as 202611._domainkey",
		},
		{
			"doubled and cut", theKey(),
			dnscheck.Answer{Elsewhere: at("202611._domainkey.lab.example.lab.example.", keyRecord[:255])},
			dnscheck.DomainAppended,
			"nothing there, but 202611._domainkey.lab.example.lab.example has it: the domain was added to a name that had it already",
			"enter the name as 202611._domainkey",
		},
		{
			"SPF doubled", theSPF(),
			dnscheck.Answer{Elsewhere: at("lab.example.lab.example.", "v=spf1 mx ip4:192.0.2.10 ~all")},
			dnscheck.DomainAppended,
			"nothing there, but lab.example.lab.example has it: the domain was added to a name that had it already",
			"enter the name as @",
		},
		{
			"another selector", theKey(),
			dnscheck.Answer{Elsewhere: at("mail._domainkey.lab.example.", "v=DKIM1; p="+key2048)},
			dnscheck.Misplaced,
			"nothing there, but mail._domainkey.lab.example has it", "rename that record to 202611._domainkey (in full: 202611._domainkey.lab.example)",
		},
		{
			"below the zone", sub,
			dnscheck.Answer{Elsewhere: at("202611._domainkey.lab.example.", keyRecord)},
			dnscheck.Misplaced,
			"nothing there, but 202611._domainkey.lab.example has it", "rename that record to 202611._domainkey.sub (in full: 202611._domainkey.sub.lab.example)",
		},
		{"another key under another selector", theKey(), dnscheck.Answer{Elsewhere: at("202605._domainkey.lab.example.", "v=DKIM1; p="+key1024)}, dnscheck.Missing, "missing", "publish it: mailsetup dns lab.example"},
		{
			"no underscore", theDMARC(),
			dnscheck.Answer{Elsewhere: at("dmarc.lab.example.", "v=DMARC1; p=none; rua=mailto:a@lab.example")},
			dnscheck.Misplaced,
			"nothing there, but dmarc.lab.example has it", "rename that record to _dmarc (in full: _dmarc.lab.example)",
		},
		{
			"two keys", theKey(),
			dnscheck.Answer{Records: txt(keyRecord, "v=DKIM1; p=AAAA")},
			dnscheck.Duplicate,
			`a second record beside ours, and receivers then see none: "v=DKIM1; p=AAAA"`, "take the other one out",
		},
		{
			"two records of half a key", theKey(),
			dnscheck.Answer{Records: txt(keyRecord[255:], keyRecord[:255])},
			dnscheck.Duplicate,
			"the value is spread over two records instead of two strings of one", "one record: mailsetup dns lab.example --format zone",
		},
		{
			"two SPF records", theSPF(),
			dnscheck.Answer{Records: txt("v=spf1 a -all", "v=spf1 mx ip4:192.0.2.10 ~all")},
			dnscheck.Duplicate,
			`a second record beside ours, and receivers take two for an error: "v=spf1 a -all"`, "take the other one out",
		},
		{
			"two SPF records of others", theSPF(),
			dnscheck.Answer{Records: txt("v=spf1 a -all", "v=spf1 -all")},
			dnscheck.Duplicate,
			`2 SPF records where one is allowed, and none is right: "v=spf1 -all", "v=spf1 a -all"`, "take them out and publish it: mailsetup dns lab.example",
		},
		{
			"an alias to nothing", theKey(),
			dnscheck.Answer{Records: []state.Record{alias}},
			dnscheck.Alias,
			"the name is an alias (CNAME) of elsewhere.example, which has no such record",
			"take the CNAME at 202611._domainkey.lab.example out and put the record there: nothing can stand beside a CNAME",
		},
		{
			"an alias to another key", theKey(),
			dnscheck.Answer{Records: append([]state.Record{alias}, txt("v=DKIM1; p="+key1024)...)},
			dnscheck.Alias,
			"the name is an alias (CNAME) of elsewhere.example, which says something else",
			"take the CNAME at 202611._domainkey.lab.example out and put the record there: nothing can stand beside a CNAME",
		},
		{"an alias to the record", theDMARC(), dnscheck.Answer{Records: append([]state.Record{alias}, txt("v=DMARC1; p=none; rua=mailto:a@lab.example")...)}, dnsclient.OK, "", ""},
		{"an address among others", other("A", "mail.lab.example.", "192.0.2.10"), dnscheck.Answer{Records: []state.Record{record("MAIL.lab.example.", "A", "192.0.2.11"), record("mail.lab.example.", "A", "192.0.2.10")}}, dnsclient.OK, "", ""},
		{
			"another address", other("A", "mail.lab.example.", "192.0.2.10"),
			dnscheck.Answer{Records: []state.Record{record("mail.lab.example.", "A", "192.0.2.11")}},
			dnscheck.Different,
			`another value: "192.0.2.11"`, "put ours in its place: mailsetup dns lab.example",
		},
		{
			"an address of a proxy", other("A", "mail.lab.example.", "192.0.2.10"),
			dnscheck.Answer{Records: []state.Record{record("mail.lab.example.", "A", "104.21.3.4"), record("mail.lab.example.", "A", "172.67.1.2")}},
			dnscheck.Different,
			"the address 104.21.3.4 of Cloudflare's proxy is there, which takes no mail", `have mail.lab.example as "DNS only" there, without the proxy`,
		},
		{
			"a zone of its own", inZone(theKey(), "_domainkey.lab.example."),
			dnscheck.Answer{},
			dnscheck.Missing,
			"missing: _domainkey.lab.example is a zone of its own, so that nothing counts that the zone above has there",
			"publish it in the zone _domainkey.lab.example, as 202611, or take the NS records of _domainkey.lab.example out of the zone above: mailsetup dns lab.example --format paste",
		},
		{"a zone above", inZone(theKey(), "example."), dnscheck.Answer{}, dnscheck.Missing, "missing", "publish it: mailsetup dns lab.example"},
		{"another preference", other("MX", "lab.example.", "10 mail.lab.example."), dnscheck.Answer{Records: []state.Record{record("lab.example.", "MX", "5 Mail.lab.example.")}}, dnsclient.OK, "", ""},
		{
			"an old copy", theKey(),
			dnscheck.Answer{Serial: 7, CorrectSerial: 8, CorrectServer: "ns1.lab.example"},
			dnscheck.OldCopy,
			"an old copy of the zone: its serial is 7, and ns1.lab.example has 8 (missing)", "see why the transfer fails; there, with BIND: rndc retransfer lab.example",
		},
		{
			"the same serial", theDMARC(),
			dnscheck.Answer{Records: txt("v=DMARC1; p=reject; rua=mailto:a@lab.example"), Serial: 8, CorrectSerial: 8, CorrectServer: "ns1.lab.example"},
			dnscheck.OldCopy,
			`another content than at ns1.lab.example under the same serial 8 (another value, which lacks p=none: "v=DMARC1; p=reject; rua=mailto:a@lab.example")`,
			"raise the serial of the zone on its primary server and reload it",
		},
		{
			"serials of their own", theKey(),
			dnscheck.Answer{Serial: 9, CorrectServer: "ns1.lab.example"},
			dnscheck.Missing,
			"missing; ns1.lab.example has it right", "publish it: mailsetup dns lab.example",
		},
		{"an old serial where all is right", theDMARC(), dnscheck.Answer{Records: txt("v=DMARC1; p=none; rua=mailto:a@lab.example"), Serial: 7, CorrectSerial: 8, CorrectServer: "ns1.lab.example"}, dnsclient.OK, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := dnscheck.Diagnose(c.e, c.s)
			if want := (dnsclient.Finding{Fault: c.fault, Text: c.text, Remedy: c.remedy}); found != want {
				t.Errorf("got  %+v\nwant %+v", found, want)
			}
		})
	}
}

// Where mailsetup publishes, its own command is the remedy; elsewhere the record
// is printed.
func TestRemedyOfAMissingRecord(t *testing.T) {
	for ours, want := range map[bool]string{
		true:  "missing: publish it: mailsetup init --yes",
		false: "missing: publish it: mailsetup dns lab.example",
	} {
		e := theSPF()
		e.PublishedByUs = ours
		f := dnscheck.Diagnose(e, dnscheck.Answer{})
		if got := f.Text + ": " + f.Remedy; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	e := theSPF()
	e.PublishedByUs = true
	other := e.Record
	other.Value = "v=spf1 -all"
	if got := dnscheck.Diagnose(e, dnscheck.Answer{Records: []state.Record{other}}).Remedy; got != "put ours in its place: mailsetup init" {
		t.Error(got)
	}
}
