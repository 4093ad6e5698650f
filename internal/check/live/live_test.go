package live_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/live"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func parsePrivate(t *testing.T, text []byte) crypto.Signer {
	t.Helper()
	b, _ := pem.Decode(text)
	if k, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
		return k
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(crypto.Signer)
}

// On a server on which all is well nothing but that is said, and each way was tried.
func TestHealthy(t *testing.T) {
	w := newWorld(t)
	r := live.Check(t.Context(), w, w.resolver(), w.server, w.domains, live.Options{})
	if got := lines(r); len(got) > 0 {
		t.Errorf("%q", got)
	}
	seen := map[string]string{}
	for _, f := range r.Findings {
		seen[f.ID] = f.Seen
	}
	const whole = "signed once by s1._domainkey.lab.example, holds with the key on disk and with DNS"
	for id, want := range map[string]string{
		"live.signed.sendmail": whole + ", by smtp", "live.signed.smtp": whole + ", by smtp", "live.signed.bounce": whole,
		"live.tamper": "none of 6 copies with a letter changed verifies", "live.foreign": "mail in its name from 198.51.100.77 is not signed",
		"live.socket": "the user postfix reaches it, and it answers", "live.milters": "asks the signer",
		"live.keys": "OpenDKIM can use it, and nobody else", "live.units": "runs, starts at boot", "live.stale": "signs as its tables say",
	} {
		if seen[id] != want {
			t.Errorf("%s: %q, want %q", id, seen[id], want)
		}
	}
	var way finding.Message
	for _, m := range r.Messages {
		if m.Way == "smtp" {
			way = m
		}
	}
	var names []string
	for _, s := range way.Stations {
		names = append(names, s.Name+" "+string(s.Severity))
	}
	if want := []string{"smtpd(8), port 25 ok", "OpenDKIM ok", "transport smtp ok", "sink ok", "DNS ok"}; !slices.Equal(names, want) {
		t.Errorf("stations %q, want %q", names, want)
	}
	if o, err := w.Read("/var/lib/mailsetup/probing"); err != nil || o.Kind != state.Absent {
		t.Errorf("the nonce of the messages is left: %v %v", o.Kind, err)
	}
}

