package postfix

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestDomains(t *testing.T) {
	m := detecttest.New()
	m.PutFile("/etc/postfix/relayed", "far.example # not a comment to Postfix\n")
	m.Answers["postmap -q"] = system.Result{Code: 1}
	m.Says("postmap -q shop.example hash:/etc/postfix/vd", "x\n")
	m.Says("postmap -q @old.example hash:/etc/postfix/va", "ann\n")
	down := system.Result{Code: 1, Stderr: []byte("postmap: warning: unsupported dictionary type: mysql. Is the postfix-mysql package installed?\npostmap: fatal: unsupported dictionary type: mysql\n")}
	p := &state.Postfix{Value: map[string]string{
		"mydestination": "localhost, lab.example", "virtual_mailbox_domains": "proxy:hash:/etc/postfix/vd", "virtual_alias_domains": "hash:/etc/postfix/va",
		"virtual_alias_maps": "hash:/etc/postfix/va", "relay_domains": "/etc/postfix/relayed", "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
	}}
	want := map[string]state.MailDomain{
		"lab.example": {Class: state.ClassLocal}, "shop.example": {Class: state.ClassVirtualMailbox}, "far.example": {Class: state.ClassRelay},
		"old.example": {Class: state.ClassDefault, AddressesIn: "virtual_alias_maps"}, "new.example": {Class: state.ClassDefault},
	}
	names := []string{"lab.example", "shop.example", "far.example", "old.example", "new.example"}
	for _, at := range []int{2, len(names)} { // by name, and all at once
		m.Says("postmap -q - hash:/etc/postfix/vd", "shop.example\tx\n")
		m.Says("postmap -q - hash:/etc/postfix/va", "@old.example\tann\n")
		got := map[string]state.MailDomain{}
		for i := 0; i < len(names); i += at {
			for name, d := range Domains(t.Context(), m, p, names[i:min(i+at, len(names))]) {
				got[name] = d
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d at a time: %s", at, d)
		}
	}
	m.Answers["postmap -q new.example hash:/etc/postfix/vd"] = down
	if got := Domains(t.Context(), m, p, []string{"new.example"})["new.example"]; got.Unknown != "virtual_mailbox_domains: ask table hash:/etc/postfix/vd: unsupported dictionary type: mysql" || got.Class != "" {
		t.Errorf("a table that is down: %+v", got)
	}
}

// A server of others' backup, or with rules of its own, may take mail for more.
func TestWhatLetsOthersIn(t *testing.T) {
	for lists, want := range map[string]string{
		"permit_mynetworks permit_sasl_authenticated defer_unauth_destination|":                          "",
		"permit_mynetworks, reject_unauth_destination, check_policy_service unix:private/policy|":        "",
		"permit_mynetworks, permit_mx_backup, reject_unauth_destination|":                                "permit_mx_backup in smtpd_relay_restrictions",
		"|permit_mynetworks check_recipient_access hash:/etc/postfix/in reject_unauth_destination":       "check_recipient_access in smtpd_recipient_restrictions",
		"permit_mynetworks, reject_unauth_destination|check_recipient_access hash:/in permit":            "",
		"|reject_non_fqdn_sender, reject_rbl_client zen.example.org, sleep 1, reject_unauth_destination": "",
		"|permit_mynetworks, ours": "ours in smtpd_recipient_restrictions",
		"|":                        "",
	} {
		relay, recipient, _ := strings.Cut(lists, "|")
		got := acceptsOthers(&state.Postfix{Value: map[string]string{"smtpd_relay_restrictions": relay, "smtpd_recipient_restrictions": recipient}})
		if got != want {
			t.Errorf("%s: %q, want %q", lists, got, want)
		}
	}
}

func TestListedDomains(t *testing.T) {
	m := detecttest.New()
	m.PutFile("/etc/postfix/names", "# ours\none.example, Two.example\n!not.example hash:/etc/postfix/more\n")
	m.Says("postmap -s hash:/etc/postfix/vd", "shop.example\tx\nann@club.example\tann\n@all.example\tann\nann\tbob\n")
	m.Answers["postmap -s lmdb:/gone"] = system.Result{Code: 1, Stderr: []byte("postmap: fatal: open database /gone.lmdb: No such file or directory\n")}
	p := &state.Postfix{Value: map[string]string{
		"mydestination": "localhost, /etc/postfix/names, /etc/postfix/gone", "virtual_mailbox_domains": "proxy:hash:/etc/postfix/vd, inline:{ {inline.example = x} }",
		"virtual_alias_domains": "lmdb:/gone, pcre:/etc/postfix/va, !hash:/etc/postfix/vd", "relay_domains": "hash:/etc/postfix/relayed",
	}}
	listDomains(t.Context(), m, p)
	if d := cmp.Diff([]string{"one.example", "two.example", "shop.example", "ann", "inline.example"}, p.Listed); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"/etc/postfix/gone (mydestination)", "lmdb:/gone (virtual_alias_domains)", "pcre:/etc/postfix/va (virtual_alias_domains)"}, p.Unlisted); d != "" {
		t.Error(d)
	}
}
