package probe

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-milter"
	"github.com/emersion/go-msgauth/dkim"
	nettextproto "net/textproto"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// signer is a milter that signs like OpenDKIM, as told by its fields.
type signer struct {
	milter.NoOpMilter
	key      *rsa.PrivateKey
	domain   string
	selector string
	spoil    bool            // changes the signature before handing it out
	unsigned bool            // lets mail through as it is
	refuse   milter.Response // at the end of the message, nil for none
	asked    *atomic.Int32   // counts messages, nil for nobody
	header   strings.Builder
	body     strings.Builder
}

func (s *signer) Header(name, value string, _ *milter.Modifier) (milter.Response, error) {
	fmt.Fprintf(&s.header, "%s: %s\r\n", name, value)
	return milter.RespContinue, nil
}

func (s *signer) Headers(_ nettextproto.MIMEHeader, _ *milter.Modifier) (milter.Response, error) {
	return milter.RespContinue, nil
}

func (s *signer) BodyChunk(chunk []byte, _ *milter.Modifier) (milter.Response, error) {
	s.body.Write(chunk)
	return milter.RespContinue, nil
}

func (s *signer) Body(m *milter.Modifier) (milter.Response, error) {
	text := s.header.String() + "\r\n" + s.body.String()
	s.header.Reset()
	s.body.Reset()
	if s.asked != nil {
		s.asked.Add(1)
	}
	if s.refuse != nil {
		return s.refuse, nil
	}
	if s.unsigned {
		return milter.RespAccept, nil
	}
	ds, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: s.domain, Selector: s.selector, Signer: s.key,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationSimple,
	})
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(ds, text); err != nil {
		return nil, err
	}
	if err := ds.Close(); err != nil {
		return nil, err
	}
	_, value, _ := strings.Cut(ds.Signature(), ": ")
	if s.spoil {
		value = strings.Replace(value, "bh=", "bh=AAAA", 1)
	}
	value = strings.ReplaceAll(strings.TrimSpace(value), "\r\n", "\n")
	if err := m.InsertHeader(1, "DKIM-Signature", value); err != nil {
		return nil, err
	}
	return milter.RespAccept, m.AddHeader("X-Milter", "was here")
}

// milterServer serves milters on a unix socket, a new one for each message.
func milterServer(t *testing.T, accept func() milter.Milter) string {
	t.Helper()
	return countingServer(t, new(atomic.Int32), accept)
}

// counter counts the connections it accepts.
type counter struct {
	net.Listener
	n *atomic.Int32
}

func (c counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

func countingServer(t *testing.T, connections *atomic.Int32, accept func() milter.Milter) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "milter.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &milter.Server{
		NewMilter: accept,
		Actions:   milter.OptAddHeader | milter.OptChangeHeader,
		Protocol:  milter.OptNoUnknown,
	}
	go func() { _ = server.Serve(counter{l, connections}) }()
	t.Cleanup(func() { _ = server.Close() })
	return path
}

// silentServer accepts connections and never says a word.
func silentServer(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	return l.Addr().String()
}

func newKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, "v=DKIM1; h=sha256; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

// units answers Status from a list, the last entry for ever.
type units struct {
	system.Units
	mu     sync.Mutex
	states []system.UnitStatus
	err    error
}

func (u *units) Status(context.Context, string) (system.UnitStatus, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.states[0]
	if len(u.states) > 1 {
		u.states = u.states[1:]
	}
	return s, u.err
}

// runner answers Run from a list, the last entry for ever.
type runner struct {
	results []system.Result
	argv    []string
	err     error
}

func (r *runner) Run(_ context.Context, c system.Command) (system.Result, error) {
	r.argv = c.Argv
	res := r.results[0]
	if len(r.results) > 1 {
		r.results = r.results[1:]
	}
	return res, r.err
}

// probe runs one probe with a short steady time.
func probe(t *testing.T, b *Prober, p state.Probe) error {
	t.Helper()
	if p.Within == 0 {
		p.Within = 2 * time.Second
	}
	b.activeFor = 10 * time.Millisecond
	start := time.Now()
	err := b.Probe(t.Context(), p)
	if took := time.Since(start); took > p.Within+20*time.Second {
		t.Errorf("the probe took %v, more than %v", took, p.Within)
	}
	return err
}

// wantError compares an error with the part its text must have, "" for none.
func wantError(t *testing.T, err error, part string) {
	t.Helper()
	switch {
	case part == "" && err != nil:
		t.Error(err)
	case part != "" && (err == nil || !strings.Contains(err.Error(), part)):
		t.Errorf("error %v, want one with %q", err, part)
	}
}

var errFake = errors.New("fake trouble")
