//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
	"mailsetup/zonefile"
)

// keyRecords are texts at a selector; {P} stands for the key that signs, {P1} and {P2}
// for its parts, {Q} for another key, {R} for the one that signs as RSAPublicKey.
var keyRecords = []struct {
	name  string
	texts []string
	// verifies: by RFC 6376 a receiver can use the record.
	verifies bool
	// others are the programs that see it otherwise: T is opendkim-testkey, D dkimpy, P
	// Mail::DKIM.
	others string
}{
	{"ours", []string{"v=DKIM1; h=sha256; k=rsa; p={P}"}, true, ""},
	{"the least", []string{"p={P}"}, true, ""},
	{"without a version", []string{"k=rsa; p={P}"}, true, ""},
	{"no blanks, a semicolon at the end", []string{"v=DKIM1;k=rsa;p={P};"}, true, ""},
	{"blanks around =", []string{"v=DKIM1 ; k = rsa ; p = {P}"}, true, ""},
	{"two hashes", []string{"v=DKIM1; h=sha1:sha256; p={P}"}, true, ""},
	{"sha1 alone", []string{"v=DKIM1; h=sha1; p={P}"}, false, "TD"},
	{"h in capitals", []string{"v=DKIM1; h=SHA256; p={P}"}, false, "TD"},
	{"an algorithm in h", []string{"v=DKIM1; h=rsa-sha256; p={P}"}, false, "D"},
	{"k in capitals", []string{"v=DKIM1; k=RSA; p={P}"}, false, "T"},
	{"k=ed25519", []string{"v=DKIM1; k=ed25519; p={P}"}, false, "T"},
	{"a version in small letters", []string{"v=dkim1; p={P}"}, false, ""},
	{"the version last", []string{"p={P}; v=DKIM1"}, false, "TDP"},
	{"for email", []string{"v=DKIM1; s=email; p={P}"}, true, ""},
	{"for everything", []string{"v=DKIM1; s=*; p={P}"}, true, ""},
	{"for reports only", []string{"v=DKIM1; s=tlsrpt; p={P}"}, false, ""},
	{"for email and reports", []string{"v=DKIM1; s=email:tlsrpt; p={P}"}, true, "D"},
	{"testing", []string{"v=DKIM1; t=y; p={P}"}, true, ""},
	{"no subdomains", []string{"v=DKIM1; t=s; p={P}"}, true, ""},
	{"g=*", []string{"v=DKIM1; g=*; p={P}"}, true, ""},
	{"g empty", []string{"v=DKIM1; g=; p={P}"}, true, "P"},
	{"a note", []string{"v=DKIM1; n=hello=20world; p={P}"}, true, ""},
	{"an unknown tag", []string{"v=DKIM1; x=y; p={P}"}, true, ""},
	{"a tag in capitals, so unknown", []string{"v=DKIM1; K=foo; p={P}"}, true, ""},
	{"junk", []string{"v=DKIM1; junk; p={P}"}, false, ""},
	{"two semicolons", []string{"v=DKIM1;; p={P}"}, false, "P"},
	{"p twice", []string{"v=DKIM1; p={P}; p={P}"}, false, "TP"},
	{"a blank in p", []string{"v=DKIM1; p={P1} {P2}"}, true, ""},
	{"a TAB in p", []string{"v=DKIM1; p={P1}\t{P2}"}, true, ""},
	{"a line break in p", []string{"v=DKIM1; p={P1}\n{P2}"}, false, "TDP"},
	{"revoked", []string{"v=DKIM1; p="}, false, ""},
	{"another key", []string{"v=DKIM1; p={Q}"}, false, ""},
	{"RSAPublicKey", []string{"v=DKIM1; p={R}"}, true, "TP"},
	{"quotes", []string{`"v=DKIM1; k=rsa; p={P}"`}, false, "P"},
	{"backslashes", []string{`v=DKIM1\; k=rsa\; p={P}`}, false, ""},
	{"two records", []string{"v=DKIM1; p={P}", "v=DKIM1; p={Q}"}, false, ""},
	{"nothing", nil, false, ""},
}

