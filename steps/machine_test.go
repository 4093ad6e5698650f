package steps

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

func questionsOf(t *testing.T, in Input, kind state.QuestionKind) []state.Question {
	t.Helper()
	return slices.DeleteFunc(build(t, in).Questions, func(q state.Question) bool { return q.Kind != kind })
}

func TestOtherReleasesNeedAConsent(t *testing.T) {
	for _, c := range []struct {
		name    string
		release state.Release
		want    string // "" for no question
	}{
		{"Debian 12", state.Release{ID: "debian", Version: "12", Pretty: "Debian GNU/Linux 12 (bookworm)"}, ""},
		{"Debian 13", state.Release{ID: "debian", Version: "13", Pretty: "Debian GNU/Linux 13 (trixie)"}, ""},
		{
			"Debian 11",
			state.Release{ID: "debian", Version: "11", Pretty: "Debian GNU/Linux 11 (bullseye)"},
			"This is Debian GNU/Linux 11 (bullseye). mailsetup is made for Debian 12 and 13 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"Debian testing",
			state.Release{ID: "debian", Pretty: "Debian GNU/Linux forky/sid"},
			"This is Debian GNU/Linux forky/sid. mailsetup is made for Debian 12 and 13 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"Ubuntu",
			state.Release{ID: "ubuntu", Version: "24.04", Pretty: "Ubuntu 24.04.1 LTS", Like: []string{"debian"}},
			"This is Ubuntu 24.04.1 LTS, which derives from Debian. mailsetup is made for Debian 12 and 13 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"another with the number of a Debian",
			state.Release{ID: "raspbian", Version: "12", Like: []string{"debian"}},
			"This is raspbian 12, which derives from Debian. mailsetup is made for Debian 12 and 13 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"nothing in os-release",
			state.Release{},
			"This is a system that does not say its name (os-release(5)). mailsetup is made for Debian 12 and 13 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := bare()
			in.Facts.Release = c.release
			got := questionsOf(t, in, state.AskRelease)
			switch {
			case c.want == "" && len(got) == 0:
			case len(got) != 1 || got[0].Text != c.want || got[0].Declined != "":
				t.Errorf("got %+v\nwant %q", got, c.want)
			default:
				in.Consents = map[string]bool{got[0].ID: true}
				if again := questionsOf(t, in, state.AskRelease); len(again) != 0 {
					t.Errorf("asked again: %+v", again)
				}
			}
		})
	}
}

// exim is a bare machine on which exim4 is the mail server, as Debian 11 had it
// by default.
func exim() Input {
	in := bare()
	in.Facts.MTA = "exim4-daemon-light"
	in.Facts.OtherMTA = &state.OtherMTA{
		Package: "exim4-daemon-light", Counted: true, Spool: "/var/spool/exim4", Flush: "exim4 -qff; mailq",
	}
	in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte("postmaster: root\n")}
	return in
}

func TestReplacingAMailServerNeedsAConsent(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*state.OtherMTA)
		want   string
	}{
		{
			"empty queue", func(*state.OtherMTA) {},
			"exim4-daemon-light is this machine's mail server. Its queue is empty. Installing Postfix removes it.",
		},
		{
			"one message", func(o *state.OtherMTA) { o.Queue = 1 },
			"exim4-daemon-light is this machine's mail server. 1 message waits in its queue and would stay behind undelivered. " +
				"Installing Postfix removes it.",
		},
		{
			"messages", func(o *state.OtherMTA) { o.Queue = 12 },
			"exim4-daemon-light is this machine's mail server. 12 messages wait in its queue and would stay behind undelivered. " +
				"Installing Postfix removes it.",
		},
		{
			"nobody could count", func(o *state.OtherMTA) { o.Counted = false },
			"exim4-daemon-light is this machine's mail server. How many messages wait in its queue could not be found out. " +
				"Installing Postfix removes it.",
		},
		{
			"a program without a queue", func(o *state.OtherMTA) { o.Package, o.Spool = "msmtp-mta", "" },
			"msmtp-mta is this machine's mail server. Installing Postfix removes it.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := exim()
			c.change(in.Facts.OtherMTA)
			got := questionsOf(t, in, state.AskMTA)
			if len(got) != 1 || got[0].Text != c.want || got[0].Declined != "" {
				t.Errorf("got %+v\nwant %q", got, c.want)
			}
		})
	}
	in := exim()
	in.Facts.Installed["postfix"] = true
	if got := questionsOf(t, in, state.AskMTA); len(got) != 0 {
		t.Errorf("asked for a Postfix that is here already: %+v", got)
	}
}

