package dkim

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/keygen"
)

// judgeText judges the text of a record whose key is right.
func (c *checker) judgeText(k key, got string) {
	r, err := keygen.ParseRecord(got)
	if err != nil || k.Stage == keyring.Revoked {
		return // the fault was told
	}
	subject := dnsname.TrimDot(k.name)
	if k.program != "" {
		c.report(finding.Finding{ID: "dkim.match", Severity: finding.OK, Subject: subject})
	}
	if r.KeyType == "ed25519" {
		c.judgeEd25519(k)
	} else if public, err := r.RSA(); err == nil {
		c.judgeBits(k, public.N.BitLen())
	}
	out := finding.Finding{ID: "dkim.tags", Severity: finding.OK, Subject: subject}
	if !strings.ContainsAny(value(got, "p"), " \t\r\n") { // told with dkim.paste
		out.Why = receivers([]string{got})
	}
	var seen []string
	say := func(s finding.Severity, text string, remedy finding.Remedy) {
		seen = append(seen, text)
		if worse(s, out.Severity) {
			out.Severity, out.Remedy = s, remedy
		}
	}
	if slices.Contains(r.Flags, "y") && k.signs {
		say(finding.Warning, "t=y says that the domain tests DKIM: receivers may treat its mail as unsigned", finding.Text("take t=y out of the record"))
	}
	if slices.Contains(r.Flags, "s") && identitiesBelow(c.domain) {
		say(finding.Problem, "t=s forbids signatures in the name of a subdomain (i=), which this server makes", finding.Text("take t=s out of the record"))
	}
	if hasTag(got, "g") {
		say(finding.Note, "g= is of the time before RFC 6376, which ignores it", finding.Text("take g= out of the record"))
	}
	if k.Public != "" && r.Public != k.Public && r.KeyType == "rsa" {
		say(finding.Warning, "p= has the right key as RSAPublicKey: opendkim-testkey and Mail::DKIM (SpamAssassin, amavis) do not read that", finding.Text("publish the key as everybody does (erratum 3017 of RFC 6376):").Command("mailsetup dns %s", c.domain.Name))
	}
	if r.Revoked() && k.signs {
		say(finding.Problem, "p= is empty: the key is revoked", finding.Text("publish the key that signs"))
	}
	if out.Why != "" && out.Severity == finding.OK {
		say(finding.Note, "receivers differ about this record, which RFC 6376 permits", nil)
	}
	out.Seen = strings.Join(seen, "; ")
	c.report(out)
}

// identitiesBelow reports whether signatures of the domain have an i= below d=.
func identitiesBelow(d subject.Domain) bool {
	return d.Wanted != nil && slices.ContainsFunc(d.Wanted.Identities, func(i string) bool {
		_, identity, _ := strings.Cut(i, "@")
		return strings.HasSuffix(strings.ToLower(identity), "."+d.Name)
	})
}

// judgeBits judges the size of an RSA key.
func (c *checker) judgeBits(k key, bits int) {
	out := finding.Finding{ID: "dkim.bits", Severity: finding.OK, Subject: dnsname.TrimDot(k.name), Seen: fmt.Sprintf("%d bits", bits)}
	rotate := finding.Command("mailsetup rotate-dkim --now %s", c.domain.Name)
	switch {
	case k.program != "":
		rotate = finding.Text("make a key of 2048 bits under another selector, publish it, and sign with it then")
	case c.domain.Wanted != nil && c.domain.Wanted.KeyBits < 2048:
		rotate = finding.Text("set key_bits = 2048 in /etc/mailsetup/domains.d/" + c.domain.Name + ".toml, then:").Then(rotate)
	}
	switch {
	case bits == 0 || k.Stage == keyring.Revoked:
		return
	case bits < 1024 && k.signs:
		out.Severity, out.Expected, out.Remedy = finding.Problem, "2048 bits", rotate
		out.Why = "RFC 8301 forbids keys under 1024 bits: Google, dkimpy and go-msgauth refuse them, OpenDKIM and Mail::DKIM still take 768."
	case bits < 2048 && (!k.signs || c.domain.Wanted != nil && c.domain.Wanted.KeyBits == bits):
		out.Severity, out.Expected, out.Remedy = finding.Note, "2048 bits", rotate
		if !k.signs {
			out.Remedy = nil
		}
	case bits < 2048:
		out.Severity, out.Expected, out.Remedy = finding.Warning, "2048 bits", rotate
	case bits > 2048:
		out.Severity, out.Expected = finding.Note, "2048 bits"
		out.Seen += ": the answer does not fit 512 octets, and some panels cut it"
	}
	c.report(out)
}

