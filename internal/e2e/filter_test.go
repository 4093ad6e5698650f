//go:build e2e

package e2e

import (
	"bytes"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// filterMain and filterMaster are what the documentation of amavis has.
const (
	filterMain = `content_filter = smtp-amavis:[127.0.0.1]:10024
virtual_alias_domains = shop.example
virtual_alias_maps = hash:/etc/postfix/virtual
`
	filterMaster = `smtp-amavis unix -      -       y       -       2       smtp
    -o smtp_data_done_timeout=1200
    -o smtp_send_xforward_command=yes
    -o disable_dns_lookups=yes
    -o max_use=20
`
	backMaster = `127.0.0.1:10025 inet n  -       y       -       -       smtpd
    -o content_filter=
    -o local_recipient_maps=
    -o relay_recipient_maps=
    -o smtpd_restriction_classes=
    -o smtpd_recipient_restrictions=permit_mynetworks,reject
    -o mynetworks=127.0.0.0/8
    -o strict_rfc821_envelopes=yes
`
	backOverrides = "    -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks"
)

// TestContentFilter: mail that passes Postfix twice is signed once, on the
// first pass, where it is known who sends it. What comes back from the filter
// comes from this machine, whoever sent it.
func TestContentFilter(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Write(t, "/etc/postfix/virtual", "info@shop.example bob@remote.example\n", 0o644)
		b.Sh(t, "postmap hash:/etc/postfix/virtual; postconf -e 'mynetworks = 127.0.0.0/8 [::1]/128, 10.20.30.0/24'")
		main, master := b.Read(t, "/etc/postfix/main.cf"), b.Read(t, "/etc/postfix/master.cf")
		write := func(mainMore, masterMore string) {
			b.Write(t, "/etc/postfix/main.cf", main+mainMore, 0o644)
			b.Write(t, "/etc/postfix/master.cf", master+masterMore, 0o644)
			b.Run(t, "postfix", "reload")
		}
		filtersRefused(t, b, write)

		b.ContentFilter(t, "127.0.0.1:10024", "127.0.0.1:10025")
		write(filterMain, filterMaster+backMaster+backOverrides+"\n")
		was := look(t, b)
		_, said := product(t, b, 2, initArgs()...)
		says(t, said, "127.0.0.1:10025/inet", "content filter", "--service-milters merge")
		asBefore(t, b, was)
		product(t, b, 2, initArgs("--service-milters", "keep")...) // it cannot be left so
		asBefore(t, b, was)
		out, _ := product(t, b, 0, initArgs("--service-milters", "merge")...)
		says(t, oneLine(out), "mail is signed once, before it goes to smtp-amavis:[127.0.0.1]:10024",
			"Mail of this server leaves signed. Messages by sendmail and by port 25 went through Postfix (smtp, relay) to a server of ours")
		if got, want := b.Read(t, "/etc/postfix/master.cf"), master+filterMaster+backMaster+backOverrides+"\n    -o smtpd_milters=\n"; got != want {
			t.Errorf("master.cf ends in\n%s", got[len(master):])
		}
		throughTheFilter(t, b, sink)
		b.PowerCut(t)
		listens(t, b, "10024", "10025", "25")
		throughTheFilter(t, b, sink)
		nothingChanges(t, b, initArgs()...)
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))

		write(filterMain, filterMaster+backMaster+backOverrides+",no_milters\n")
		product(t, b, 0, initArgs()...) // right already: nothing to ask
		if got := b.Read(t, "/etc/postfix/master.cf"); got != master+filterMaster+backMaster+backOverrides+",no_milters\n" {
			t.Errorf("master.cf ends in\n%s", got[len(master):])
		}
		throughTheFilter(t, b, sink)
	})
}

// throughTheFilter sends every kind of mail and a forgery. All but the bounce,
// which Postfix writes itself, come from the filter.
func throughTheFilter(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	before := sink.Count()
	everyKind(t, b, sink)
	forgedUnsigned(t, b, sink)
	for _, m := range sink.Messages(t)[before:] {
		head, _, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
		bounce := bytes.Contains(head, []byte("MAILER-DAEMON"))
		if scanned := bytes.Contains(head, []byte("X-Virus-Scanned: lab")); scanned == bounce {
			t.Errorf("through the filter: %v\n%s", scanned, m.Data)
		}
	}
}

// filtersRefused: where nobody could tell what comes back, the line is named
// and nothing is touched.
func filtersRefused(t *testing.T, b *lab.Box, write func(main, master string)) {
	t.Helper()
	for _, tt := range []struct {
		main, master, line string
		words              []string
	}{
		{filterMain, filterMaster, "/etc/postfix/main.cf: content_filter = smtp-amavis:[127.0.0.1]:10024", []string{"no service", "takes mail back"}},
		{
			"", `2525 inet n - y - - smtpd
  -o smtpd_proxy_filter=127.0.0.1:10024
`, "-o smtpd_proxy_filter=127.0.0.1:10024", []string{"smtpd_proxy_filter", "no service", "takes mail back"},
		},
	} {
		write(tt.main, tt.master)
		was := look(t, b)
		_, said := product(t, b, 2, initArgs("--service-milters", "merge")...)
		if strings.HasPrefix(tt.line, "-o") {
			tt.line = "/etc/postfix/master.cf:" + lineOf(b.Read(t, "/etc/postfix/master.cf"), tt.line)
		}
		says(t, strings.Join(strings.Fields(said), " "), append(tt.words, tt.line, "hint:")...)
		asBefore(t, b, was)
	}
}