func noteOn(in Input, topic string) []state.Note {
	want, err := Build(in)
	if err != nil {
		return []state.Note{{Topic: topic, Text: err.Error()}}
	}
	return slices.DeleteFunc(append(want.Notes, Advice(in)...), func(n state.Note) bool { return n.Topic != topic })
}

// What another mail server did, and Postfix will not do by itself.
func TestWhatGoesWithAMailServer(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Input)
		topic  string
		want   []state.Note
	}{
		{"nothing waits", func(*Input) {}, "queue", nil},
		{
			"messages wait", func(in *Input) { in.Facts.OtherMTA.Queue = 2 }, "queue",
			[]state.Note{{
				Topic: "queue", Passing: true,
				Text: "2 messages wait in the queue of exim4-daemon-light. They STAY BEHIND in /var/spool/exim4, " +
					"where nobody delivers mail any more: empty the queue first",
				Do: "exim4 -qff; mailq",
			}},
		},
		{
			"messages stayed", func(in *Input) { in.Facts.OtherMTA.Queue, in.Facts.Installed["postfix"] = 1, true }, "queue",
			[]state.Note{{
				Topic: "queue",
				Text: "1 message stayed behind in /var/spool/exim4 when exim4-daemon-light was removed. To deliver it, " +
					"put exim4-daemon-light in Postfix's place once more, then come back",
				Do: "apt-get install exim4-daemon-light; exim4 -qff; mailq; mailsetup init --replace-mta",
			}},
		},
		{"it delivers itself", func(*Input) {}, "relayhost", nil},
		{
			"it has a relay", func(in *Input) { in.Facts.OtherMTA.Relay = "[mail.isp.example]:587" }, "relayhost",
			[]state.Note{{
				Topic: "relayhost",
				Text: "exim4-daemon-light hands all mail to [mail.isp.example]:587; Postfix delivers it itself, from this machine's own " +
					"addresses, unless you say so (and where it wants a password: smtp_sasl_password_maps)",
				Do: "postconf -e 'relayhost = [mail.isp.example]:587' && postfix reload",
			}},
		},
		{
			"it has Maildirs", func(in *Input) { in.Facts.OtherMTA.Maildir = true }, "mailboxes",
			[]state.Note{{
				Topic: "mailboxes", Text: "exim4-daemon-light puts local mail into ~/Maildir, Postfix into /var/mail",
				Do: "postconf -e home_mailbox=Maildir/ && postfix reload",
			}},
		},
		{"its aliases are Postfix's", func(*Input) {}, "aliases", nil},
		{
			"it has aliases of its own", func(in *Input) {
				in.Facts.OtherMTA.Package, in.Facts.OtherMTA.Aliases = "sendmail-bin", "/etc/mail/aliases"
			}, "aliases",
			[]state.Note{{
				Topic: "aliases", Text: "the aliases of sendmail-bin are in /etc/mail/aliases, those of Postfix in /etc/aliases; it can read both",
				Do: "postconf -e 'alias_maps = hash:/etc/mail/aliases, hash:/etc/aliases' " +
					"'alias_database = hash:/etc/mail/aliases, hash:/etc/aliases' && newaliases",
			}},
		},
		{
			"its aliases are a directory", func(in *Input) {
				in.Facts.OtherMTA.Package, in.Facts.OtherMTA.Aliases = "courier-mta", "/etc/courier/aliases"
			}, "aliases",
			[]state.Note{{
				Topic: "aliases", Text: "the aliases of courier-mta are in /etc/courier/aliases, those of Postfix in /etc/aliases",
				Do: "write those that you need into /etc/aliases, then run newaliases",
			}},
		},
		{"the mail name stays", func(in *Input) { in.Facts.Files["/etc/mailname"] = []byte("lab.example\n") }, "mailname", nil},
		{
			"another mail name", func(in *Input) { in.Facts.Files["/etc/mailname"] = []byte("old.lab.example\n") }, "mailname",
			[]state.Note{{
				Topic: "mailname", Passing: true,
				Text: "/etc/mailname says old.lab.example; the package postfix writes lab.example there, which is what follows the @ " +
					"in mail from root and from programs",
			}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := exim()
			c.change(&in)
			if diff := cmp.Diff(c.want, noteOn(in, c.topic), cmp.Comparer(sameNotes)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func sameNotes(a, b []state.Note) bool { return slices.Equal(a, b) }

// The aliases of another mail server work under Postfix: whatever database lies
// there, it is made again.
func TestAliasesCarryOver(t *testing.T) {
	in := exim()
	st := stage(t, build(t, in), "Aliases")
	want := []state.Derived{{Path: "/etc/aliases.db", From: "/etc/aliases", Argv: []string{"newaliases"}, Due: true}}
	if diff := cmp.Diff(want, st.Derived); diff != "" || len(st.Edits) != 0 {
		t.Errorf("edits %v\n%s", st.Edits, diff)
	}
	if st := stage(t, build(t, installed()), "Aliases"); len(st.Derived) != 0 {
		t.Errorf("a Postfix that was here is given a database: %v", st.Derived)
	}
}

func TestAliasesAmongOthers(t *testing.T) {
	in := installed()
	in.Spec.Host.RootAlias = "ops@lab.example"
	in.Facts.Postfix.Value["alias_database"] = "hash:/etc/mail/aliases, cdb:/etc/aliases"
	st := stage(t, build(t, in), "Aliases")
	if len(st.Derived) != 1 || st.Derived[0].Path != "/etc/aliases.cdb" || st.Derived[0].Due {
		t.Errorf("derived %v, want aliases.cdb", st.Derived)
	}
	in.Facts.Postfix.Value["alias_database"] = "hash:/etc/mail/aliases"
	if _, err := Build(in); err == nil || !strings.Contains(err.Error(), "alias_database = hash:/etc/mail/aliases") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestTheUnitOfAPostfixThatAptOffers(t *testing.T) {
	in := bare()
	for _, c := range []struct {
		release state.Release
		offered string
		want    string
	}{
		{state.Release{ID: "ubuntu", Version: "24.04"}, "postfix@-.service", "postfix@-.service"},
		{state.Release{ID: "debian", Version: "12"}, "postfix.service", "postfix.service"}, // from backports
		{state.Release{ID: "debian", Version: "12"}, "", "postfix@-.service"},
		{state.Release{ID: "debian", Version: "13"}, "", "postfix.service"},
	} {
		in.Facts.Release, in.Facts.PostfixUnit = c.release, c.offered
		if got := stage(t, build(t, in), "Postfix").Units[0].Name; got != c.want {
			t.Errorf("%v, %q offered: %s, want %s", c.release, c.offered, got, c.want)
		}
	}
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// machine of TestAddresses: what --ip names, what the interfaces have, where
// packets leave from, and what Postfix is set to.
type machine struct {
	ours, here, out []string
	values          map[string]string
	services        []state.Service
	dns             []string
	receive         bool
}

func (m machine) input() Input {
	in := installed()
	in.Spec.Host.DNS = spec.DNSManual
	in.Spec.Host.Addresses = addrs(m.ours...)
	in.Spec.Domains[0].Receive = m.receive
	in.Facts.Addresses, in.Facts.Sources = addrs(m.here...), addrs(m.out...)
	for name, value := range m.values {
		in.Facts.Postfix.Value[name] = value
	}
	in.Facts.Postfix.Services = m.services
	in.Facts.Live = map[string]state.LiveDNS{"mail.lab.example": {Asked: true, Addresses: addrs(m.dns...)}}
	return in
}

func TestAddresses(t *testing.T) {
	bound := func(option, value string) []state.Service {
		return []state.Service{{Name: "relay/unix", Command: "smtp", Options: []state.Option{{Name: option, Value: value, Expanded: value, Line: 17}}}}
	}
	for _, c := range []struct {
		name string
		m    machine
		want []state.Note // about addresses
	}{
		{"a plain server", machine{ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"}}, nil},
		{"both families", machine{
			ours: []string{"192.0.2.10", "2001:db8::10"}, here: []string{"192.0.2.10", "2001:db8::10"},
			out: []string{"192.0.2.10", "2001:db8::10"}, dns: []string{"192.0.2.10", "2001:db8::10"},
		}, nil},
		{"a plain server with containers", machine{
			ours: []string{"192.0.2.10"}, here: []string{"172.17.0.1", "192.0.2.10", "fd00::1"}, out: []string{"192.0.2.10", "fd00::1"},
		}, nil},
		{"no way out is known", machine{ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}}, nil},
		{"a directory below which nothing runs", machine{ours: []string{"192.0.2.10"}}, nil},
		{"IPv6 on the link, no way out", machine{
			ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "2001:db8::10"}, out: []string{"192.0.2.10"},
		}, nil},
		{
			"behind NAT",
			machine{ours: []string{"192.0.2.10"}, here: []string{"10.0.0.5"}, out: []string{"10.0.0.5"}, receive: true},
			[]state.Note{{
				Topic: "nat", Passing: true,
				Text: "192.0.2.10 is not on this machine, which has 10.0.0.5: mail leaves through a router that puts its own address there, " +
					"and comes in only if that router forwards port 25 to 10.0.0.5",
			}},
		},
		{
			"behind NAT, sending only",
			machine{ours: []string{"192.0.2.10"}, here: []string{"10.0.0.5"}},
			[]state.Note{{
				Topic: "nat", Passing: true,
				Text: "192.0.2.10 is not on this machine, which has 10.0.0.5: mail leaves through a router that puts its own address there",
			}},
		},
		{
			"mail leaves from another address",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "192.0.2.11"}, out: []string{"192.0.2.11"},
			},
			[]state.Note{{
				Topic: "address", Text: "mail leaves from 192.0.2.11, which is not among the addresses of this server (192.0.2.10): SPF fails for it. " +
					"Send from the right one, or name that one too, with a PTR for it",
				Do: "postconf -e smtp_bind_address=192.0.2.10 && postfix reload\nmailsetup init --ip 192.0.2.10 --ip 192.0.2.11",
			}},
		},
		{"mail leaves from the one of several", machine{
			ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "192.0.2.11"}, out: []string{"192.0.2.10"},
		}, nil},
		{"bound to the right one of several", machine{
			ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "192.0.2.11"}, out: []string{"192.0.2.11"},
			values: map[string]string{"smtp_bind_address": "192.0.2.10"},
		}, nil},
		{"listening on the right one only", machine{
			ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "192.0.2.11"}, out: []string{"192.0.2.11"},
			values: map[string]string{"inet_interfaces": "192.0.2.10"},
		}, nil},
		{
			"several, and nobody knows which",
			machine{ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "192.0.2.11"}},
			[]state.Note{{
				Topic: "address", Text: "mail may leave from 192.0.2.11, which is not among the addresses of this server (192.0.2.10): SPF fails for it. " +
					"Send from the right one, or name that one too, with a PTR for it",
				Do: "postconf -e smtp_bind_address=192.0.2.10 && postfix reload\nmailsetup init --ip 192.0.2.10 --ip 192.0.2.11",
			}},
		},
		{
			"the wrong address",
			machine{ours: []string{"192.0.2.10"}, here: []string{"198.51.100.7"}, out: []string{"198.51.100.7"}},
			[]state.Note{{
				Topic: "address", Text: "mail leaves from 198.51.100.7, which is not among the addresses of this server (192.0.2.10): SPF fails for it. " +
					"If that is the one others see, name it, with a PTR for it",
				Do: "mailsetup init --ip 198.51.100.7",
			}},
		},
		{
			"IPv6 that is not named",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "2001:db8::10"}, out: []string{"192.0.2.10", "2001:db8::10"},
			},
			[]state.Note{{
				Topic: "ipv6", Text: "mail also leaves by IPv6, from 2001:db8::10, which is not among the addresses of this server (192.0.2.10): " +
					"SPF fails for it. Name that one too, with a PTR for it, or send by IPv4 only",
				Do: "mailsetup init --ip 192.0.2.10 --ip 2001:db8::10\npostconf -e inet_protocols=ipv4, then restart Postfix",
			}},
		},
		{"IPv6 that Postfix does not use", machine{
			ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "2001:db8::10"}, out: []string{"192.0.2.10", "2001:db8::10"},
			values: map[string]string{"inet_protocols": "ipv4"},
		}, nil},
		{
			"IPv4 that is not named",
			machine{
				ours: []string{"2001:db8::10"}, here: []string{"192.0.2.10", "2001:db8::10"}, out: []string{"192.0.2.10", "2001:db8::10"},
			},
			[]state.Note{{
				Topic: "ipv4", Text: "mail also leaves by IPv4, from 192.0.2.10, which is not among the addresses of this server (2001:db8::10): " +
					"SPF fails for it. Name that one too, with a PTR for it, or send by IPv6 only",
				Do: "mailsetup init --ip 2001:db8::10 --ip 192.0.2.10\npostconf -e inet_protocols=ipv6, then restart Postfix",
			}},
		},
		{
			"IPv4 behind a router that is not named",
			machine{
				ours: []string{"2001:db8::10"}, here: []string{"10.0.0.5", "2001:db8::10"}, out: []string{"10.0.0.5", "2001:db8::10"},
			},
			[]state.Note{{
				Topic: "ipv4", Text: "mail also leaves by IPv4, from 10.0.0.5, through a router whose address may not be among those of this server " +
					"(2001:db8::10): SPF may fail for it. Name the router's too, with a PTR for it, or send by IPv6 only",
				Do: "mailsetup init --ip 2001:db8::10 --ip THE-ROUTER'S\npostconf -e inet_protocols=ipv6, then restart Postfix",
			}},
		},
		{
			"IPv6 alone",
			machine{ours: []string{"2001:db8::10"}, here: []string{"2001:db8::10"}, out: []string{"2001:db8::10"}},
			[]state.Note{{
				Topic: "ipv4", Passing: true,
				Text: "this server has no IPv4: it cannot exchange mail with the many that have no IPv6, unless a relayhost with both does it",
			}},
		},
		{"IPv6 alone by a relay", machine{
			ours: []string{"2001:db8::10"}, here: []string{"2001:db8::10"}, out: []string{"2001:db8::10"},
			values: map[string]string{"relayhost": "[mail.isp.example]"},
		}, nil},
		{
			"an IPv6 address that is not here",
			machine{
				ours: []string{"192.0.2.10", "2001:db8::10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"},
			},
			[]state.Note{{
				Topic: "address", Text: "2001:db8::10 is not on this machine, which has 192.0.2.10: who looks up mail.lab.example cannot connect to it",
				Do: "mailsetup init --ip 192.0.2.10",
			}},
		},
		{
			"bound to another address",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "198.51.100.9"}, out: []string{"192.0.2.10"},
				values: map[string]string{"smtp_bind_address": "198.51.100.9"},
			},
			[]state.Note{{
				Topic: "address", Text: "mail leaves from 198.51.100.9 (/etc/postfix/main.cf: smtp_bind_address), which is not among the addresses of this server " +
					"(192.0.2.10): SPF fails for it. Change that, or name that one too, with a PTR for it",
				Do: "mailsetup init --ip 192.0.2.10 --ip 198.51.100.9",
			}},
		},
		{
			"a transport bound to another address",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"},
				services: bound("smtp_bind_address6", "[2001:db8::9]"),
			},
			[]state.Note{{
				Topic: "address", Text: "mail leaves from 2001:db8::9 (/etc/postfix/master.cf:17: smtp_bind_address6 of relay/unix), which is not among the addresses " +
					"of this server (192.0.2.10): SPF fails for it. Change that, or name that one too, with a PTR for it",
				Do: "mailsetup init --ip 192.0.2.10 --ip 2001:db8::9",
			}},
		},
		{
			"bound to a private address behind NAT",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"10.0.0.5", "10.0.0.6"}, out: []string{"10.0.0.5"},
				values: map[string]string{"smtp_bind_address": "10.0.0.6"},
			},
			[]state.Note{{
				Topic: "nat", Passing: true,
				Text: "192.0.2.10 is not on this machine, which has 10.0.0.5 and 10.0.0.6: mail leaves through a router that puts its own address there",
			}},
		},
		{
			"out by a private address",
			machine{ours: []string{"192.0.2.10"}, here: []string{"10.0.0.5", "192.0.2.10"}, out: []string{"10.0.0.5"}},
			[]state.Note{{
				Topic: "address", Text: "mail leaves from 10.0.0.5, through a router whose address may not be among those of this server (192.0.2.10): " +
					"SPF may fail for it. Send from the right one, or name the router's too, with a PTR for it",
				Do: "postconf -e smtp_bind_address=192.0.2.10 && postfix reload\nmailsetup init --ip 192.0.2.10 --ip THE-ROUTER'S",
			}},
		},
		{"by a relay, from wherever", machine{
			ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "192.0.2.11", "2001:db8::10"}, out: []string{"192.0.2.11", "2001:db8::10"},
			values: map[string]string{"relayhost": "[mail.isp.example]"},
		}, nil},
		{"a transport that does without IPv6", machine{
			ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10", "2001:db8::10"}, out: []string{"192.0.2.10", "2001:db8::10"},
			services: bound("inet_protocols", "ipv4"),
		}, nil},
		{
			"DNS knows the loopback only",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"}, dns: []string{"127.0.1.1"},
			},
			[]state.Note{{
				Topic: "dns", Text: "DNS says that mail.lab.example is 127.0.1.1, which is for this machine itself: such a line belongs into /etc/hosts, " +
					"others cannot connect to it",
				Do: "mail.lab.example. A 192.0.2.10",
			}},
		},
		{
			"DNS points elsewhere",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"}, dns: []string{"203.0.113.9"},
			},
			[]state.Note{{
				Topic: "dns", Text: "DNS says that mail.lab.example is 203.0.113.9, which is not among the addresses of this server (192.0.2.10)",
				Do: "mail.lab.example. A 192.0.2.10",
			}},
		},
		{"DNS knows nothing yet", machine{ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			about := []string{"nat", "address", "ipv4", "ipv6", "dns"}
			got := slices.DeleteFunc(Advice(c.m.input()), func(n state.Note) bool { return !slices.Contains(about, n.Topic) })
			if diff := cmp.Diff(c.want, got, cmp.Comparer(sameNotes)); diff != "" {
				t.Errorf("%s\ngot %+v", diff, got)
			}
		})
	}
}