// policyRecords are texts at _dmarc.
var policyRecords = []struct {
	name  string
	texts []string
	// applies is the policy by RFC 9989, "" for none at all; opendmarc is what
	// opendmarc-check says.
	applies, opendmarc string
}{
	{"none", []string{"v=DMARC1; p=none"}, "none", "none"},
	{"reject", []string{"v=DMARC1; p=reject"}, "reject", "reject"},
	{"no blanks", []string{"v=DMARC1;p=quarantine;"}, "quarantine", "quarantine"},
	{"capitals", []string{"v=DMARC1; p=Reject"}, "reject", "reject"},
	{"blanks around =", []string{"v = DMARC1 ; p = reject"}, "reject", ""},
	{"blanks around = of p", []string{"v=DMARC1 ; p = reject"}, "reject", "reject"},
	{"a capital v", []string{"V=DMARC1; p=reject"}, "reject", ""},
	{"no p, reports", []string{"v=DMARC1; rua=mailto:a@lab.example"}, "none", ""},
	{"a slip in p, reports", []string{"v=DMARC1; p=rejct; rua=mailto:a@lab.example"}, "none", ""},
	{"a slip in sp, reports", []string{"v=DMARC1; p=reject; sp=foo; rua=mailto:a@lab.example"}, "none", ""},
	{"pct=0", []string{"v=DMARC1; p=reject; pct=0"}, "reject", "reject"},
	{"pct is no number", []string{"v=DMARC1; p=reject; pct=abc"}, "reject", "reject"},
	{"under test", []string{"v=DMARC1; p=reject; t=y"}, "reject", "reject"},
	{"non-existent subdomains", []string{"v=DMARC1; p=none; np=reject"}, "none", "none"},
	{"junk", []string{"v=DMARC1; junk; p=reject"}, "reject", "reject"},
	{"a word for a letter", []string{"v=DMARC1; p=reject; adkim=strict"}, "reject", "reject"},
	{"what is gone", []string{"v=DMARC1; p=reject; ri=0; rf=iodef; fo=1:d"}, "reject", "reject"},
	{"p last", []string{"v=DMARC1; rua=mailto:a@lab.example; p=reject"}, "reject", "reject"},
	{"a blank in front", []string{" v=DMARC1; p=reject"}, "", "reject"},
	{"small letters", []string{"v=dmarc1; p=reject"}, "", ""},
	{"the version last", []string{"p=reject; v=DMARC1"}, "", "reject"},
	{"no semicolon", []string{"v=DMARC1 p=reject"}, "", ""},
	{"quotes", []string{`"v=DMARC1; p=reject"`}, "", ""},
	{"two records", []string{"v=DMARC1; p=reject", "v=DMARC1; p=reject; pct=100"}, "", "reject"},
	{"another text alone", []string{"hello"}, "", ""},
	{"nothing", nil, "", ""},
}

// txtLine is a TXT record of a zone file.
func txtLine(name, text string) string {
	var parts []string
	for _, s := range zonefile.SplitTXT(text) {
		parts = append(parts, `"`+zonefile.Escape(s)+`"`)
	}
	return name + " IN TXT " + strings.Join(parts, " ")
}

// signers sign a message of each domain with python3-dkim, and have it verified by that
// and by Mail::DKIM.
const dkimJudges = `
import dkim, json, subprocess, sys
key = open("/root/p.pem", "rb").read()
said = {}
for d in sys.argv[1:]:
    text = b"From: ann@%s\r\nTo: bob@remote.example\r\nSubject: x\r\nDate: Mon, 30 Nov 2026 10:00:00 +0000\r\nMessage-ID: <x@lab.example>\r\n\r\nhello\r\n" % d.encode()
    signed = dkim.sign(text, b"s", d.encode(), key, include_headers=[b"From", b"To", b"Subject"]) + text
    try: python = dkim.verify(signed)
    except Exception as e: python = False
    perl = subprocess.run(["perl", "-MMail::DKIM::Verifier", "-e", "$v = Mail::DKIM::Verifier->new; local $/; $v->PRINT(<STDIN>); $v->CLOSE; print $v->result_detail"], input=signed, capture_output=True)
    testkey = subprocess.run(["opendkim-testkey", "-x", "/root/testkey.conf", "-d", d, "-s", "s", "-k", "/root/p.pem"], capture_output=True)
    said[d] = {"T": testkey.returncode == 0, "D": python, "P": perl.stdout == b"pass"}
print(json.dumps(said))
`

// TestRecordsAsVerifiersSay: our verdict about a key record and a policy agrees with the
// RFC, and what Debian's verifiers say is noted beside it.
func TestRecordsAsVerifiersSay(t *testing.T) {
	once(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10/32"}})
		recordsAsVerifiersSay(t, b)
	})
}

