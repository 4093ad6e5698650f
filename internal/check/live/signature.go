package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
)

// signature is a DKIM-Signature of a message.
type signature struct {
	domain, selector string // d= and s=, in lower case
	// alone is the message with this one and no other.
	alone []byte
}

// maxSignatures bounds how many signatures of a message are looked at.
const maxSignatures = 8

// signatures returns those of a message as it arrived.
func signatures(message []byte) []signature {
	head, body := split(message)
	var all []signature
	for i, f := range head {
		if !isSignature(f) || len(all) == maxSignatures {
			continue
		}
		_, value, _ := strings.Cut(string(f), ":")
		s := signature{domain: tag(value, "d"), selector: tag(value, "s")}
		for j, other := range head {
			if j == i || !isSignature(other) {
				s.alone = append(s.alone, other...)
			}
		}
		s.alone = append(append(s.alone, "\r\n"...), body...)
		all = append(all, s)
	}
	return all
}

func isSignature(field []byte) bool {
	name, _, _ := bytes.Cut(field, []byte(":"))
	return strings.EqualFold(strings.TrimSpace(string(name)), "DKIM-Signature")
}

// split returns the header fields of a message, each with its line breaks, and the body.
func split(message []byte) (fields [][]byte, body []byte) {
	for len(message) > 0 {
		end := bytes.IndexByte(message, '\n') + 1
		if end == 0 {
			end = len(message)
		}
		line := message[:end]
		message = message[end:]
		switch {
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return fields, message
		case (line[0] == ' ' || line[0] == '\t') && len(fields) > 0:
			last := len(fields) - 1
			fields[last] = append(slices.Clip(fields[last]), line...)
		default:
			fields = append(fields, line)
		}
	}
	return fields, nil
}

// tag returns the value of a tag of a DKIM-Signature, in lower case and without white
// space (RFC 6376 section 3.2).
func tag(value, name string) string {
	for part := range strings.SplitSeq(value, ";") {
		key, text, _ := strings.Cut(part, "=")
		if strings.TrimSpace(key) == name {
			return strings.ToLower(strings.Join(strings.Fields(text), ""))
		}
	}
	return ""
}

// verify verifies the one signature of a message with the records that lookup returns.
func verify(message []byte, lookup func(name string) ([]string, error)) error {
	results, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{LookupTXT: lookup})
	if err == nil && len(results) == 0 {
		err = errors.New("no signature")
	}
	for _, r := range results {
		if err == nil {
			err = r.Err
		}
	}
	return err
}

// withRecord is a lookup that knows one record.
func withRecord(text string) func(string) ([]string, error) {
	return func(string) ([]string, error) { return []string{text}, nil }
}

// published is what DNS says of a signature.
type published struct {
	asked   bool  // false: DNS was not asked at all
	unknown error // it could not be found out
	records int
	bad     error // why it does not verify
}

// verifyInDNS verifies a signature with what the resolver answers.
func (c mailer) verifyInDNS(ctx context.Context, s signature) published {
	if c.dns == nil {
		return published{}
	}
	name := dnsname.Key(s.selector, s.domain)
	records, status, err := c.dns.Lookup(ctx, name+".", "TXT")
	p := published{asked: true}
	if status == dnsclient.Unknown {
		p.unknown = fmt.Errorf("%s could not be asked for: %w", name, err)
		return p
	}
	var texts []string
	for _, r := range records {
		if r.Type == "TXT" && len(texts) < maxSignatures {
			texts = append(texts, r.Value)
		}
	}
	if p.records = len(texts); p.records == 0 {
		p.bad = fmt.Errorf("DNS has no key record %s", name)
		return p
	}
	if err := verify(s.alone, func(string) ([]string, error) { return texts, nil }); err != nil {
		p.bad = fmt.Errorf("it does not verify with the record %s in DNS: %s", name, strings.TrimPrefix(err.Error(), "dkim: "))
	}
	return p
}

// tampered returns copies of a message in each of which one letter was changed: of the
// subject, and of the body.
func tampered(message []byte) [][]byte {
	head, body := split(message)
	flip := func(text []byte, from int) bool {
		for i := from; i < len(text); i++ {
			if l := text[i] | 0x20; l >= 'a' && l <= 'y' {
				text[i]++
				return true
			}
		}
		return false
	}
	var all [][]byte
	for i := range head {
		if bytes.HasPrefix(bytes.ToLower(head[i]), []byte("subject:")) {
			copied := slices.Clone(head)
			copied[i] = slices.Clone(head[i])
			if flip(copied[i], len("subject:")) {
				all = append(all, append(append(bytes.Join(copied, nil), "\r\n"...), body...))
			}
		}
	}
	changed := slices.Clone(body)
	if flip(changed, 0) {
		all = append(all, append(append(bytes.Join(head, nil), "\r\n"...), changed...))
	}
	return all
}
