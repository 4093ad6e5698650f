package probe

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-milter"
	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// messageTimeout bounds one message through another milter: a spam filter without DNS
// waits for each of its look-ups.
const messageTimeout = 15 * time.Second

// Signatures sends a message of the sender through a milter and returns the DKIM
// signatures that the milter adds. It plays Postfix for a kind of client. Nothing is
// delivered: the MTA would carry out the changes that a milter requests. An error means
// that the milter did not answer within 15 seconds, or did not accept the message.
// Lookup queries the records of the keys (RFC 6376 section 3.6.2) for verification.
func Signatures(ctx context.Context, address, from string, client state.Client, lookup func(name string) ([]string, error)) ([]state.Signature, error) {
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	m := testMessage(from, 0)
	if err := sendAs(ctx, address, from, client, &m); err != nil {
		if expired(ctx) {
			return nil, fmt.Errorf("milter %s: no answer within %s", address, messageTimeout)
		}
		return nil, err
	}
	return signaturesOf(m, from, lookup), nil
}

// sendAs sends a message through a milter as Postfix would for a client.
func sendAs(ctx context.Context, address, from string, client state.Client, m *message) error {
	s, err := open(ctx, address)
	if err != nil {
		return err
	}
	defer s.close()
	host, at := "localhost", "127.0.0.1"
	if client.Address != "" {
		host, at = "["+client.Address+"]", client.Address // Postfix's words where there is no PTR
	}
	_ = s.Macros(milter.CodeConn, "j", "localhost", "{daemon_name}", cmp.Or(client.Daemon, "localhost"),
		"{client_addr}", at, "{client_name}", strings.Trim(host, "[]"))
	if err := s.hello(host, at); err != nil {
		return fmt.Errorf("milter %s: %w", address, err)
	}
	var macros []string
	if client.Kind == state.ByLogin {
		macros = []string{"{auth_type}", "PLAIN", "{auth_authen}", from}
	}
	if err := s.send(from, m, macros...); err != nil {
		return fmt.Errorf("milter %s: %w", address, err)
	}
	return nil
}

// signaturesOf returns the DKIM signatures of a message, each with the reason why it
// does not verify.
func signaturesOf(m message, from string, lookup func(name string) ([]string, error)) []state.Signature {
	var list []state.Signature
	for i, f := range m.fields {
		if !strings.EqualFold(f.name, "DKIM-Signature") {
			continue
		}
		list = append(list, state.Signature{
			Domain: tag(f.value, "d"), Selector: tag(f.value, "s"), From: from, Problem: problem(m, i, lookup),
		})
	}
	return list
}

// problem returns why one signature of a message does not verify, "" if it does.
func problem(m message, at int, lookup func(name string) ([]string, error)) string {
	one := message{body: m.body}
	for i, f := range m.fields {
		if i == at || !strings.EqualFold(f.name, "DKIM-Signature") {
			one.fields = append(one.fields, f)
		}
	}
	results, err := dkim.VerifyWithOptions(bytes.NewReader(one.bytes()), &dkim.VerifyOptions{LookupTXT: lookup})
	for _, r := range results {
		err = cmp.Or(err, r.Err)
	}
	if err != nil {
		return strings.TrimPrefix(err.Error(), "dkim: ")
	}
	return ""
}

// tag returns the value of a tag of a DKIM-Signature field, in lower case and without
// white space (RFC 6376 section 3.2).
func tag(value, name string) string {
	for part := range strings.SplitSeq(value, ";") {
		key, text, _ := strings.Cut(part, "=")
		if strings.TrimSpace(key) == name {
			return strings.ToLower(strings.Join(strings.Fields(text), ""))
		}
	}
	return ""
}

// unsigned returns an error if a milter signs one of the messages with d= of its
// domain, from any kind of client.
func unsigned(ctx context.Context, p state.Probe) error {
	for _, signer := range p.Signers {
		for _, kind := range []state.ClientKind{state.BySendmail, state.ByLogin} {
			found, err := signaturesFor(ctx, p.Address, signer, kind)
			if err != nil {
				return err
			}
			for _, sig := range found {
				return fmt.Errorf("mail from %s: still signed by %s", signer.From, dnsname.Key(sig.Selector, sig.Domain))
			}
		}
	}
	return nil
}

// signedByOther returns an error unless a milter signs each of the messages again.
func signedByOther(ctx context.Context, p state.Probe) error {
	for _, signer := range p.Signers {
		local, err := signaturesFor(ctx, p.Address, signer, state.BySendmail)
		if err != nil {
			return err
		}
		login, err := signaturesFor(ctx, p.Address, signer, state.ByLogin)
		if err != nil {
			return err
		}
		is := func(sig state.Signature) bool { return sig.Selector == signer.Selector }
		if !slices.ContainsFunc(append(local, login...), is) {
			return fmt.Errorf("mail from %s: no signature by %s", signer.From, keyName(signer))
		}
	}
	return nil
}

// signaturesFor returns the signatures with d= of the signer's domain. Their keys are not
// looked up.
func signaturesFor(ctx context.Context, address string, signer state.Signer, kind state.ClientKind) ([]state.Signature, error) {
	none := func(string) ([]string, error) { return nil, nil }
	found, err := Signatures(ctx, address, signer.From, state.Client{Kind: kind}, none)
	return slices.DeleteFunc(found, func(s state.Signature) bool { return s.Domain != signer.Domain }), err
}
