package livepath

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

const testNonce = "0123456789abcdef"

func testSink(t *testing.T) (*sink, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := serve(l, testNonce, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, l.Addr().String()
}

// clients are the ways in which an SMTP client of Postfix may speak.
func clients() map[string]func(address string) (*smtp.Client, error) {
	anyone := &tls.Config{InsecureSkipVerify: true}
	return map[string]func(string) (*smtp.Client, error){
		"in the clear": smtp.Dial,
		"STARTTLS":     func(a string) (*smtp.Client, error) { return smtp.DialStartTLS(a, anyone) },
		"wrappermode":  func(a string) (*smtp.Client, error) { return smtp.DialTLS(a, anyone) },
	}
}

func TestSinkTakesTheMessagesOfItsProbe(t *testing.T) {
	for name, dial := range clients() {
		t.Run(name, func(t *testing.T) {
			s, address := testSink(t)
			c, err := dial(address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Hello("localhost"); err != nil {
				t.Fatal(err)
			}
			for extension, want := range map[string]bool{"8BITMIME": true, "AUTH": false, "STARTTLS": name == "in the clear"} {
				if got, _ := c.Extension(extension); got != want {
					t.Errorf("%s offered: %v, want %v", extension, got, want)
				}
			}
			text := "Subject: x\r\n\r\n" + testNonce + "-0\r\n"
			if err := c.SendMail("mailsetup-x@[127.83.77.1]", []string{"relay@[127.83.77.1]"}, strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
			if err := c.Noop(); err != nil { // answered after the message was counted
				t.Fatal(err)
			}
			if data, ok := s.received(testNonce+"-0", "relay"); !ok || string(data) != text {
				t.Errorf("got %q, %v", data, ok)
			}
			if _, ok := s.received(testNonce+"-0", "smtp"); ok || s.count() != 1 {
				t.Errorf("%d messages", s.count())
			}
		})
	}
}

func TestSinkRefusesAllElse(t *testing.T) {
	for _, tt := range []struct{ name, from, to, text, want string }{
		{"a bounce of another message", "", "mailsetup-x@[127.83.77.1]", testNonce, "no bounces"},
		{"mail to where bounces go", "a@lab.example", "mailsetup-0123456789abcdef@[127.83.77.1]", testNonce, "not an address"},
		{"what is to be bounced", "a@lab.example", "refused-0123456789abcdef@[127.83.77.1]", testNonce, "so that a bounce is written"},
		{"another domain", "a@lab.example", "smtp@lab.example", testNonce, "not an address"},
		{"another address", "a@lab.example", "smtp@[127.83.77.2]", testNonce, "not an address"},
		{"another probe", "a@lab.example", "smtp@[127.83.77.1]", "fedcba9876543210", "not a message of this probe"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, address := testSink(t)
			c, err := smtp.Dial(address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			err = c.SendMail(tt.from, []string{tt.to}, strings.NewReader("Subject: x\r\n\r\n"+tt.text+"\r\n"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || s.count() != 0 {
				t.Errorf("%v, %d messages", err, s.count())
			}
		})
	}
}

// The bounce of the probe's own message is taken.
func TestSinkTakesItsBounce(t *testing.T) {
	s, address := testSink(t)
	c, err := smtp.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	to := returnAddress(testNonce)
	if err := c.SendMail("", []string{to}, strings.NewReader("Subject: Undelivered\r\n\r\n"+testNonce+"-7\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop(); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.received(testNonce+"-7", "mailsetup-"+testNonce); !ok {
		t.Errorf("%d messages", s.count())
	}
}
