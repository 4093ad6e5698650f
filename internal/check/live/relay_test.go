package live_test

import (
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/live"
	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
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
				r := live.Relay(t.Context(), w, w.server, w.domains, live.RelayOptions{AllSpellings: all})
				r.Add(live.Return(t.Context(), w.resolver(), w.server, w.domains[0]))
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
	if got := live.Banner(t.Context(), w.server).Findings[0]; got.Severity != finding.OK || got.Seen != "220 mail.lab.example" {
		t.Errorf("%+v", got)
	}
	w.server.Name = "mx.lab.example"
	if got := live.Banner(t.Context(), w.server).Findings[0]; got.Severity != finding.Note || !strings.HasPrefix(got.Seen, "220 mail.lab.example") || got.Expected != "220 mx.lab.example" {
		t.Errorf("%+v", got)
	}
}

// Only a file that nobody but root can read may have a password.
func TestReadLogin(t *testing.T) {
	const ownFile = "a file of its own, made by install -m 600 /dev/null FILE, with two lines: the user, as it logs in, and the password"
	ann := state.Owner{User: "ann", Group: "ann"}
	for _, tt := range []struct {
		name, file string
		mode       fs.FileMode
		owner      state.Owner
		text       string
		says, hint string
	}{
		{"right", "/root/login", 0o600, state.Root, "ann@lab.example\nsecret word\n", "", ""},
		{"without a final line break", "/root/login", 0o400, state.Root, "ann\nsecret", "", ""},
		{"others may read it", "/root/login", 0o640, state.Root, "ann\nsecret\n", "--login /root/login: root:root, mode 0640: others could read the password", ownFile},
		{"somebody else's", "/root/login", 0o600, ann, "ann\nsecret\n", "--login /root/login: ann:ann, mode 0600", ownFile},
		{"no password", "/root/login", 0o600, state.Root, "ann\n", "not a user and a password", ownFile},
		{"three lines", "/root/login", 0o600, state.Root, "ann\nsecret\nmore\n", "not a user and a password", ownFile},
		{"no such file", "/root/other", 0o600, state.Root, "", "--login /root/other: is no regular file", ownFile},
		{"not a whole path", "login", 0o600, state.Root, "", "--login login: ", "name it with its whole path, as in /root/login"},
	} {
		m := systemtest.NewMem()
		m.Put("/root/login", state.Object{Kind: state.Regular, Mode: tt.mode, Owner: tt.owner, Content: []byte(tt.text)})
		l, err := live.ReadLogin(m, tt.file)
		switch {
		case tt.says == "" && (err != nil || !strings.HasPrefix(l.User, "ann") || !strings.HasPrefix(l.Password, "secret")):
			t.Errorf("%s: %v, %v", tt.name, l, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || !slices.Equal(hint.Of(err), []string{tt.hint})):
			t.Errorf("%s: %v, %q", tt.name, err, hint.Of(err))
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the password is in the error", tt.name)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, a := range []string{"ann@example.org", "ann+x.y@mail.example.org"} {
		if err := live.Address(a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{"", "ann", "-oQ/tmp@example.org", "Ann <ann@example.org>", "ann@example.org, bob@example.org", "ann@example.org\nX: y", "ann@localhost", "|x@example.org"} {
		if live.Address(a) == nil {
			t.Errorf("%q is taken", a)
		}
	}
}

// What became of a message that left is read in the journal, by its queue ID.
func TestSendTo(t *testing.T) {
	const to = "bob@remote.example"
	for _, tt := range []struct{ name, log, severity, seen string }{
		{"taken", "4A: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77)", "ok", "mx.remote.example[192.0.2.25]:25 took it: 250 2.0.0 Ok: queued as 77"},
		{"refused", "4A: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.1, dsn=5.7.26, status=bounced (host mx said: 550 5.7.26 no)", "problem", "mx.remote.example[192.0.2.25]:25 refused it: host mx said: 550 5.7.26 no"},
		{"waits", "4A: to=<bob@remote.example>, relay=none, delay=30, dsn=4.4.1, status=deferred (connect to mx: Connection timed out)", "unknown", "it waits: none: connect to mx: Connection timed out"},
	} {
		w := newWorld(t)
		w.journal = tt.log
		r := live.Check(t.Context(), w, w.resolver(), w.server, w.domains, live.Options{SendTo: to})
		i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Subject == "to "+to })
		if i < 0 || string(r.Findings[i].Severity) != tt.severity || r.Findings[i].Seen != tt.seen {
			t.Errorf("%s: %+v", tt.name, r.Findings)
		}
		if !strings.Contains(w.left, "From: <postmaster@lab.example>\r\nTo: <bob@remote.example>") {
			t.Errorf("%s: it sent %q", tt.name, w.left)
		}
	}
}
