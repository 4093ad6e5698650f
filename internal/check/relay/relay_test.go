package relay_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/relay"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Relaying is a problem only where a stranger gets to DATA; what is refused for now may
// be either.
func TestRelay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault func(*world)
		want  []string
	}{
		{"all is well", func(*world) {}, nil},
		{"strangers may relay", func(w *world) { w.relays = true }, []string{"problem relay.open"}},
		{"the Internet is in mynetworks", func(w *world) {
			w.server.Facts.Postfix.Networks = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		}, []string{"problem relay.open"}},
		{"no address of a stranger, and restrictions as they should be", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"
		}, nil},
		{"no address of a stranger, and permit", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit"
		}, []string{"problem relay.open"}},
		{"no address of a stranger, and a table", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "check_client_access hash:/etc/postfix/relay, reject"
		}, []string{"unknown relay.open"}},
		{"no address of a stranger, and a service whose table lets all relay", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks, defer_unauth_destination"
			w.server.Facts.Postfix.Services[0].Options = []state.Option{
				{Name: "smtpd_relay_restrictions", Value: "check_client_access,static:OK,defer_unauth_destination"},
			}
		}, []string{"unknown relay.open"}},
		{"no address of a stranger, and a service with permit", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks, defer_unauth_destination"
			w.server.Facts.Postfix.Services[0].Options = []state.Option{{Name: "smtpd_relay_restrictions", Value: "permit"}}
		}, []string{"problem relay.open"}},
		{"no address of a stranger, and a service with networks of its own", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks, defer_unauth_destination"
			w.server.Facts.Postfix.Services[0].Options = []state.Option{{Name: "mynetworks", Value: "0.0.0.0/0"}}
		}, []string{"unknown relay.open"}},
		{"no address of a stranger, and a refusal that only warns", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks, warn_if_reject reject_unauth_destination, permit"
		}, []string{"problem relay.open"}},
		{"no address of a stranger, and a restriction that is not known", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mx_backup, reject"
		}, []string{"unknown relay.open"}},
		{"no address of a stranger, and other refusals first", func(w *world) {
			w.server.Facts.Addresses = nil
			w.server.Facts.Postfix.Value["smtpd_recipient_restrictions"] = "reject_non_fqdn_recipient, reject_rbl_client zen.example, reject_unauth_destination"
		}, nil},
		{"postscreen makes strangers wait", func(w *world) {
			w.relays = true
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "smtpd/pass", Command: "smtpd"})
			w.server.Facts.Postfix.Services[0].Command = "postscreen"
			w.server.Facts.Postfix.Value["smtpd_recipient_restrictions"] = "permit_mynetworks, reject_unauth_destination"
		}, nil},
		{"a postmaster who reads of each refusal", func(w *world) {
			w.relays, w.unknown = true, []string{"abuse@lab.example"}
			w.server.Facts.Postfix.Raw["notify_classes"] = "resource, policy"
			w.server.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks, reject"
		}, []string{"unknown relay.postmaster"}},
		{"nobody listens at the first address", func(w *world) {
			w.server.Facts.Addresses = []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.99"), netip.MustParseAddr("127.0.0.2")}
		}, nil},
		{"this machine only", func(w *world) { w.relays, w.server.Facts.Postfix.Value["inet_interfaces"] = true, "loopback-only" }, nil},
		{"no postmaster", func(w *world) { w.unknown = []string{"postmaster@lab.example"} }, []string{"warning relay.postmaster"}},
		{"no abuse", func(w *world) { w.unknown = []string{"abuse@lab.example"} }, []string{"warning relay.abuse"}},
		{"not for its domains", func(w *world) { w.unknown, w.domains[0].Receives = []string{"abuse@lab.example"}, false }, nil},
		{"Postfix refuses all mail of the domain", func(w *world) {
			w.domains[0].Wanted = &spec.Domain{Name: "lab.example", Receive: true}
			w.server.Facts.Postfix.Value["mydestination"], w.server.Facts.MailDomains = "localhost", map[string]state.MailDomain{"lab.example": {Class: state.ClassDefault}}
		}, []string{"warning relay.postmaster <- mx.ours", "warning relay.abuse <- mx.ours"}},
		{"no way back", func(w *world) { w.records = w.records[:1] }, []string{"warning relay.return <- mx.exists"}},
		{"no way back, as declared", func(w *world) { w.records, w.domains[0].Receives = w.records[:1], false }, []string{"note relay.return"}},
		{"an address without an MX", func(w *world) { w.records[1] = "lab.example. 60 IN A 192.0.2.10" }, nil},
		{"nobody listens", func(w *world) { w.server.Facts.SMTPAddress = "127.0.0.1:1" }, []string{"unknown relay.open <- live.units"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.fault(w)
			for _, all := range []bool{false, true} {
				r := relay.Check(t.Context(), w.server, w.domains, relay.Options{AllSpellings: all})
				r.Add(relay.Return(t.Context(), w.resolver(), w.server, w.domains[0]))
				findingtest.Remedies(t, r.Findings)
				got := lines(r)
				if !slices.Equal(got, tt.want) {
					t.Errorf("all spellings %v: %q, want %q", all, got, tt.want)
				}
			}
		})
	}
}

func TestBanner(t *testing.T) {
	w := newWorld(t)
	if got := relay.Banner(t.Context(), w.server).Findings[0]; got.Severity != finding.OK || got.Seen != "220 mail.lab.example" {
		t.Errorf("%+v", got)
	}
	w.server.Name = "mx.lab.example"
	if got := relay.Banner(t.Context(), w.server).Findings[0]; got.Severity != finding.Note || !strings.HasPrefix(got.Seen, "220 mail.lab.example") || got.Expected != "220 mx.lab.example" {
		t.Errorf("%+v", got)
	}
}
