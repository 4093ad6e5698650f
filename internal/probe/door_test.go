package probe

import (
	"bufio"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
)

// serve answers each connection with talk.
func serve(t *testing.T, network, address string, talk func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return l.Addr().String()
}

func TestPolicyService(t *testing.T) {
	for answer, want := range map[string]string{
		"action=dunno\n\n": "", "action=prepend X-Comment: x\n\n": "",
		"": "it ends without an answer", "hello\n": `answers "hello\n"`,
	} {
		seen := ""
		socket := serve(t, "unix", filepath.Join(t.TempDir(), "policy"), func(c net.Conn, r *bufio.Reader) {
			for line, err := r.ReadString('\n'); err == nil && line != "\n"; line, err = r.ReadString('\n') {
				seen += line
			}
			_, _ = c.Write([]byte(answer))
		})
		err := NewProber(nil, nil).Probe(context.Background(), state.Probe{Kind: state.ProbePolicy, Address: socket, Within: 300 * time.Millisecond})
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", answer, err, want)
		}
		if !strings.Contains(seen, "request=smtpd_access_policy\n") || !strings.Contains(seen, "\nclient_address=127.0.0.1\n") {
			t.Errorf("asked %q", seen)
		}
	}
	err := NewProber(nil, nil).Probe(context.Background(), state.Probe{Kind: state.ProbePolicy, Address: filepath.Join(t.TempDir(), "none"), Within: 50 * time.Millisecond})
	if err == nil {
		t.Error("a socket that is not there answers")
	}
}

// Whatever Postfix decides is right, but that it cannot decide.
func TestDoor(t *testing.T) {
	for _, c := range []struct{ rcpt, want string }{
		{"250 2.1.5 Ok", ""},
		{"550 5.1.1 <x>: Recipient address rejected: User unknown", ""},
		{"450 4.7.1 greylisted", ""},
		{"451 4.3.5 Server configuration problem", "451 4.3.5 Server configuration problem"},
		{"451 4.3.0 Temporary lookup failure", "451 4.3.0 Temporary lookup failure"},
		{"421 4.3.2 All server ports are busy", "421 4.3.2 All server ports are busy"},
		{"", "EOF"},
	} {
		server := serve(t, "tcp", "127.0.0.1:0", func(conn net.Conn, r *bufio.Reader) {
			_, _ = conn.Write([]byte("220 x ESMTP\r\n"))
			for line, err := r.ReadString('\n'); err == nil; line, err = r.ReadString('\n') {
				reply := "250 2.0.0 Ok"
				if strings.HasPrefix(line, "RCPT") {
					if reply = c.rcpt; reply == "" {
						return
					}
				}
				_, _ = conn.Write([]byte(reply + "\r\n"))
			}
		})
		within := time.Second // which an answer that is no good takes
		if c.want == "" {
			within = 30 * time.Second
		}
		err := NewProber(nil, nil).Probe(context.Background(), state.Probe{Kind: state.ProbeDoor, Address: server, Recipients: []string{"postmaster@lab.example"}, Within: within})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.rcpt, err, c.want)
		}
	}
}
