package probe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
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

// signs returns an error unless each signer's mail is signed. OpenDKIM applies a reload
// when the next connection comes in, and a rejected message may close one, so every new
// attempt uses a new connection; signers that pass share it.
func signs(ctx context.Context, p state.Probe) error {
	if len(p.Signers) == 0 {
		return permanent{errors.New("probe signs: no signer is named")}
	}
	left := p.Signers
	return retry(ctx, p.Within, func(ctx context.Context) (err error) {
		left, err = signAll(ctx, p.Address, left)
		return err
	})
}

// signersPerConnection is the number of signers from which a further connection pays
// off: OpenDKIM signs the messages of one connection one after the other.
const signersPerConnection = 50

// signAll returns the signers that are not proven yet: of each connection, those from
// the first failure on.
func signAll(ctx context.Context, address string, signers []state.Signer) ([]state.Signer, error) {
	connections := min(runtime.GOMAXPROCS(0), 1+len(signers)/signersPerConnection)
	share := (len(signers) + connections - 1) / connections
	left, errs := make([][]state.Signer, connections), make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		mine := signers[min(i*share, len(signers)):min((i+1)*share, len(signers))]
		wg.Go(func() {
			n, err := signEach(ctx, address, mine)
			left[i], errs[i] = mine[n:], err
		})
	}
	wg.Wait()
	return slices.Concat(left...), cmp.Or(errs...)
}

// signEach returns the number of signers proven before the first failure.
func signEach(ctx context.Context, address string, signers []state.Signer) (int, error) {
	s, err := open(ctx, address)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if err := s.connect(); err != nil {
		return 0, err
	}
	for i, signer := range signers {
		m := testMessage(signer.From, i)
		if err := s.send(signer.From, &m); err != nil {
			return i, fmt.Errorf("mail from %s: %w", signer.From, err)
		}
		if err := verify(m, signer); err != nil {
			return i, fmt.Errorf("mail from %s: %w", signer.From, err)
		}
	}
	return len(signers), nil
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

// connect plays a local client, as Postfix describes one.
func (s *session) connect() error {
	_ = s.Macros(milter.CodeConn, "j", "localhost", "{daemon_name}", "localhost", "{client_addr}", "127.0.0.1")
	if err := proceed(s.Conn("localhost", milter.FamilyInet, 25, "127.0.0.1")); err != nil {
		return fmt.Errorf("connection: %w", err)
	}
	if err := proceed(s.Helo("localhost")); err != nil {
		return fmt.Errorf("HELO: %w", err)
	}
	return nil
}

// send sends the message through the milter and makes the changes that it requests.
// Macros are further names and values for MAIL FROM.
func (s *session) send(from string, m *message, macros ...string) error {
	_ = s.Macros(milter.CodeMail, append([]string{"i", "mailsetup", "{mail_addr}", from}, macros...)...)
	if err := proceed(s.Mail(from, nil)); err != nil {
		return fmt.Errorf("MAIL FROM: %w", err)
	}
	if err := proceed(s.Rcpt(strings.Trim(m.fields[1].value, "<>"), nil)); err != nil {
		return fmt.Errorf("RCPT TO: %w", err)
	}
	for _, f := range m.fields {
		if err := proceed(s.HeaderField(f.name, f.value)); err != nil {
			return fmt.Errorf("header %s: %w", f.name, err)
		}
	}
	if err := proceed(s.HeaderEnd()); err != nil {
		return fmt.Errorf("end of header: %w", err)
	}
	if err := proceed(s.BodyChunk(m.body)); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	changes, verdict, err := s.End()
	if err := proceed(verdict, err); err != nil {
		return fmt.Errorf("end of message: %w", err)
	}
	for _, c := range changes {
		m.apply(c)
	}
	return nil
}

// proceed returns an error for a rejection. Accept before the end means that the milter
// skips the rest: such a message is unsigned.
func proceed(a *milter.Action, err error) error {
	if err != nil {
		return stripPrefix(err)
	}
	switch a.Code {
	case milter.ActContinue, milter.ActSkip, milter.ActAccept:
		return nil
	case milter.ActReplyCode:
		return fmt.Errorf("refused: %d %s", a.SMTPCode, strings.TrimSpace(a.SMTPText))
	case milter.ActTempFail:
		return errors.New("refused for now (tempfail)")
	case milter.ActReject:
		return errors.New("refused")
	case milter.ActDiscard:
		return errors.New("discarded")
	default:
		return fmt.Errorf("answered %q", byte(a.Code))
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
func verify(m message, want state.Signer) error {
	seen := &keyNames{}
	results, err := dkim.VerifyWithOptions(bytes.NewReader(m.bytes()), &dkim.VerifyOptions{
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
