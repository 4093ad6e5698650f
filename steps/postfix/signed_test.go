package postfix_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// told are the notes on a topic, with what to do.
func told(want state.State, topic string) []string {
	var texts []string
	for _, n := range want.Notes {
		if n.Topic == topic {
			texts = append(texts, n.Text, n.Action)
		}
	}
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// TestThePlanSaysWhoseMailIsSigned, once, and only with a plan.
func TestThePlanSaysWhoseMailIsSigned(t *testing.T) {
	networks := func(in *step.Input, all ...string) {
		for _, n := range all {
			in.Facts.Postfix.Networks = append(in.Facts.Postfix.Networks, netip.MustParsePrefix(n))
		}
	}
	for name, tt := range map[string]struct {
		in   func() step.Input
		want string
	}{
		"a Postfix of this run": {steptest.Bare, "mail of @lab.example, when it comes from this machine"},
		"clients and users": {func() step.Input {
			in := steptest.Tuned(nil, steptest.Service("submission/inet smtpd", "smtpd_sasl_auth_enable=yes"))
			networks(&in, "127.0.0.0/8", "::1/128", "10.1.0.0/16", "2001:db8:1::/48")
			return in
		}, "mail of @lab.example, when it comes from this machine, from 10.1.0.0/16 and 2001:db8:1::/48 (mynetworks) and from users who log in"},
		"any domain": {func() step.Input {
			in := steptest.Bare()
			in.Spec.Domains[0].Also = []string{"*"}
			return in
		}, `mail of every sender, of any domain (also = "*"), when it comes from this machine`},
		"clients without some": {func() step.Input {
			in := steptest.Tuned(nil)
			networks(&in, "10.1.0.0/16")
			in.Facts.Postfix.ExcludedNetworks = steptest.Networks("10.1.0.5/32", "10.1.2.0/24")
			return in
		}, "mail of @lab.example, when it comes from this machine and from 10.1.0.0/16 without 10.1.0.5/32 and 10.1.2.0/24 (mynetworks)"},
		"a null client": {func() step.Input {
			in := steptest.Tuned([]string{"inet_interfaces = loopback-only"})
			networks(&in, "10.1.0.0/16")
			return in
		}, "mail of @lab.example, when it comes from this machine"},
		"nothing listens": {func() step.Input {
			in := steptest.Tuned(nil)
			in.Facts.Postfix.Services = in.Facts.Postfix.Services[1:]
			networks(&in, "10.1.0.0/16")
			return in
		}, "mail of @lab.example, when it comes from this machine"},
		"a postscreen and many domains": {func() step.Input {
			in := steptest.Tuned(nil)
			in.Facts.Postfix.Services = []state.Service{steptest.Service("smtp/inet postscreen"), steptest.Service("smtpd/pass smtpd")}
			networks(&in, "10.1.0.0/16")
			for _, name := range []string{"a.example", "b.example", "c.example"} {
				d := in.Spec.Domains[0]
				d.Name = name
				in.Spec.Domains = append(in.Spec.Domains, d)
				in.Facts.Zones = state.SortZones(append(in.Facts.Zones, state.Zone{Origin: name + ".", Kind: "primary", File: "/etc/bind/db"}))
			}
			return in
		}, "mail of @lab.example, @a.example, @b.example and 1 more, when it comes from this machine and from 10.1.0.0/16 (mynetworks)"},
	} {
		t.Run(name, func(t *testing.T) {
			want := steptest.Build(t, tt.in())
			if d := cmp.Diff([]string{tt.want}, told(want, "signed")); d != "" {
				t.Error(d)
			}
			i := slices.IndexFunc(want.Notes, func(n state.Note) bool { return n.Topic == "signed" })
			if i < 0 || !want.Notes[i].Informational {
				t.Error("said again when there is nothing to do")
			}
		})
	}
}

func TestMailThatLeavesUnsigned(t *testing.T) {
	in := steptest.Tuned([]string{
		"mydestination = mail.lab.example, localhost.lab.example, localhost, lab.example, shop.example",
		"virtual_mailbox_domains = hash:/etc/postfix/vdomains, club.example, $mydomain",
		"virtual_alias_domains = shop.example",
	})
	want := []string{"Postfix delivers for club.example and shop.example, too; mail of those addresses leaves unsigned", "mailsetup add-domain club.example shop.example"}
	if d := cmp.Diff(want, told(steptest.Build(t, in), "unsigned")); d != "" {
		t.Error(d)
	}
	if got := told(steptest.Build(t, steptest.Installed()), "unsigned"); len(got) > 0 {
		t.Errorf("a server of one domain: %q", got)
	}
}

func TestARelayNeedsItsPlaceInSPF(t *testing.T) {
	in := steptest.Tuned([]string{"relayhost = [smtp.provider.example]:587"})
	want := []string{
		"mail leaves through [smtp.provider.example]:587; the SPF record of lab.example does not name the addresses it sends from",
		"mailsetup init --spf-include DOMAIN, with the one that the relay's operator names",
	}
	if d := cmp.Diff(want, told(steptest.Build(t, in), "relayhost")); d != "" {
		t.Error(d)
	}
	in.Facts.SPF = map[string]state.SPF{"lab.example": {Record: "v=spf1 include:_spf.provider.example ~all"}}
	if got := told(steptest.Build(t, in), "relayhost"); len(got) > 0 {
		t.Errorf("a record that names somebody: %q", got)
	}
	in.Facts.SPF = nil
	in.Spec.Domains = slices.Clone(in.Spec.Domains)
	in.Spec.Domains[0].SPF = spec.SPF{All: "softfail", Include: []string{"_spf.provider.example"}}
	if got := told(steptest.Build(t, in), "relayhost"); len(got) > 0 {
		t.Errorf("an include was asked for: %q", got)
	}
}

func TestUsersWhoLogInNeedTheirMacro(t *testing.T) {
	login := steptest.Service("submission/inet smtpd", "smtpd_sasl_auth_enable=yes")
	const topic = "milter_mail_macros"
	for _, tt := range []struct {
		in   step.Input
		want []string
	}{
		{steptest.Tuned([]string{"milter_mail_macros = i {mail_addr}"}), nil}, // nobody logs in
		{steptest.Tuned([]string{"milter_mail_macros = i {auth_type}"}, login), nil},
		{steptest.Tuned(nil, login), nil},
		{steptest.Tuned([]string{"milter_mail_macros = i {mail_addr}"}, login), []string{
			"milter_mail_macros lacks {auth_type}: mail of users who log in from outside leaves unsigned",
			"postconf -e 'milter_mail_macros = i {mail_addr} {auth_type}' && postfix reload",
		}},
		{steptest.Tuned(nil, steptest.Service("submission/inet smtpd", "smtpd_sasl_auth_enable=yes", "milter_mail_macros=i")), []string{
			"/etc/postfix/master.cf:12: service submission/inet sets milter_mail_macros without {auth_type}: mail of users who log in there leaves unsigned",
			"postconf -P 'submission/inet/milter_mail_macros=i,{auth_type}' && postfix reload",
		}},
	} {
		if d := cmp.Diff(tt.want, told(steptest.Build(t, tt.in), topic)); d != "" {
			t.Error(d)
		}
	}
}

func TestFurtherInstances(t *testing.T) {
	in := steptest.Tuned([]string{"alternate_config_directories = /etc/postfix-out, /srv/postfix"})
	in.Facts.Postfix.Instances = []string{"/etc/postfix-out"}
	want := []string{"Postfix has further instances (/etc/postfix-out and /srv/postfix): they are left alone, and their mail is not signed by this set-up"}
	if d := cmp.Diff(want, told(steptest.Build(t, in), "instances")); d != "" {
		t.Error(d)
	}
}

// The plan names every source whose mail is signed.
func TestSignedForNamesEverySource(t *testing.T) {
	in := steptest.Tuned(nil, steptest.Service("submission/inet smtpd", "smtpd_sasl_auth_enable=yes"))
	in.Facts.Postfix.Networks = steptest.Networks("127.0.0.0/8", "198.51.100.0/24")
	in.Spec.Host.Trusted = []string{"10.20.0.0/16", ".example.org"}
	got := postfix.SignedFor(in)[0].Text
	for _, want := range []string{"from 198.51.100.0/24 (mynetworks)", "from 10.20.0.0/16 and .example.org (trusted of " + string(spec.HostFile) + ")"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\ndoes not say %s", got, want)
		}
	}
}
