package probe

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-milter"
	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// field is one header field; the value as the milter protocol carries it,
// without the final line break and without the space after the colon.
type field struct{ name, value string }

// message is one that a probe sends through a milter.
type message struct {
	fields []field
	body   []byte
}

// testMessage returns a small message that says what it is, in case anybody sees it.
func testMessage(from string, n int) message {
	_, host, _ := strings.Cut(from, "@")
	now := time.Now()
	return message{
		fields: []field{
			{"From", "<" + from + ">"},
			{"To", "<postmaster@" + host + ">"},
			{"Subject", "mailsetup asks the milter for a signature"},
			{"Date", now.Format(time.RFC1123Z)},
			{"Message-ID", fmt.Sprintf("<mailsetup.%d.%d@%s>", now.UnixNano(), n, host)},
		},
		body: []byte("This message goes nowhere.\r\n"),
	}
}

// apply makes one change to the message, as an MTA would.
func (m *message) apply(c milter.ModifyAction) {
	f := field{c.HeaderName, c.HeaderValue}
	switch c.Code {
	case milter.ActAddHeader:
		m.fields = append(m.fields, f)
	case milter.ActInsertHeader:
		at := min(int(max(c.HeaderIndex, 1))-1, len(m.fields))
		m.fields = slices.Insert(m.fields, at, f)
	case milter.ActChangeHeader:
		m.change(f, int(c.HeaderIndex))
	case milter.ActReplBody:
		m.body = c.Body
	}
}

// change replaces the n-th field of its name, or removes it if the new value is empty.
func (m *message) change(f field, n int) {
	for i, old := range m.fields {
		if !strings.EqualFold(old.name, f.name) {
			continue
		}
		if n--; n > 0 {
			continue
		}
		if f.value == "" {
			m.fields = slices.Delete(m.fields, i, i+1)
		} else {
			m.fields[i].value = f.value
		}
		return
	}
}

// bytes returns the message as it would go over the wire.
func (m *message) bytes() []byte {
	var b bytes.Buffer
	for _, f := range m.fields {
		// Folded values come with bare line feeds.
		value := strings.ReplaceAll(strings.ReplaceAll(f.value, "\r\n", "\n"), "\n", "\r\n")
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, value)
	}
	b.WriteString("\r\n")
	b.Write(m.body)
	return b.Bytes()
}

// verify verifies the signature of the signer. Other signatures (a second key during a
// change, another milter) do not count.
func verify(m message, want state.Signer) error { return verifyText(m.bytes(), want) }

// verifyText is verify for a message as it arrived.
func verifyText(text []byte, want state.Signer) error {
	seen := &keyNames{}
	results, err := dkim.VerifyWithOptions(bytes.NewReader(text), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if seen.add(name) != keyName(want) {
				return nil, errors.New("not the key asked for")
			}
			return []string{want.Public}, nil
		},
	})
	if len(results) == 0 && err == nil {
		return fmt.Errorf("leaves without a signature; should be signed by %s", keyName(want))
	}
	bad := cmp.Or(err, errors.New("no readable signature of the domain"))
	for _, r := range results {
		if !strings.EqualFold(r.Domain, dnsname.TrimDot(want.Domain)) {
			continue
		}
		if r.Err == nil && err == nil {
			return nil
		}
		bad = cmp.Or(r.Err, bad)
	}
	if others := seen.list(); !slices.Contains(others, keyName(want)) && len(others) > 0 {
		return fmt.Errorf("signed by %s; should be signed by %s", strings.Join(others, ", "), keyName(want))
	}
	return fmt.Errorf("signature does not verify with the key %s: %w", keyName(want), bad)
}

// keyNames collects the key names of signatures, which are verified concurrently.
type keyNames struct {
	mu    sync.Mutex
	names []string
}

func (k *keyNames) add(name string) string {
	name = strings.ToLower(dnsname.TrimDot(name))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names = append(k.names, name)
	return name
}

func (k *keyNames) list() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(k.names)))
}

// keyName returns the name of a key record (RFC 6376 section 3.6.2.1).
func keyName(s state.Signer) string {
	return strings.ToLower(dnsname.Key(s.Selector, dnsname.TrimDot(s.Domain)))
}
