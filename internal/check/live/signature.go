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
	partial          bool   // l= leaves a part of the body out
	at               int    // among those of the message
	message          []byte
}

// maxSignatures bounds how many signatures of a message are looked at.
const maxSignatures = 8

// signatures returns those of a message as it arrived.
func signatures(message []byte) []signature {
	head, _ := split(message)
	var all []signature
	for _, f := range head {
		if isSignature(f) && len(all) < maxSignatures {
			_, value, _ := strings.Cut(string(f), ":")
			all = append(all, signature{
				domain: tag(value, "d"), selector: tag(value, "s"), partial: tag(value, "l") != "", at: len(all), message: message,
			})
		}
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

// verify verifies a signature with the records that lookup returns. Another one may cover
// it, so none is taken out.
func (s signature) verify(lookup func(name string) ([]string, error)) error {
	name := dnsname.Key(s.selector, s.domain)
	results, err := dkim.VerifyWithOptions(bytes.NewReader(s.message), &dkim.VerifyOptions{
		MaxVerifications: maxSignatures,
		LookupTXT: func(at string) ([]string, error) {
			if !strings.EqualFold(dnsname.TrimDot(at), name) {
				return nil, errors.New("not the key asked for")
			}
			return lookup(at)
		},
	})
	switch {
	case err != nil && !errors.Is(err, dkim.ErrTooManySignatures):
		return err
	case s.at >= len(results):
		return errors.New("no signature")
	}
	return results[s.at].Err
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
	if err := s.verify(func(string) ([]string, error) { return texts, nil }); err != nil {
		p.bad = fmt.Errorf("it does not verify with the record %s in DNS: %s", name, strings.TrimPrefix(err.Error(), "dkim: "))
	}
	return p
}
