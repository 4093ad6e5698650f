package subject_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mailsetup/internal/check/subject"
	"mailsetup/internal/state"
)

// postfixWith returns a Postfix with parameters "a = b; c = d" and services of master.cf
// "relay/unix smtp smtp_bind_address=192.0.2.7", each with its command and options.
func postfixWith(parameters string, services ...string) *state.Postfix {
	p := &state.Postfix{Value: map[string]string{"inet_protocols": "all", "inet_interfaces": "all", "default_transport": "smtp"}}
	for line := range strings.SplitSeq(parameters, ";") {
		if name, value, ok := strings.Cut(line, "="); ok {
			p.Value[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	for _, text := range append([]string{"smtp/inet smtpd", "smtp/unix smtp"}, services...) {
		words := strings.Fields(text)
		s := state.Service{Name: words[0], Command: words[1]}
		for _, o := range words[2:] {
			name, value, _ := strings.Cut(o, "=")
			s.Options = append(s.Options, state.Option{Name: name, Value: value, Expanded: value})
		}
		for i, have := range p.Services {
			if have.Name == s.Name {
				p.Services[i] = s
				s.Name = ""
			}
		}
		if s.Name != "" {
			p.Services = append(p.Services, s)
		}
	}
	return p
}

func TestFindEgress(t *testing.T) {
	for _, tt := range []struct {
		name, declared, routes string
		postfix                *state.Postfix
		seen, hidden           string
	}{
		{"as the routes say", "", "192.0.2.10 2001:db8::10", postfixWith(""), "192.0.2.10 route, 2001:db8::10 route", ""},
		{"without Postfix", "", "192.0.2.10", nil, "192.0.2.10 route", ""},
		{"declared", "192.0.2.10", "192.0.2.10", postfixWith(""), "192.0.2.10 host.toml", ""},
		{"behind NAT", "", "10.0.0.5", postfixWith(""), "", "10.0.0.5 route"},
		{"behind NAT, declared", "192.0.2.10", "10.0.0.5", postfixWith(""), "192.0.2.10 host.toml", "10.0.0.5 route"},
		{"behind the NAT of a provider", "", "100.64.0.9", postfixWith(""), "", "100.64.0.9 route"},
		{
			"a family that nobody declared", "192.0.2.10", "192.0.2.10 2001:db8::77", postfixWith(""),
			"192.0.2.10 host.toml, 2001:db8::77 route", "",
		},
		{"IPv4 alone", "", "192.0.2.10 2001:db8::77", postfixWith("inet_protocols = ipv4"), "192.0.2.10 route", ""},
		{"IPv4 alone, by its transport", "", "192.0.2.10 2001:db8::77", postfixWith("", "smtp/unix smtp inet_protocols=ipv4"), "192.0.2.10 route", ""},
		{"declared for a family that is not used", "192.0.2.10 2001:db8::10", "", postfixWith("inet_protocols = ipv4"), "192.0.2.10 host.toml", ""},
		{"bound", "", "192.0.2.10 2001:db8::10", postfixWith("smtp_bind_address = 192.0.2.11"), "192.0.2.11 smtp_bind_address, 2001:db8::10 route", ""},
		{"bound, in brackets", "", "2001:db8::10", postfixWith("smtp_bind_address6 = [2001:db8::25]"), "2001:db8::25 smtp_bind_address6", ""},
		{"bound to all", "", "192.0.2.10", postfixWith("smtp_bind_address = 0.0.0.0"), "192.0.2.10 route", ""},
		{"bound by the transport", "", "192.0.2.10", postfixWith("smtp_bind_address = 192.0.2.9", "smtp/unix smtp smtp_bind_address=192.0.2.11"), "192.0.2.11 smtp_bind_address of smtp/unix", ""},
		{"bound behind NAT", "192.0.2.10", "10.0.0.5", postfixWith("smtp_bind_address = 10.0.0.6"), "192.0.2.10 host.toml", "10.0.0.6 smtp_bind_address"},
		{
			"bound to what nobody declared", "192.0.2.10", "192.0.2.10", postfixWith("smtp_bind_address = 192.0.2.11"),
			"192.0.2.10 host.toml, 192.0.2.11 smtp_bind_address", "",
		},
		{
			"a transport for some destinations", "", "192.0.2.10",
			postfixWith("transport_maps = hash:/t", "slow/unix smtp smtp_bind_address=192.0.2.12"),
			"192.0.2.10 route, 192.0.2.12 smtp_bind_address of slow/unix", "",
		},
		{"a transport that nothing leads to", "", "192.0.2.10", postfixWith("", "slow/unix smtp smtp_bind_address=192.0.2.12"), "192.0.2.10 route", ""},
		{
			"the way to a content filter", "", "192.0.2.10",
			postfixWith("transport_maps = hash:/t; content_filter = scan:[127.0.0.1]:10024", "scan/unix smtp smtp_bind_address=127.0.0.1"),
			"192.0.2.10 route", "",
		},
		{"another default", "", "192.0.2.10", postfixWith("default_transport = out", "out/unix smtp smtp_bind_address=192.0.2.13"), "192.0.2.13 smtp_bind_address of out/unix", ""},
		{"one interface", "", "192.0.2.10", postfixWith("inet_interfaces = 192.0.2.14, [::1]"), "192.0.2.14 inet_interfaces", ""},
		{"two interfaces", "", "192.0.2.10", postfixWith("inet_interfaces = 127.0.0.1 192.0.2.14"), "192.0.2.10 route", ""},
		{"loopback alone", "", "192.0.2.10", postfixWith("inet_interfaces = 127.0.0.1"), "192.0.2.10 route", ""},
		{"by name", "", "192.0.2.10", postfixWith("inet_interfaces = loopback-only"), "192.0.2.10 route", ""},
	} {
		seen, hidden := subject.FindEgress(state.Facts{Postfix: tt.postfix, Sources: addresses(tt.routes)}, addresses(tt.declared))
		if texts(seen) != tt.seen || texts(hidden) != tt.hidden {
			t.Errorf("%s: %s; hidden: %s\nwant %s; hidden: %s", tt.name, texts(seen), texts(hidden), tt.seen, tt.hidden)
		}
	}
}

func addresses(text string) (list []netip.Addr) {
	for word := range strings.FieldsSeq(text) {
		list = append(list, netip.MustParseAddr(word))
	}
	return list
}

func texts(list []subject.Egress) string {
	var all []string
	for _, e := range list {
		all = append(all, fmt.Sprintf("%s %s", e.Address, e.Origin))
	}
	return strings.Join(all, ", ")
}

func TestSmarthost(t *testing.T) {
	for _, tt := range []struct{ parameters, everything, want string }{
		{"", "", ""},
		{"relayhost = [smtp.example.net]:587", "", "[smtp.example.net]:587"},
		{"relayhost = example.net", "", "example.net"},
		{"default_transport = smtp:[out.example.net]; relayhost = [old.example.net]", "", "[out.example.net]"},
		{"relayhost = [old.example.net]", "smtp:[all.example.net]:25", "[all.example.net]:25"},
		{"relayhost = [old.example.net]", ":[all.example.net]", "[all.example.net]"},
		{"relayhost = [old.example.net]", "slow:", "[old.example.net]"},
		{"relayhost = [127.0.0.1]:10027", "", ""}, // another program here, which sends from our addresses
		{"relayhost = [::1]", "", ""},
		{"relayhost = localhost:26", "", ""},
		{"relayhost = [10.0.0.9]", "", "[10.0.0.9]"},
		{"default_transport = error:this host sends nothing", "", ""},
	} {
		if got := subject.Smarthost(postfixWith(tt.parameters), tt.everything); got != tt.want {
			t.Errorf("%s, * %q: %q, want %q", tt.parameters, tt.everything, got, tt.want)
		}
	}
	if got := subject.Smarthost(nil, ""); got != "" {
		t.Errorf("without Postfix: %q", got)
	}
}

func TestParseHop(t *testing.T) {
	for nexthop, want := range map[string]subject.Hop{
		"[smtp.example.net]:587":           {Host: "smtp.example.net", Port: "587"},
		"[smtp.example.net]":               {Host: "smtp.example.net", Port: "25"},
		"example.net":                      {Host: "example.net", MX: true, Port: "25"},
		"example.net:smtps":                {Host: "example.net", MX: true, Port: "smtps"},
		"inet:[192.0.2.1]:26":              {Host: "192.0.2.1", Port: "26"},
		"[2001:db8::1]:587":                {Host: "2001:db8::1", Port: "587"},
		"[ipv6:2001:db8::1]":               {Host: "2001:db8::1", Port: "25"},
		"2001:db8::1":                      {Host: "2001:db8::1", MX: true, Port: "25"},
		"[a.example.net], [b.example.net]": {Host: "a.example.net", Port: "25"},
	} {
		if got, ok := subject.ParseHop(nexthop); got != want || !ok {
			t.Errorf("%s: %+v %v, want %+v", nexthop, got, ok, want)
		}
	}
	for _, none := range []string{"", " ", ":25", "[]:25"} {
		if got, ok := subject.ParseHop(none); ok {
			t.Errorf("%q: %+v", none, got)
		}
	}
}

func TestMailDomains(t *testing.T) {
	for _, tt := range []struct {
		parameters, listed, want string
	}{
		{"myhostname = mail.lab.example; mydomain = lab.example; mydestination = mail.lab.example localhost.lab.example localhost; myorigin = mail.lab.example", "", "lab.example"},
		{"myhostname = mail.lab.example; mydomain = lab.example; mydestination = lab.example, mail.lab.example, localhost; myorigin = lab.example", "", "lab.example"},
		{"myhostname = vps.provider.example; mydomain = provider.example; mydestination = localhost; myorigin = shop.example", "", "shop.example"},
		{
			"myhostname = mail.lab.example; mydestination = localhost; virtual_mailbox_domains = One.example, hash:/etc/vd /etc/names; virtual_alias_domains = two.example !three.example",
			"four.example root five.lan", "four.example one.example two.example",
		},
		{"myhostname = server; mydomain = localdomain; mydestination = server, localhost; myorigin = server", "", ""},
		{"myhostname = alone.example; mydomain = example; mydestination = alone.example", "", "alone.example"},
	} {
		p := postfixWith(tt.parameters)
		p.Listed = strings.Fields(tt.listed)
		if got := strings.Join(subject.MailDomains(p), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.parameters, got, tt.want)
		}
	}
	if got := subject.MailDomains(nil); got != nil {
		t.Errorf("without Postfix: %q", got)
	}
}