// judgeEd25519 judges a key that many receivers do not verify with.
func (c *checker) judgeEd25519(k key) {
	out := finding.Finding{ID: "dkim.ed25519", Severity: finding.Note, Subject: dnsname.TrimDot(k.name), Seen: "Ed25519, beside an RSA key"}
	if !slices.ContainsFunc(c.keys, func(o key) bool { return o.signs && o.Public != "" && !isEd25519(o.Public) }) {
		out.Severity, out.Seen = finding.Problem, "Ed25519 alone: large receivers do not verify it"
		out.Expected = "an RSA key of 2048 bits, alone or beside it"
		out.Remedy = finding.Text("make an RSA key under another selector, publish it, and sign with it: mailsetup adopt, or mailsetup init on a new server")
	}
	c.report(out)
}

// isEd25519 reports whether a p= is of an Ed25519 key: its 32 octets (RFC 8463 section 4).
func isEd25519(public string) bool {
	raw, err := base64.StdEncoding.DecodeString(public)
	return err == nil && len(raw) == ed25519.PublicKeySize
}

// ed25519Public returns the p= of an Ed25519 private key in PEM.
func ed25519Public(text []byte) (string, bool) {
	block, _ := pem.Decode(text)
	if block == nil {
		return "", false
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", false
	}
	k, ok := private.(ed25519.PrivateKey)
	if !ok {
		return "", false
	}
	return base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey)), true
}

// hasTag reports whether a record has a tag.
func hasTag(record, tag string) bool { return tagValue(record, tag) != nil }

// tagValue returns the value of a tag as written, nil if it is not there.
func tagValue(record, tag string) *string {
	for part := range strings.SplitSeq(record, ";") {
		if name, value, ok := strings.Cut(part, "="); ok && strings.EqualFold(strings.TrimSpace(name), tag) {
			return &value
		}
	}
	return nil
}

// receivers says who reads a record otherwise than RFC 6376 has it, "" for nobody. All
// of it was tried with opendkim-testkey 2.11, dkimpy 1.1 and Mail::DKIM 1.2 (which
// SpamAssassin and amavis use), and with go-msgauth 0.7; findings/ has what mox does.
func receivers(texts []string) string {
	if len(texts) > 1 {
		return "RFC 6376 section 3.6.2.2 leaves open what two records mean: OpenDKIM and go-msgauth refuse them, dkimpy takes the one that comes first, Mail::DKIM tries both."
	}
	if len(texts) == 0 {
		return ""
	}
	kind, hashes, services := value(texts[0], "k"), value(texts[0], "h"), value(texts[0], "s")
	public, version := value(texts[0], "p"), value(texts[0], "v")
	first, _, _ := strings.Cut(texts[0], ";")
	switch {
	case strings.HasPrefix(texts[0], `"`):
		return "Mail::DKIM reads it in spite of the quotes, opendkim-testkey, dkimpy and go-msgauth do not."
	case version == "DKIM1" && value(first, "v") == "":
		return "RFC 6376 section 3.6.1 wants v= first: opendkim-testkey, dkimpy and Mail::DKIM read the record all the same."
	case kind != "rsa" && strings.EqualFold(kind, "rsa"):
		return "Values are case-sensitive (RFC 6376 section 3.2): opendkim-testkey takes k=RSA, dkimpy, Mail::DKIM and go-msgauth refuse it."
	case strings.Contains(strings.ToLower(hashes), "rsa-sha256"):
		return "h= has names of hashes, not of algorithms: dkimpy takes rsa-sha256 there, opendkim-testkey, Mail::DKIM and go-msgauth refuse it."
	case !strings.Contains(hashes, "sha256") && strings.Contains(strings.ToLower(hashes), "sha256"):
		return "Values are case-sensitive (RFC 6376 section 3.2): opendkim-testkey and dkimpy take h=SHA256, Mail::DKIM and go-msgauth refuse it."
	case strings.ContainsAny(public, "\r\n"):
		return "RFC 6376 section 3.6.1 permits blanks inside p=, but no line break: opendkim-testkey, dkimpy and Mail::DKIM read it all the same."
	case strings.Contains(public, "\t"):
		return "RFC 6376 section 3.6.1 permits a TAB inside p=: opendkim-testkey, dkimpy and Mail::DKIM read it, go-msgauth does not."
	case strings.Contains(services, "*"):
		return "RFC 6376 section 3.6.1 permits * in s=, which means the same as no s=: mox 0.0.17 takes such a record for broken."
	case strings.Contains(services, ":"):
		return "RFC 6376 section 3.6.1 permits a list in s=: dkimpy refuses the key then."
	case hasTag(texts[0], "g") && value(texts[0], "g") != "*":
		return "Mail::DKIM refuses a key whose g= does not have the sender (RFC 4871), all others ignore it."
	}
	return ""
}

// value returns the value of a tag without white space around it, "" without the tag.
func value(record, tag string) string {
	if v := tagValue(record, tag); v != nil {
		return strings.Trim(*v, " \t")
	}
	return ""
}
