package steps

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"mailsetup/internal/spec"
)

func networks(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestStrangersAreNotSigned(t *testing.T) {
	for _, c := range []struct {
		trusted, networks string
		want, hint        string // "" for none
	}{
		{"0.0.0.0/0", "127.0.0.0/8", "0.0.0.0/0 (trusted of /etc/mailsetup/host.toml) is trusted", "in trusted of /etc/mailsetup/host.toml"},
		{"0.0.0.0/1", "127.0.0.0/8 128.0.0.0/1", "0.0.0.0/1 (trusted of /etc/mailsetup/host.toml) and 128.0.0.0/1 (mynetworks of Postfix) is trusted", "mynetworks of main.cf"},
		{"", "0.0.0.0/0 ::/0", "0.0.0.0/0 and ::/0 (mynetworks of Postfix) is trusted", "Postfix relays for all in it"},
		{"10.0.0.0/8 .example.org 192.0.2.0/24", "127.0.0.0/8 198.51.100.0/24", "", ""},
	} {
		in := installed()
		in.Facts.Postfix.Networks = networks(strings.Fields(c.networks)...)
		in.Spec.Host.Trusted = strings.Fields(c.trusted)
		_, _, err := OpenDKIM(in)
		var refusal *Refusal
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s and %s: %v", c.trusted, c.networks, err)
		case c.want != "" && (!errors.As(err, &refusal) || !strings.Contains(refusal.What, c.want) || !strings.Contains(refusal.Hint, c.hint)):
			t.Errorf("%s and %s: %+v, want %s", c.trusted, c.networks, err, c.want)
		}
	}
}

// The plan names every source whose mail is signed.
func TestSignedForNamesEverySource(t *testing.T) {
	in := tuned(nil, service("submission/inet smtpd", "smtpd_sasl_auth_enable=yes"))
	in.Facts.Postfix.Networks = networks("127.0.0.0/8", "198.51.100.0/24")
	in.Spec.Host.Trusted = []string{"10.20.0.0/16", ".example.org"}
	got := signedFor(in)[0].Text
	for _, want := range []string{"from 198.51.100.0/24 (mynetworks)", "from 10.20.0.0/16 and .example.org (trusted of " + string(spec.HostFile) + ")"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\ndoes not say %s", got, want)
		}
	}
}
