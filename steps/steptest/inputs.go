// Package steptest has machines and domains for tests of steps.
package steptest

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// Addrs parses IP addresses.
func Addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// Two returns a machine that signs for a second domain, with settings of its own.
func Two(hostname, second string) step.Input {
	in := Installed()
	in.Spec.Host.Hostname = hostname
	d := in.Spec.Domains[0]
	d.Name, d.TTL, d.SPF.All, d.Receive = second, 600, "fail", false
	in.Spec.Domains = append(in.Spec.Domains, d)
	k := in.Ledger["lab.example"][0]
	k.Public, k.File = "MIIC", "/etc/dkimkeys/"+second+"/202611.private"
	in.Ledger[second] = []keyring.Key{k}
	in.Facts.Zones = append(in.Facts.Zones, state.Zone{Origin: "shop.example.", Kind: "primary", File: "/etc/bind/db.shop"})
	return in
}

// Exim returns an internet site with exim4, of two domains with keys, on which init runs.
func Exim(split bool) step.Input {
	in := Two("mail.lab.example", "shop.example")
	in.Spec.Host.MTA = spec.Exim
	in.Facts.Postfix, in.Facts.OpenDKIM = nil, nil
	in.Facts.Installed = map[string]bool{"exim4-base": true, "exim4-daemon-light": true, "bind9": true}
	in.Facts.Exim = &state.Exim{Version: "4.98.2", Type: "internet", Split: split, Local: []string{"lab.example"}}
	in.Facts.Daemons = map[string]state.Daemon{"exim4.service": {Running: true}}
	in.Facts.Files = map[state.Path][]byte{"/etc/mailname": []byte("Box.lab.example\n")}
	in.Ledger, in.Keys.Private = keyring.Ledger{}, nil
	for _, d := range in.Spec.Domains {
		in.Ledger[d.Name] = []keyring.Key{{Selector: "s1", Public: "MIIB", File: "/etc/exim4/dkim/" + d.Name + "/s1.private", Stage: keyring.Active}}
	}
	return in
}

// Denied returns the evaluation of a record that lets this server not pass.
func Denied(name, record string, lookups int) map[string]state.SPF {
	return map[string]state.SPF{name: {Record: record, Lookups: lookups, Denied: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}}
}

// Manual is the bare server whose records are printed.
func Manual() step.Input {
	in := Bare()
	in.Spec.Host.DNS = spec.DNSManual
	return in
}

// Tuned returns a Postfix as somebody set it up: main.cf's parameters as "name =
// value", services as "name command" with their options below.
func Tuned(main []string, services ...state.Service) step.Input {
	in := Installed()
	in.Facts.Postfix.Value["inet_interfaces"] = "all"
	for _, line := range main {
		name, value, _ := strings.Cut(line, " = ")
		in.Facts.Postfix.Raw[name], in.Facts.Postfix.Value[name] = value, value
	}
	in.Facts.Postfix.Services = append([]state.Service{Service("smtp/inet smtpd"), Service("pickup/unix pickup"), Service("cleanup/unix cleanup")}, services...)
	in.Facts.OpenDKIM.Endpoint = "inet:8891@localhost"
	return in
}

// Service returns an entry of master.cf, its options in lines of their own.
func Service(name string, options ...string) state.Service {
	name, command, _ := strings.Cut(name, " ")
	s := state.Service{Name: name, Command: command, Line: 10}
	for i, text := range options {
		o := state.Option{Line: 11 + i}
		o.Name, o.Value, _ = strings.Cut(text, "=")
		s.Options = append(s.Options, o)
	}
	return s
}

// Now is the time of a run.
var Now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// Bare returns a Debian 13 without mail packages, its BIND serving lab.example.
func Bare() step.Input {
	key := keyring.Key{
		Selector: "202611", Bits: 2048, Public: "MIIB", File: "/etc/dkimkeys/lab.example/202611.private",
		Stage: keyring.Publishing, Since: map[keyring.Stage]time.Time{keyring.Publishing: Now},
	}
	return step.Input{
		Spec: spec.Spec{
			Host: spec.Host{
				Version: 1, Hostname: "mail.lab.example", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")},
				Domain: "lab.example", DNS: spec.DNSBind, MilterDefaultAction: "tempfail",
			},
			Domains: []spec.Domain{{
				Name: "lab.example", Selector: "202611", KeyBits: 2048, Receive: true, TTL: 3600,
				SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: "none", RUA: []string{"mailto:ops@lab.example"}},
			}},
		},
		Facts: state.Facts{
			Release:   state.Release{ID: "debian", Version: "13"},
			Installed: map[string]bool{"bind9": true},
			DNS:       state.BIND,
			Zones:     []state.Zone{{Origin: "lab.example.", Kind: "primary", File: "/etc/bind/db.lab.example"}},
		},
		Ledger: keyring.Ledger{"lab.example": {key}},
		Keys:   step.KeyChanges{Private: map[state.Path][]byte{state.Path(key.File): []byte("PEM")}},
		Now:    Now,
	}
}

