package livepath

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/internal/state"
)

const testMessage = "From: <root@mail.lab.example>\r\nTo: <smtp@[127.83.77.1]>\r\nSubject: a\r\n\r\nThis message.\r\n"

// signing is a key of lab.example, and what signs with it.
func signing(t *testing.T) (state.Signer, func(string) string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(text string) string {
		var out bytes.Buffer
		o := &dkim.SignOptions{Domain: "lab.example", Selector: "s1", Signer: key, HeaderCanonicalization: dkim.CanonicalizationRelaxed}
		if err := dkim.Sign(&out, strings.NewReader(text), o); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	return state.Signer{
		From: "root@mail.lab.example", Domain: "lab.example", Selector: "s1",
		Public: "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public),
	}, sign
}

func TestJudge(t *testing.T) {
	want, sign := signing(t)
	_, others := signing(t)
	signed := sign(testMessage)
	for _, tt := range []struct {
		name, arrived string
		signatures    int
		broken        string
		changed       []string
	}{
		{"as signed", "Received: by x\r\n" + signed, 1, "", nil},
		{"subject", strings.Replace(signed, "Subject: a", "Subject: [x] a", 1), 1, "signature did not verify", []string{"Subject"}},
		{"body", strings.Replace(signed, "This", "That", 1), 1, "body hash did not verify", []string{"the body"}},
		{"unsigned", testMessage, 0, "it carries no signature of lab.example", nil},
		{"two signers", others(signed), 2, "", nil},
		{"another's alone", others(testMessage), 1, "does not verify with the key s1._domainkey.lab.example", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Delivery{Signer: want}
			d.inspect(message{text: []byte(testMessage)}, []byte(tt.arrived))
			if d.Signatures != tt.signatures || !strings.Contains(d.Broken, tt.broken) || (d.Broken == "") != (tt.broken == "") {
				t.Errorf("%d signatures, broken: %q", d.Signatures, d.Broken)
			}
			if !slices.Equal(d.Changed, tt.changed) {
				t.Errorf("changed: %q, want %q", d.Changed, tt.changed)
			}
		})
	}
}

func TestSentence(t *testing.T) {
	lab := state.Signer{Domain: "lab.example"}
	for _, tt := range []struct {
		name string
		r    Result
		want string
	}{
		{
			"all",
			Result{Deliveries: []Delivery{
				{Way: Sendmail, Transport: "smtp", Signatures: 1, Signer: lab},
				{Way: Sendmail, Transport: "relay", Signatures: 1, Signer: lab},
				{Way: Port25, Transport: "smtp", Signatures: 1, Signer: lab},
				{Way: Port25, Transport: "relay", Signatures: 1, Signer: lab},
			}},
			"Messages by sendmail and by port 25 went through Postfix (smtp, relay) to a server of ours on this machine, and their signatures hold there.",
		},
		{
			"two signatures, one way, one transport",
			Result{
				Deliveries: []Delivery{{Way: Sendmail, Transport: "smtp", Signatures: 2, Signer: lab}, {Way: Sendmail, Transport: "relay", Missing: "deferred transport"}},
				Refused:    map[Way]string{Port25: "554 Relay access denied."},
			},
			"Messages by sendmail went through Postfix (smtp) to a server of ours on this machine, and their signatures hold there. " +
				"Each has 2 signatures of lab.example, where one is enough: something else signs as well. " +
				"Not tried by port 25: 554 Relay access denied. Not known of relay: deferred transport.",
		},
		{"none sent", Result{NotSentReason: "it would go elsewhere"}, "What Postfix does with it after that is not known: it would go elsewhere."},
		{"none arrived", Result{Deliveries: []Delivery{{Way: Sendmail, Transport: "smtp", Missing: "connect: refused"}}}, "What Postfix does with it after that is not known: connect: refused."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.r.Summary(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