// A zone that is here is judged record by record; its notes do not need this
// one beside them.
func TestAddressesInAZoneOfThisMachine(t *testing.T) {
	in := machine{ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, dns: []string{"203.0.113.9"}}.input()
	in.Spec.Host.DNS = spec.DNSBind
	for _, n := range Advice(in) {
		if n.Topic == "dns" {
			t.Errorf("said twice: %+v", n)
		}
	}
}

func TestWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name     string
		flag     string
		hostname string // given or found
		facts    state.Facts
		want     string
	}{
		{
			"a short name", "--hostname", "",
			state.Facts{Hostname: "debian"},
			`this machine calls itself "debian", which is no full name that others can look up: --hostname mail.example.org`,
		},
		{
			"a name of its own network", "--hostname", "",
			state.Facts{Hostname: "mail.lan"},
			`this machine calls itself "mail.lan", which is no full name that others can look up: --hostname mail.example.org`,
		},
		{
			"an address for a name", "--hostname", "",
			state.Facts{Hostname: "192.0.2.10"},
			`this machine calls itself "192.0.2.10", which is no full name that others can look up: --hostname mail.example.org`,
		},
		{"no name", "--hostname", "", state.Facts{}, "this machine has no name: --hostname mail.example.org"},
		{
			"behind NAT", "--ip", "mail.lab.example",
			state.Facts{Addresses: addrs("10.0.0.5")},
			"DNS has no address for mail.lab.example, and this machine has only 10.0.0.5, which is private: --ip takes the address of the router in front of it",
		},
		{
			"public, but not in DNS", "--ip", "mail.lab.example",
			state.Facts{Addresses: addrs("10.0.0.5", "192.0.2.10", "2001:db8::10")},
			"DNS has no address for mail.lab.example; if others see this machine as 192.0.2.10 and 2001:db8::10: --ip 192.0.2.10 --ip 2001:db8::10",
		},
		{
			"the loopback in DNS", "--ip", "mail.lab.example",
			state.Facts{
				Addresses: addrs("192.0.2.10"),
				Live:      map[string]state.LiveDNS{"mail.lab.example": {Asked: true, Addresses: addrs("127.0.1.1")}},
			},
			"DNS has only 127.0.1.1 for mail.lab.example, which nobody outside can reach; if others see this machine as 192.0.2.10: --ip 192.0.2.10",
		},
		{
			"no addresses at all", "--ip", "mail.lab.example",
			state.Facts{},
			"DNS has no address for mail.lab.example: --ip takes the one that others see",
		},
		{"no name either", "--ip", "", state.Facts{Addresses: addrs("192.0.2.10")}, "if others see this machine as 192.0.2.10: --ip 192.0.2.10"},
		{"something else", "--domain", "", state.Facts{Hostname: "debian"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Missing(c.flag, c.hostname, c.facts); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// A directory is no machine: nobody's mail server goes, and its release counts
// for nothing.
func TestBelowRootNothingIsAskedOfTheMachine(t *testing.T) {
	in := exim()
	in.Facts.Release = state.Release{ID: "ubuntu", Version: "24.04"}
	got, err := BelowRoot(build(t, in), func(state.Path) bool { return true })
	if err != nil || len(got.Questions) != 0 {
		t.Errorf("%+v, %v", got.Questions, err)
	}
}
