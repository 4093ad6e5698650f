package records_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// machine of TestAddresses: what --ip names, what the interfaces have, where
// packets leave from, and what Postfix is set to.
type machine struct {
	ours, here, out []string
	values          map[string]string
	services        []state.Service
	dns             []string
	receive         bool
}

func (m machine) input() step.Input {
	in := steptest.Installed()
	in.Spec.Host.DNS = spec.DNSManual
	in.Spec.Host.Addresses = steptest.Addrs(m.ours...)
	in.Spec.Domains[0].Receive = m.receive
	in.Facts.Addresses, in.Facts.Sources = steptest.Addrs(m.here...), steptest.Addrs(m.out...)
	for name, value := range m.values {
		in.Facts.Postfix.Value[name] = value
	}
	in.Facts.Postfix.Services = m.services
	in.Facts.Live = map[string]state.LiveDNS{"mail.lab.example": {Asked: true, Addresses: steptest.Addrs(m.dns...)}}
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
				Topic: "nat", Informational: true,
				Text: "192.0.2.10 is not on this machine, which has 10.0.0.5: mail leaves through a router that puts its own address there, " +
					"and comes in only if that router forwards port 25 to 10.0.0.5",
			}},
		},
		{
			"behind NAT, sending only",
			machine{ours: []string{"192.0.2.10"}, here: []string{"10.0.0.5"}},
			[]state.Note{{
				Topic: "nat", Informational: true,
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
				Action: "postconf -e smtp_bind_address=192.0.2.10 && postfix reload; or mailsetup init --ip 192.0.2.10 --ip 192.0.2.11",
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
				Action: "postconf -e smtp_bind_address=192.0.2.10 && postfix reload; or mailsetup init --ip 192.0.2.10 --ip 192.0.2.11",
			}},
		},
		{
			"the wrong address",
			machine{ours: []string{"192.0.2.10"}, here: []string{"198.51.100.7"}, out: []string{"198.51.100.7"}},
			[]state.Note{{
				Topic: "address", Text: "mail leaves from 198.51.100.7, which is not among the addresses of this server (192.0.2.10): SPF fails for it. " +
					"If that is the one others see, name it, with a PTR for it",
				Action: "mailsetup init --ip 198.51.100.7",
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
				Action: "mailsetup init --ip 192.0.2.10 --ip 2001:db8::10; or postconf -e inet_protocols=ipv4, then restart Postfix",
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
				Action: "mailsetup init --ip 2001:db8::10 --ip 192.0.2.10; or postconf -e inet_protocols=ipv6, then restart Postfix",
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
				Action: "mailsetup init --ip 2001:db8::10 --ip THE-ROUTER'S; or postconf -e inet_protocols=ipv6, then restart Postfix",
			}},
		},
		{
			"IPv6 alone",
			machine{ours: []string{"2001:db8::10"}, here: []string{"2001:db8::10"}, out: []string{"2001:db8::10"}},
			[]state.Note{{
				Topic: "ipv4", Informational: true,
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
				Action: "mailsetup init --ip 192.0.2.10",
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
				Action: "mailsetup init --ip 192.0.2.10 --ip 198.51.100.9",
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
				Action: "mailsetup init --ip 192.0.2.10 --ip 2001:db8::9",
			}},
		},
		{
			"bound to a private address behind NAT",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"10.0.0.5", "10.0.0.6"}, out: []string{"10.0.0.5"},
				values: map[string]string{"smtp_bind_address": "10.0.0.6"},
			},
			[]state.Note{{
				Topic: "nat", Informational: true,
				Text: "192.0.2.10 is not on this machine, which has 10.0.0.5 and 10.0.0.6: mail leaves through a router that puts its own address there",
			}},
		},
		{
			"out by a private address",
			machine{ours: []string{"192.0.2.10"}, here: []string{"10.0.0.5", "192.0.2.10"}, out: []string{"10.0.0.5"}},
			[]state.Note{{
				Topic: "address", Text: "mail leaves from 10.0.0.5, through a router whose address may not be among those of this server (192.0.2.10): " +
					"SPF may fail for it. Send from the right one, or name the router's too, with a PTR for it",
				Action: "postconf -e smtp_bind_address=192.0.2.10 && postfix reload; or mailsetup init --ip 192.0.2.10 --ip THE-ROUTER'S",
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
				Action: "mail.lab.example. A 192.0.2.10",
			}},
		},
		{
			"DNS points elsewhere",
			machine{
				ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"}, dns: []string{"203.0.113.9"},
			},
			[]state.Note{{
				Topic: "dns", Text: "DNS says that mail.lab.example is 203.0.113.9, which is not among the addresses of this server (192.0.2.10)",
				Action: "mail.lab.example. A 192.0.2.10",
			}},
		},
		{"DNS knows nothing yet", machine{ours: []string{"192.0.2.10"}, here: []string{"192.0.2.10"}, out: []string{"192.0.2.10"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			about := []string{"nat", "address", "ipv4", "ipv6", "dns"}
			got := slices.DeleteFunc(steps.Advice(c.m.input()), func(n state.Note) bool { return !slices.Contains(about, n.Topic) })
			for i := range got { // all of them are told before the plan that goes by these answers
				if !got[i].Doubt {
					t.Errorf("no doubt: %+v", got[i])
				}
				got[i].Doubt = false
			}
			if diff := cmp.Diff(c.want, got, cmp.Comparer(steptest.SameNotes)); diff != "" {
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
	for _, n := range steps.Advice(in) {
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
			state.Facts{Addresses: steptest.Addrs("10.0.0.5")},
			"DNS has no address for mail.lab.example, and this machine has only 10.0.0.5, which is private: --ip takes the address of the router in front of it",
		},
		{
			"public, but not in DNS", "--ip", "mail.lab.example",
			state.Facts{Addresses: steptest.Addrs("10.0.0.5", "192.0.2.10", "2001:db8::10")},
			"DNS has no address for mail.lab.example; if others see this machine as 192.0.2.10 and 2001:db8::10: --ip 192.0.2.10 --ip 2001:db8::10",
		},
		{
			"the loopback in DNS", "--ip", "mail.lab.example",
			state.Facts{
				Addresses: steptest.Addrs("192.0.2.10"),
				Live:      map[string]state.LiveDNS{"mail.lab.example": {Asked: true, Addresses: steptest.Addrs("127.0.1.1")}},
			},
			"DNS has only 127.0.1.1 for mail.lab.example, which nobody outside can reach; if others see this machine as 192.0.2.10: --ip 192.0.2.10",
		},
		{
			"no addresses at all", "--ip", "mail.lab.example",
			state.Facts{},
			"DNS has no address for mail.lab.example: --ip takes the one that others see",
		},
		{"no name either", "--ip", "", state.Facts{Addresses: steptest.Addrs("192.0.2.10")}, "if others see this machine as 192.0.2.10: --ip 192.0.2.10"},
		{"something else", "--domain", "", state.Facts{Hostname: "debian"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := records.ExplainMissing(c.flag, c.hostname, c.facts); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