// Each fault yields its finding; what follows from it names it.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault func(*world)
		want  []string
	}{
		{"OpenDKIM is down", func(w *world) { w.server.Facts.Daemons["opendkim.service"] = state.Daemon{} }, []string{"problem live.units", "problem live.signed.sendmail <- live.units"}},
		{"stopped", func(w *world) { w.server.Facts.Daemons["opendkim.service"] = state.Daemon{Stopped: true} }, []string{"problem live.units", "problem live.signed.sendmail <- live.units"}},
		{"Postfix is masked", func(w *world) { w.server.Facts.Daemons["postfix.service"] = state.Daemon{Masked: true} }, []string{"problem live.units", "problem live.signed.sendmail <- live.units"}},
		{"not started at boot", func(w *world) {
			w.server.Facts.Daemons["opendkim.service"] = state.Daemon{Running: true, Disabled: true}
		}, []string{"warning live.units"}},
		{"no key signs yet", func(w *world) { w.server.Ledger["lab.example"][0].Stage = "gone" }, []string{"note live.signed.sendmail"}},
		{"the signer does not sign", func(w *world) { w.unsigned = true }, []string{"problem live.signed.sendmail", "problem live.signed.sendmail <- live.signed.sendmail"}},
		{"another selector", func(w *world) { w.selector = "s0" }, []string{"problem live.signed.sendmail", "problem live.signed.sendmail <- live.signed.sendmail"}},
		{"the signer refuses mail", func(w *world) { w.refuses = true }, []string{"problem live.signed.sendmail", "problem live.signed.sendmail <- live.signed.sendmail"}},
		{"the key is gone", func(w *world) {
			w.refuses = true
			w.Delete("/etc/dkimkeys/lab.example/s1.private")
		}, []string{"problem live.keys", "problem live.signed.sendmail <- live.keys"}},
		{"forged mail is signed", func(w *world) { w.signsAll = true }, []string{"problem live.foreign"}},
		{"port 25 passes no signer", func(w *world) { w.skips = []string{"smtp"} }, []string{"problem live.signed.smtp"}},
		{"bounces pass no signer", func(w *world) { w.skips = []string{"bounce"} }, []string{"warning live.signed.bounce"}},
		{"a service without milters", func(w *world) {
			w.skips = []string{"smtp"}
			w.server.Facts.Postfix.Services[0].Options = []state.Option{{Name: "smtpd_milters"}}
		}, []string{"problem live.milters", "problem live.signed.smtp <- live.milters"}},
		{"no_milters", func(w *world) {
			w.skips = []string{"smtp", "sendmail"}
			w.server.Facts.Postfix.Raw["receive_override_options"] = "no_milters"
		}, []string{"problem live.milters", "problem live.signed.sendmail <- live.milters", "problem live.signed.smtp <- live.milters"}},
		{"unsigned while the signer is down", func(w *world) { w.server.Facts.Postfix.Raw["milter_default_action"] = "accept" }, []string{"warning live.milters"}},
		{"decided so", func(w *world) {
			w.server.Facts.Postfix.Raw["milter_default_action"], w.server.Spec.Host.MilterDefaultAction = "accept", "accept"
		}, nil},
		{"OpenDMARC comes first", func(w *world) {
			w.server.Facts.Postfix.Value["smtpd_milters"] = "inet:localhost:8893, unix:opendkim/opendkim.sock"
		}, []string{"warning live.milters"}},
		{"changed after signing", func(w *world) {
			w.alters = func(b []byte) []byte { return bytes.Replace(b, []byte("Subject: "), []byte("Subject: [x] "), 1) }
		}, []string{"problem live.signed.sendmail", "problem live.signed.sendmail <- live.signed.sendmail", "problem live.signed.smtp <- live.signed.sendmail", "problem live.signed.bounce <- live.signed.sendmail"}},
		{"signed twice", func(w *world) { w.twice = true }, []string{"warning live.signed.sendmail", "warning live.signed.sendmail <- live.signed.sendmail", "warning live.signed.smtp <- live.signed.sendmail", "warning live.signed.bounce <- live.signed.sendmail"}},
		{"aliases", func(w *world) {
			w.server.Facts.Postfix.Value["alias_maps"] = "hash:/etc/aliases"
			w.PutFile("/etc/aliases", "# far: a@remote.example\npostmaster: root\nroot: ann@lab.example\nfar: bob@remote.example\n")
		}, nil},
		{"a content filter", func(w *world) {
			w.server.Facts.Postfix.Raw["internal_mail_filter_classes"] = "bounce"
			w.server.Facts.Postfix.Value["content_filter"] = "loop:[127.0.0.1]:10024"
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "loop/unix", Command: "smtp"})
		}, nil},
		{"signed again behind a content filter", func(w *world) {
			w.twice = true
			w.server.Facts.Postfix.Raw["internal_mail_filter_classes"] = "bounce"
			w.server.Facts.Postfix.Value["content_filter"] = "loop:[127.0.0.1]:10024"
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "loop/unix", Command: "smtp"})
		}, []string{"warning live.signed.reinject", "warning live.signed.sendmail <- live.signed.reinject", "warning live.signed.smtp <- live.signed.reinject"}},
		{"a content filter from which mail of one way comes back unsigned", func(w *world) {
			w.skips = []string{"smtp"}
			w.server.Facts.Postfix.Raw["internal_mail_filter_classes"] = "bounce"
			w.server.Facts.Postfix.Value["content_filter"] = "loop:[127.0.0.1]:10024"
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "loop/unix", Command: "smtp"})
		}, []string{"problem live.signed.smtp", "problem live.signed.reinject <- live.signed.smtp"}},
		{"a content filter of one way, and another that is not signed", func(w *world) {
			w.skips, w.server.Facts.Postfix.Raw["internal_mail_filter_classes"] = []string{"sendmail"}, "bounce"
			w.server.Facts.Postfix.Services[0].Options = []state.Option{{Name: "content_filter", Value: "loop:[127.0.0.1]:10024", Expanded: "loop:[127.0.0.1]:10024"}}
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "loop/unix", Command: "smtp"})
		}, []string{"problem live.signed.sendmail", "problem live.signed.sendmail <- live.signed.sendmail"}},
		{"no record", func(w *world) { w.records = w.records[1:] }, []string{"problem live.signed.sendmail <- dkim", "problem live.signed.smtp <- dkim", "problem live.signed.bounce <- dkim"}},
		{"another key in DNS", func(w *world) { w.records[0] = "s1._domainkey.lab.example. 60 IN TXT \"v=DKIM1; p=\"" }, []string{"problem live.signed.sendmail <- dkim", "problem live.signed.smtp <- dkim", "problem live.signed.bounce <- dkim"}},
		{"no route for messages", func(w *world) { w.server.Facts.Postfix.Services = w.server.Facts.Postfix.Services[:3] }, []string{"unknown live.signed.sendmail", "unknown live.signed.sendmail <- live.signed.sendmail"}},
		{"copies for people", func(w *world) { w.server.Facts.Postfix.Value["always_bcc"] = "boss@lab.example" }, []string{"unknown live.signed.sendmail", "unknown live.signed.sendmail <- live.signed.sendmail"}},
		{"a postmaster who reads all bounces", func(w *world) { w.server.Facts.Postfix.Raw["notify_classes"] = "bounce" }, []string{"warning live.signed.bounce"}},
		{"the same, with bounces that pass the signer", func(w *world) {
			w.server.Facts.Postfix.Raw["notify_classes"], w.server.Facts.Postfix.Raw["internal_mail_filter_classes"] = "bounce", "bounce"
		}, nil},
		{"bounces are left out", func(w *world) { w.skips, w.server.Spec.Host.SignBounces = []string{"bounce"}, "no" }, nil},
		{"users who log in are not signed for", func(w *world) {
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "submission/inet", Command: "smtpd", Options: []state.Option{{Name: "milter_mail_macros", Value: "i", Expanded: "i"}}})
		}, []string{"problem live.signed.submission"}},
		{"users who log in", func(w *world) {
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "submission/inet", Command: "smtpd"})
		}, nil},
		{"a service that is left alone", func(w *world) {
			w.server.Spec.Host.LeaveServices = []string{"submission/inet"}
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "submission/inet", Command: "smtpd", Options: []state.Option{{Name: "smtpd_milters"}}})
		}, nil},
		{"an ordinary user", func(w *world) { w.server.Unprivileged = true }, []string{"unknown live.socket", "unknown live.keys", "unknown live.signed.sendmail"}},
		{"no Postfix", func(w *world) { w.server.Facts.Postfix, w.server.Facts.MTA = nil, "exim4" }, []string{"unknown live.signed.sendmail"}},
		{"an exim4 that was set up by hand", func(w *world) {
			w.server.Facts.Postfix, w.server.Facts.MTA = nil, "exim4"
			w.server.Facts.Exim = &state.Exim{Breaks: []state.EximFault{{At: "/etc/exim4/exim4.conf.localmacros:3", Text: "DKIM_CANON = simple: it breaks"}}}
		}, []string{"unknown live.signed.sendmail", "warning live.stale"}},
		{"an alias of root for an account that is gone", func(w *world) { w.rootReadBy("gone") }, []string{"warning live.root"}},
		{"an alias of root for somebody who is there", func(w *world) { w.rootReadBy("ann") }, nil},
		{"an alias of root that leads back to it", func(w *world) { w.rootReadBy("postmaster") }, []string{"warning live.root"}},
		{"exim4 that has nobody for root", func(w *world) {
			w.server.Facts.Postfix, w.server.Facts.MTA, w.server.Facts.Exim = nil, "exim4", &state.Exim{}
			w.Answers["exim4 -bt root"] = system.Result{Code: 2, Stdout: []byte("gone@mail.lab.example is undeliverable: Unrouteable address\n")}
		}, []string{"unknown live.signed.sendmail", "warning live.root"}},
		{"exim4 whose resolver does not answer", func(w *world) {
			w.server.Facts.Postfix, w.server.Facts.MTA, w.server.Facts.Exim = nil, "exim4", &state.Exim{}
			w.Answers["exim4 -bt root"] = system.Result{Code: 1, Stdout: []byte("ann@far.example cannot be resolved at this time\n")}
		}, []string{"unknown live.signed.sendmail"}},
		{"parked", func(w *world) { w.domains[0].Sends = false }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.fault(w)
			got := w.check(live.Options{})
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

// Bounces are from the host's own name: other domains are not asked for them.
func TestBouncesAreTheHosts(t *testing.T) {
	w := newWorld(t)
	w.skips, w.server.Spec.Host.Domain = []string{"bounce"}, "other.example"
	for _, f := range live.Check(t.Context(), w, w.dns, w.server, w.domains, live.Options{}).Findings {
		if f.ID == "live.signed.bounce" {
			t.Errorf("%+v", f)
		}
	}
}

// What is in the list already is not added once more.
func TestBounceRemedy(t *testing.T) {
	for classes, want := range map[string]string{
		"":               "postconf -e 'internal_mail_filter_classes = bounce' && systemctl reload postfix",
		"notify":         "postconf -e 'internal_mail_filter_classes = notify, bounce' && systemctl reload postfix",
		"bounce, notify": "",
	} {
		w := newWorld(t)
		w.skips, w.server.Facts.Postfix.Raw["internal_mail_filter_classes"] = []string{"bounce"}, classes
		for _, f := range live.Check(t.Context(), w, w.dns, w.server, w.domains, live.Options{}).Findings {
			if f.ID == "live.signed.bounce" && (f.Severity != finding.Warning || want != "" && f.Remedy.String() != want || want == "" && strings.Contains(f.Remedy.String(), "postconf -e")) {
				t.Errorf("%q: %+v", classes, f)
			}
		}
	}
}

// A cause that several domains share is told once, of the server.
func TestCauseOfSeveralDomains(t *testing.T) {
	w := newWorld(t)
	other := spec.Domain{Name: "shop.example"}
	w.server.Spec.Domains = append(w.server.Spec.Domains, other)
	k := w.server.Ledger["lab.example"][0]
	w.server.Ledger["shop.example"] = append(w.server.Ledger["shop.example"], k)
	w.domains = append(w.domains, subject.Domain{Name: "shop.example", Wanted: &other, Sends: true})
	w.unsigned = true
	r := live.Check(t.Context(), w, w.resolver(), w.server, w.domains, live.Options{})
	var primary, rest []string
	for _, f := range r.Findings {
		switch {
		case f.ID != "live.signed.sendmail":
		case f.CausedBy == "":
			primary = append(primary, f.Domain+" "+f.Subject)
		default:
			rest = append(rest, f.Domain)
		}
	}
	if !slices.Equal(primary, []string{" root@mail.lab.example"}) || !slices.Equal(rest, []string{"lab.example", "shop.example"}) {
		t.Errorf("%q, %q", primary, rest)
	}
}

// foreign makes it a server that mailsetup has not set up.
func foreign(w *world) {
	w.PutFile("/etc/opendkim.conf", "KeyTable file:/etc/opendkim/KeyTable\n")
	w.PutFile("/etc/opendkim/KeyTable", "k lab.example:s1:/etc/dkimkeys/lab.example/s1.private\n")
	w.server.SetUp, w.server.Spec, w.server.Ledger = false, spec.Spec{}, nil
	w.server.Facts.OpenDKIM.Endpoint = "local:" + string(w.server.Facts.Postfix.QueueDirectory) + "/opendkim/opendkim.sock"
	w.domains = []subject.Domain{{Name: "lab.example", Sends: true}}
}

// On a server that mailsetup has not set up its milters are asked, and it is said that
// no message went.
func TestForeignServer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault func(*world)
		want  []string
	}{
		{"OpenDKIM signs", func(*world) {}, []string{"unknown live.signed.sendmail"}},
		{"nobody signs", func(w *world) { w.unsigned = true }, []string{"problem live.signed.sendmail"}},
		{"no milter", func(w *world) {
			w.server.Facts.Postfix.Value["smtpd_milters"], w.server.Facts.Postfix.Value["non_smtpd_milters"] = "", ""
		}, []string{"problem live.signed.sendmail"}},
		{"a content filter may sign", func(w *world) {
			w.server.Facts.Postfix.Value["smtpd_milters"], w.server.Facts.Postfix.Value["non_smtpd_milters"] = "", ""
			w.server.Facts.Postfix.Value["content_filter"] = "smtp-amavis:[127.0.0.1]:10024"
		}, []string{"unknown live.signed.sendmail"}},
		{"no record", func(w *world) { w.records = w.records[1:] }, []string{"problem live.signed.sendmail <- dkim"}},
		{"others could read the key", func(w *world) {
			o, _ := w.Read("/etc/dkimkeys/lab.example/s1.private")
			o.Mode = 0o644
			w.Put("/etc/dkimkeys/lab.example/s1.private", o)
		}, []string{"problem live.keys", "unknown live.signed.sendmail"}},
		{"it is down", func(w *world) { w.server.Facts.Daemons["opendkim.service"] = state.Daemon{} }, []string{"problem live.units"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			foreign(w)
			tt.fault(w)
			got := w.check(live.Options{})
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// Nothing is sent while another run has the lock, and that is said.
func TestLock(t *testing.T) {
	w := newWorld(t)
	got := live.Check(t.Context(), w, w.resolver(), w.server, w.domains, live.Options{Lock: locked})
	if l := lines(got); !slices.Contains(l, "unknown live.signed.sendmail") || len(got.Messages) == 0 {
		t.Errorf("%q", l)
	}
	for _, f := range got.Findings {
		if f.ID == "live.signed.sendmail" && !strings.Contains(f.Seen, "held by process 7 (mailsetup init)") {
			t.Errorf("%q", f.Seen)
		}
	}
}

func locked(context.Context) (func() error, error) {
	return nil, errors.New("lock /run/mailsetup.lock: held by process 7 (mailsetup init)")
}
