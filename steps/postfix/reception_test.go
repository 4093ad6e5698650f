package postfix_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// Whether mail for a domain comes here, and whether Postfix takes it, is told in one
// line for all domains; where a domain belongs depends on what Postfix has of it.
func TestReceptionNotes(t *testing.T) {
	refused, mailbox := state.MailDomain{Class: state.ClassDefault}, state.MailDomain{Class: state.ClassVirtualMailbox}
	names := func(receive bool, all ...string) (list []spec.Domain) {
		for _, name := range all {
			list = append(list, spec.Domain{Name: name, Receive: receive})
		}
		return list
	}
	type domains = map[string]state.MailDomain
	for name, c := range map[string]struct {
		spec []spec.Domain
		main []string
		is   domains
		live map[string]state.LiveDNS
		want []string
	}{
		"taken": {names(true, "a.example", "b.example"), nil, domains{"a.example": mailbox, "b.example": {Class: state.ClassRelay}}, nil, nil},
		"refused": {names(true, "a.example", "b.example", "c.example"), nil, domains{"a.example": refused, "b.example": refused, "c.example": {Class: state.ClassLocal}}, nil, []string{
			`Postfix does not take mail for a.example and b.example yet: others are told "Relay access denied"`,
			"postconf -e 'mydestination = mail.lab.example, lab.example, localhost, a.example, b.example' && systemctl reload postfix",
		}},
		"refused, with names of main.cf": {names(true, "a.example"), []string{"mydestination = $myhostname, hash:/etc/postfix/more localhost"}, domains{"a.example": refused}, nil, []string{
			`Postfix does not take mail for a.example yet: others are told "Relay access denied"`,
			"postconf -e 'mydestination = $myhostname, hash:/etc/postfix/more, localhost, a.example' && systemctl reload postfix",
		}},
		"refused, and nothing is local": {names(true, "a.example"), []string{"mydestination = "}, domains{"a.example": refused}, nil, []string{
			`Postfix does not take mail for a.example yet: others are told "Relay access denied"`, "postconf -e 'mydestination = a.example' && systemctl reload postfix",
		}},
		"refused, and left out by name": {names(true, "a.example"), []string{"mydestination = !a.example, /etc/postfix/names"}, domains{"a.example": refused}, nil, []string{
			`Postfix does not take mail for a.example yet: others are told "Relay access denied"`, "add it to mydestination or virtual_mailbox_domains",
		}},
		"where domains are virtual": {names(true, "a.example"), []string{"virtual_mailbox_domains = hash:/etc/postfix/vd"}, domains{"a.example": refused}, nil, []string{
			`Postfix does not take mail for a.example yet: others are told "Relay access denied"`, "add it to virtual_mailbox_domains (hash:/etc/postfix/vd)",
		}},
		"aliases alone": {names(true, "a.example"), []string{"virtual_alias_domains = b.example"}, domains{"a.example": refused}, nil, []string{
			`Postfix does not take mail for a.example yet: others are told "Relay access denied"`, "add it to virtual_alias_domains",
		}},
		"with addresses": {
			names(true, "a.example", "b.example"),
			[]string{"virtual_mailbox_domains = hash:/etc/postfix/vd"},
			domains{"a.example": {Class: state.ClassDefault, AddressesIn: "virtual_alias_maps"}, "b.example": {Class: state.ClassDefault, AddressesIn: "virtual_mailbox_maps"}},
			nil,
			[]string{
				`Postfix does not take mail for a.example yet: others are told "Relay access denied"`, "add it to virtual_alias_domains",
				`Postfix does not take mail for b.example yet: others are told "Relay access denied"`, "add it to virtual_mailbox_domains (hash:/etc/postfix/vd)",
			},
		},
		"a table that is down": {names(true, "a.example", "b.example"), nil, domains{
			"a.example": {Unknown: "virtual_mailbox_domains: ask table mysql:/v.cf: refused"}, "b.example": {Unknown: "virtual_mailbox_domains: ask table mysql:/v.cf: refused"},
		}, nil, []string{
			"could not find out whether Postfix takes mail for a.example and b.example: virtual_mailbox_domains: ask table mysql:/v.cf: refused",
			"send a message to a.example from elsewhere, and see what Postfix says to it",
		}},
		"kept here": {names(false, "a.example", "b.example", "c.example", "d.example"), []string{"virtual_mailbox_domains = hash:/etc/postfix/vd"}, domains{
			"a.example": {Class: state.ClassLocal}, "b.example": mailbox, "c.example": {Class: state.ClassRelay}, "d.example": {Unknown: "down"},
		}, nil, []string{
			"Postfix keeps mail for a.example here, although it is received elsewhere: mail from this machine to colleagues never leaves", "take it out of mydestination",
			"Postfix keeps mail for b.example here, although it is received elsewhere: mail from this machine to colleagues never leaves", "take it out of virtual_mailbox_domains (hash:/etc/postfix/vd)",
		}},
		"nobody's": {
			names(false, "a.example", "b.example"), nil,
			domains{"a.example": refused, "b.example": refused},
			map[string]state.LiveDNS{"a.example": {Asked: true}, "b.example": {Asked: true, MX: []string{"mx.far.example"}}},
			[]string{"no MX record for a.example: Postfix does not take that mail", "once it does: mailsetup init --domain a.example --receive yes"},
		},
		"without an MX": {
			names(false, "a.example"), nil,
			domains{"a.example": mailbox},
			map[string]state.LiveDNS{"a.example": {Asked: true}},
			[]string{"no MX record for a.example, although Postfix takes that mail", "mailsetup init --domain a.example --receive yes"},
		},
		"on the loopback": {names(true, "a.example"), []string{"inet_interfaces = loopback-only"}, domains{"a.example": mailbox}, nil, []string{
			"the MX record points here, but Postfix listens on loopback-only: no other server can deliver", "postconf -e inet_interfaces=all, then restart Postfix; or mailsetup init --domain a.example --receive no",
		}},
		"a directory": {names(true, "lab.example", "a.example"), nil, nil, nil, []string{
			`Postfix does not take mail for a.example yet: others are told "Relay access denied"`, "add it to mydestination or virtual_mailbox_domains",
		}},
		"a directory with tables": {names(true, "lab.example", "a.example"), []string{"virtual_mailbox_domains = hash:/etc/postfix/vd"}, nil, nil, nil},
	} {
		in := steptest.Tuned(c.main)
		in.Spec.Domains, in.Facts.MailDomains, in.Facts.Live = c.spec, c.is, c.live
		var got []string
		for _, n := range postfix.ReceptionNotes(in) {
			got = append(got, n.Text, n.Action)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		in.Scope = step.Only()
		if more := postfix.ReceptionNotes(in); len(more) > 0 {
			t.Errorf("%s: about domains that the run is not about: %v", name, more)
		}
	}
	// A Postfix that this run installed is told what is local.
	in := steptest.Tuned([]string{"mydestination = lab.example, localhost"})
	in.Spec.Host.Hostname, in.Facts.Postfix.Fresh = "lab.example", true
	in.Spec.Domains = names(false, "lab.example")
	in.Facts.MailDomains = domains{"lab.example": {Class: state.ClassLocal}}
	if got := postfix.ReceptionNotes(in); len(got) > 0 {
		t.Errorf("of a Postfix of this run: %v", got)
	}
	in.Facts.Postfix = nil
	if got := postfix.ReceptionNotes(in); len(got) > 0 {
		t.Errorf("without Postfix: %v", got)
	}
}

// Domains in tables are named like others, and tables that cannot be listed are.
func TestUnsignedDomainsInTables(t *testing.T) {
	in := steptest.Tuned([]string{"virtual_mailbox_domains = hash:/etc/postfix/vd, mysql:/etc/postfix/vd.cf"})
	in.Facts.Postfix.Listed = []string{"lab.example", "shop.example", "ann"}
	in.Facts.Postfix.Unlisted = []string{"mysql:/etc/postfix/vd.cf (virtual_mailbox_domains)"}
	want := []string{
		"Postfix delivers for shop.example, too; mail of those addresses leaves unsigned", "mailsetup add-domain shop.example",
		"which domains are in mysql:/etc/postfix/vd.cf (virtual_mailbox_domains) could not be found out: mail of those that mailsetup does not have leaves unsigned",
		"mailsetup list shows those that it has, and mailsetup add-domain DOMAIN adds others",
	}
	if d := cmp.Diff(want, told(steptest.Build(t, in), "unsigned")); d != "" {
		t.Error(d)
	}
}