// Installed returns the same machine with Debian's Postfix and OpenDKIM on it.
func Installed() step.Input {
	in := Bare()
	in.Facts.Installed["postfix"], in.Facts.Installed["opendkim"] = true, true
	in.Facts.Postfix = &state.Postfix{
		Unit: "postfix.service", QueueDirectory: "/var/spool/postfix", Raw: map[string]string{},
		Value: map[string]string{
			"myhostname": "mail.lab.example", "myorigin": "lab.example",
			"mydestination": "mail.lab.example, lab.example, localhost", "alias_maps": "hash:/etc/aliases",
			"milter_default_action": "shutdown",
		},
	}
	in.Facts.OpenDKIM = &state.OpenDKIM{Active: true}
	return in
}

// Networks parses networks.
func Networks(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Covering are wildcards of lab.example that answer for shop.lab.example.
const Covering = "* 600 IN A 192.0.2.80\n* 600 IN MX 10 mx.example.org.\n"

// BelowLab returns a server that gets shop.lab.example as a further domain, whose
// zone is that of lab.example with these lines.
func BelowLab(t *testing.T, lines string) step.Input {
	t.Helper()
	in := Two("mail.lab.example", "shop.lab.example")
	in.Facts.Zones = in.Facts.Zones[:1]
	z := &in.Facts.Zones[0]
	z.Content = []byte("$TTL 300\n@ IN SOA mail hostmaster 2026010101 3600 900 604800 60\n@ IN NS mail\nmail IN A 192.0.2.10\n" + lines)
	z.Records = parsed(t, string(z.Content))
	in.Scope = step.Only("shop.lab.example")
	return in
}

func parsed(t *testing.T, text string) []state.Record {
	t.Helper()
	list, err := zonefile.Parse([]byte(text), "lab.example.", nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Answered has the answer of a domain about wildcards.
func Answered(in step.Input, domain, word string) step.Input {
	in.Spec.Domains = slices.Clone(in.Spec.Domains)
	for i := range in.Spec.Domains {
		if in.Spec.Domains[i].Name == domain {
			in.Spec.Domains[i].WildcardRecords = word
		}
	}
	return in
}

// ShopCopies are the copies of Covering for shop.lab.example.
const ShopCopies = "*.shop.lab.example. 600 IN A 192.0.2.80\nshop.lab.example. 600 IN A 192.0.2.80\n" +
	"*.shop.lab.example. 600 IN MX 10 mx.example.org.\nshop.lab.example. 600 IN MX 10 mx.example.org."

// WithCopies returns the server once shop.lab.example is there with its copies.
func WithCopies(t *testing.T) step.Input {
	t.Helper()
	in := Answered(BelowLab(t, Covering), "shop.lab.example", spec.Copy)
	z := &in.Facts.Zones[0]
	z.Content = append(z.Content, []byte(strings.ReplaceAll(Include, "%s", "lab.example"))...)
	for _, d := range in.Spec.Domains {
		z.OurRecords = append(z.OurRecords, records.Of(in, d)...)
	}
	z.OurRecords = slices.DeleteFunc(z.OurRecords, func(r state.Record) bool { return r.Name == "mail.lab.example." && r.Type == "A" })
	z.Copies = parsed(t, ShopCopies+"\n")
	z.OurRecords = append(z.OurRecords, z.Copies...)
	in.Spec.Host.Drain = spec.DefaultDrain
	for domain := range in.Ledger {
		in.Ledger[domain][0].Stage, in.Ledger[domain][0].Since = keyring.Active, nil
	}
	return in
}

// Include is our line in a zone file, for the zone twice.
const Include = "$INCLUDE \"/etc/bind/mailsetup/%s.zone\" %s. ; mailsetup 01234567\n"

// Served returns two domains whose records are served, each from its zone here.
func Served(t *testing.T) step.Input {
	t.Helper()
	in := Two("mail.lab.example", "shop.example")
	in.Spec.Domains[1].DMARC.RUA = []string{"mailto:dmarc@shop.example"}
	for i := range in.Facts.Zones {
		z := &in.Facts.Zones[i]
		z.Content = []byte(strings.ReplaceAll(Include, "%s", dnsname.TrimDot(z.Origin)))
		for _, d := range in.Spec.Domains {
			for _, r := range records.Of(in, d) {
				if z.Contains(r.Name) {
					z.OurRecords = append(z.OurRecords, r)
				}
			}
		}
	}
	in.Facts.Installed = map[string]bool{"bind9": true}
	in.Spec.Host.Drain = 48 * time.Hour
	return in
}
