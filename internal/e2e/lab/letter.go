package lab

import (
	"encoding/json"
	"net"
	"strings"
)

// ExitMisplaced is the exit status of a probe whose client could not be told
// from the server.
const ExitMisplaced = 2

// Letter is a message for Box.Send.
type Letter struct {
	From, To string // envelope
	// Cc are more recipients of the envelope.
	Cc            []string
	HeaderFrom    string // From when empty
	Subject, Body string
	// Raw is the message as it is to be sent, instead of the header made of
	// the fields above: without any header field, if need be. A line that ends
	// in a bare LF gets its CR.
	Raw []byte
	// Server is "ADDRESS:PORT", the server's own port 25 when empty.
	Server string
	// Client is the address to connect from, 127.0.0.1 (or ::1) when empty; it
	// may be one of the server's own, which its interfaces tell. Whoever has
	// another connects from a network namespace of its own, the world outside
	// (network.sh): strangers are all of 198.51.100.0/24 and OutsideAddr6,
	// neighbours on a LAN all of 10.20.30.0/24 (LANAddr), containers all of
	// 172.17.0.0/24. An address of lo beside 127.0.0.0/8 and ::1 fails the test:
	// Postfix and OpenDKIM take it for the server itself.
	Client string
	Helo   string // client.example when empty
	// StartTLS asks for TLS with STARTTLS before mail and AUTH, ImplicitTLS
	// begins with it, as port 465 does. Any certificate is accepted.
	StartTLS, ImplicitTLS bool
	// User and Password are for AUTH PLAIN, which a User asks for, with or
	// without TLS.
	User, Password string
}

// Send offers a message by SMTP from inside the box. It returns the server's
// last word, as in "250 2.0.0 Ok: queued as ...", and whether it took the mail.
// Anything the server refuses ends it, one of several recipients as well.
func (b *Box) Send(t T, m Letter) (reply string, taken bool) {
	t.Helper()
	b.probe(t)
	if m.Server == "" {
		m.Server = net.JoinHostPort(b.Addr, "25")
	}
	if m.Client == "" {
		m.Client = "127.0.0.1"
		if strings.HasPrefix(m.Server, "[") {
			m.Client = "::1"
		}
	}
	if m.Helo == "" {
		m.Helo = "client.example"
	}
	if m.HeaderFrom == "" {
		m.HeaderFrom = m.From
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatalf("%v", err)
	}
	stdout, stderr, code := b.Exec(t.Context(), strings.NewReader(string(text)), probePath, "send")
	if code == ExitMisplaced {
		t.Fatalf("%s: %s", b.Name, stderr)
	}
	return strings.TrimSpace(stdout + stderr), code == 0
}