func recordsAsVerifiersSay(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "openssl genrsa -out /root/p.pem 2048 2>/dev/null; openssl genrsa -out /root/q.pem 2048 2>/dev/null")
	base64 := func(args string) string {
		return strings.TrimSpace(b.Sh(t, "openssl rsa "+args+" -outform DER 2>/dev/null | base64 -w0"))
	}
	p := base64("-in /root/p.pem -pubout")
	keys := strings.NewReplacer("{P}", p, "{P1}", p[:100], "{P2}", p[100:], "{Q}", base64("-in /root/q.pem -pubout"), "{R}", base64("-in /root/p.pem -RSAPublicKey_out"))
	var lines, signing, table, domains []string
	for i, r := range keyRecords {
		d := fmt.Sprintf("k%d", i)
		for _, text := range r.texts {
			lines = append(lines, txtLine("s._domainkey."+d, keys.Replace(text)))
		}
		d += ".lab.example"
		domains = append(domains, d)
		table = append(table, d+" "+d+":s:/root/p.pem")
		signing = append(signing, "*@"+d+" "+d)
	}
	for i, r := range policyRecords {
		d := fmt.Sprintf("m%d", i)
		for _, text := range r.texts {
			lines = append(lines, txtLine("_dmarc."+d, text))
		}
	}
	b.Named(t, "lab.example", lines...)
	b.Install(t)
	b.Apt(t, "libmail-dkim-perl", "opendmarc")
	b.Write(t, "/etc/opendkim.conf", "KeyTable /etc/keytable\nSigningTable refile:/etc/signingtable\nSocket local:/run/opendkim/opendkim.sock\n", 0o644)
	b.Write(t, "/etc/keytable", strings.Join(table, "\n")+"\n", 0o644)
	b.Write(t, "/etc/signingtable", strings.Join(signing, "\n")+"\n", 0o644)
	b.Write(t, "/root/testkey.conf", "Nameservers 127.0.0.1\n", 0o644)

	var said map[string]map[string]bool
	if err := json.Unmarshal([]byte(b.Run(t, append([]string{"python3", "-c", dkimJudges}, domains...)...)), &said); err != nil {
		t.Fatal(err)
	}
	found, _ := check(t, b, append([]string{"--only", "dkim"}, domains...)...)
	ours := map[string]bool{}
	for _, f := range found {
		ours[f.Domain] = ours[f.Domain] || f.Severity == finding.Problem || f.Severity == finding.Unknown
	}
	for i, r := range keyRecords {
		d, differ := domains[i], ""
		for _, who := range []string{"T", "D", "P"} {
			if said[d][who] != r.verifies {
				differ += who
			}
		}
		if ours[d] == r.verifies {
			t.Errorf("%s: RFC 6376 says verifies %v, we do not:\n%s", r.name, r.verifies, wrongOf(found, d))
		}
		if differ != r.others && r.name != "two records" { // whose order changes
			t.Errorf("%s: other than RFC 6376 (%v) are %q, noted are %q", r.name, r.verifies, differ, r.others)
		}
	}

	domains = nil
	for i := range policyRecords {
		domains = append(domains, fmt.Sprintf("m%d.lab.example", i))
	}
	found, _ = check(t, b, append([]string{"--only", "dmarc"}, domains...)...)
	for i, r := range policyRecords {
		d, applies := domains[i], ""
		for _, f := range found {
			if f.ID == "dmarc.policy" && f.Domain == d {
				applies, _, _ = strings.Cut(strings.Fields(f.Seen)[0], ":")
			}
		}
		out, errs, _ := b.Exec(t.Context(), nil, "opendmarc-check", d)
		other := ""
		for line := range strings.Lines(out) {
			if _, v, ok := strings.Cut(line, "Domain policy: "); ok {
				other = strings.TrimSpace(v)
			}
		}
		if applies != r.applies {
			t.Errorf("%s: %q applies by RFC 9989, we say %q\n%s", r.name, r.applies, applies, wrongOf(found, d))
		}
		if other != r.opendmarc {
			t.Errorf("%s: opendmarc-check says %q, noted is %q\n%s%s", r.name, other, r.opendmarc, out, errs)
		}
	}
}

// wrongOf are the findings about a domain that are not ok.
func wrongOf(list []finding.Finding, domain string) string {
	var of []finding.Finding
	for _, f := range list {
		if f.Domain == domain {
			of = append(of, f)
		}
	}
	return wrong(of, finding.Problem, finding.Warning, finding.Unknown, finding.Note)
}
