package livepath

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"mailsetup/internal/livepath/route"
)

// sink is a mail server that accepts the messages of one probe and nothing else. It
// offers 8BITMIME and STARTTLS, and no AUTH: Postfix never sends it a password meant
// for another server.
type sink struct {
	server  *smtp.Server
	nonce   string
	arrived chan struct{}

	mu   sync.Mutex
	all  []arrival
	open int // sessions
}

type arrival struct {
	transport string
	data      []byte
}

// maxMessage is the largest message that the sink accepts, in octets.
const maxMessage = 1 << 20

// listen starts the sink. With wrapped, clients may begin with TLS.
func listen(nonce string, wrapped bool) (*sink, error) {
	l, err := net.Listen("tcp4", route.Listen)
	if err != nil {
		return nil, fmt.Errorf("%s is not free for the sink of the probe: %w", route.Listen, err)
	}
	return serve(l, nonce, wrapped)
}

func serve(l net.Listener, nonce string, wrapped bool) (*sink, error) {
	cert, err := certificate()
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("make a certificate for the sink: %w", err)
	}
	s := &sink{nonce: nonce, arrived: make(chan struct{}, 1)}
	s.server = smtp.NewServer(s)
	s.server.Domain = "mailsetup.invalid"
	s.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	s.server.MaxMessageBytes, s.server.MaxRecipients = maxMessage, 4*maxTransports
	s.server.ReadTimeout, s.server.WriteTimeout = sendWithin, sendWithin
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	if wrapped {
		l = &tlsDetector{Listener: l, config: s.server.TLSConfig}
	}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

// close closes open sessions after a moment: without an answer to its QUIT, Postfix
// would keep the message.
func (s *sink) close() {
	for end := time.Now().Add(closeTimeout); time.Now().Before(end) && s.sessions() > 0; {
		time.Sleep(time.Millisecond)
	}
	_ = s.server.Close()
}

func (s *sink) sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// opened counts the open sessions.
func (s *sink) opened(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
}

// closeTimeout is how long clients have to end their sessions. Postfix may keep some
// open for further messages (smtp_connection_cache_on_demand).
const closeTimeout = 200 * time.Millisecond

// certificate is self-signed: opportunistic TLS asks for no more.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	form := x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "mailsetup.invalid"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IPAddresses: []net.IP{net.ParseIP(route.Host)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &form, &form, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// count returns the number of deliveries so far.
func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// received returns the message with a tag that came by a transport.
func (s *sink) received(tag, transport string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(a arrival) bool {
		return a.transport == transport && bytes.Contains(a.data, []byte(tag))
	})
	if i < 0 {
		return nil, false
	}
	return s.all[i].data, true
}

// NewSession implements smtp.Backend.
func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) {
	s.opened(1)
	return &delivery{sink: s}, nil
}

// delivery is one session with the sink.
type delivery struct {
	sink       *sink
	bounce     bool // its sender is empty
	to         []string
	unanswered []arrival // its client has no answer yet
}

func refused(text string) error {
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: text}
}

// Mail implements smtp.Session.
func (d *delivery) Mail(from string, _ *smtp.MailOptions) error {
	d.bounce = from == ""
	return nil
}

// Rcpt implements smtp.Session.
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	transport, ok := strings.CutSuffix(to, "@"+route.Domain)
	switch {
	case d.bounce && to != returnAddress(d.sink.nonce):
		return refused("no bounces here")
	case !ok || to == returnAddress(d.sink.nonce) && !d.bounce:
		return refused("not an address of mailsetup's probe")
	case to == refusedAddress(d.sink.nonce):
		return refused("so that a bounce is written")
	}
	d.to = append(d.to, transport)
	return nil
}

// Data implements smtp.Session.
func (d *delivery) Data(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxMessage))
	if err != nil {
		return err
	}
	if !bytes.Contains(data, []byte(d.sink.nonce)) {
		return refused("not a message of this probe")
	}
	for _, t := range d.to {
		d.unanswered = append(d.unanswered, arrival{t, data})
	}
	return nil
}

// Reset implements smtp.Session. It is called after Data once the answer is on its way;
// only then has a message arrived, since Postfix keeps one that was not answered.
func (d *delivery) Reset() {
	d.sink.mu.Lock()
	d.sink.all = append(d.sink.all, d.unanswered...)
	d.sink.mu.Unlock()
	d.to, d.unanswered = nil, nil
	select {
	case d.sink.arrived <- struct{}{}:
	default:
	}
}

// Logout implements smtp.Session.
func (d *delivery) Logout() error {
	d.sink.opened(-1)
	return nil
}

// tlsDetector tells clients that begin with TLS from those that wait for a greeting.
type tlsDetector struct {
	net.Listener
	config *tls.Config
}

// firstOctetTimeout is how long a client that begins with TLS may take for its first
// octet.
const firstOctetTimeout = 200 * time.Millisecond

// Accept implements net.Listener.
func (s *tlsDetector) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	first := make([]byte, 1)
	_ = conn.SetReadDeadline(time.Now().Add(firstOctetTimeout))
	n, _ := conn.Read(first)
	_ = conn.SetReadDeadline(time.Time{})
	begun := &prefixedConn{Conn: conn, first: first[:n]}
	const handshake = 22 // ContentType of RFC 8446 section 5.1
	if n == 1 && first[0] == handshake {
		return tls.Server(begun, s.config), nil
	}
	return begun, nil
}

// prefixedConn is a connection whose first octet was read already.
type prefixedConn struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (c *prefixedConn) Read(b []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}
