package dnsexport_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/dnsexport"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

func txt(name, value string) state.Record {
	return state.Record{Name: name, Type: "TXT", TTL: 3600, Value: value}
}

func needs(domain string, records ...state.Record) dnsexport.Domain {
	d := dnsexport.Domain{Domain: domain}
	for _, r := range records {
		d.Records = append(d.Records, dnsexport.Record{Record: r})
	}
	return d
}

// The zone of each name: that of this machine's name server before the one in DNS,
// the most specific of several, and a guess where nobody knows.
func TestFindZones(t *testing.T) {
	own := []state.Zone{{Origin: "example.org."}, {Origin: "sub.example.org."}}
	lookup := func(_ context.Context, name string) (string, error) {
		if strings.HasSuffix(name, "example.net.") {
			return "example.net.", nil
		}
		return "", errors.New("no answer")
	}
	for _, c := range []struct {
		domain, name string
		asked        bool
		want         string
	}{
		{"example.org", "_dmarc.example.org.", true, "example.org."},
		{"sub.example.org", "sub.example.org.", true, "sub.example.org."},
		{"example.net", "_dmarc.example.net.", true, "example.net."},
		{"sub.example.net", "sub.example.net.", true, "example.net."},
		{"sub.example.net", "sub.example.net.", false, "sub.example.net."},
		{"example.com", "example.com.", true, "example.com."},
		{"example.com", "mail.host.example.", true, "host.example."},
		{"example.com", "host.example.", true, "host.example."},
	} {
		list := []dnsexport.Domain{needs(c.domain, txt(c.name, "x"))}
		find := lookup
		if !c.asked {
			find = nil
		}
		dnsexport.FindZones(t.Context(), list, own, find)
		if got := list[0].Records[0].Zone; got != c.want {
			t.Errorf("%s of %s: zone %q, want %q", c.name, c.domain, got, c.want)
		}
	}
}

// Each domain is looked for once, however many names it has.
func TestFindZonesAsksOncePerDomain(t *testing.T) {
	list := []dnsexport.Domain{needs("example.org", txt("example.org.", "a"), txt("_dmarc.example.org.", "b"), txt("s1._domainkey.example.org.", "c"))}
	var asked []string
	dnsexport.FindZones(t.Context(), list, nil, func(_ context.Context, name string) (string, error) {
		asked = append(asked, name)
		return "example.org.", nil
	})
	if diff := cmp.Diff([]string{"example.org."}, asked); diff != "" {
		t.Error(diff)
	}
}

// The names of the fields are a contract with scripts.
func TestJSON(t *testing.T) {
	d := needs("example.org", txt("example.org.", "v=spf1 mx -all"))
	d.Records[0].Zone, d.Records[0].Replaces = "example.org.", []string{"v=spf1 -all"}
	got, err := json.Marshal(dnsexport.Document([]dnsexport.Domain{d}).Domains[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"domain":"example.org","records":[{"name":"example.org.","type":"TXT","ttl":3600,"value":"v=spf1 mx -all","zone":"example.org.","replaces":["v=spf1 -all"]}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func write(t *testing.T, in step.Input, domains []spec.Domain, list []dnsexport.Domain, format string) string {
	t.Helper()
	var b strings.Builder
	if err := dnsexport.Write(&b, in, domains, list, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Blocks of a script for nsupdate are sorted by server, since a script goes on with
// the one that was named last: where the SOA record says it, none may be named before.
func TestNsupdateServers(t *testing.T) {
	domains := []spec.Domain{{Name: "a.example"}, {Name: "b.example", DNS: spec.DNSManual}, {Name: "c.example"}}
	in := step.Input{Spec: spec.Spec{Host: spec.Host{DNS: spec.DNSUpdate, Update: spec.Update{Server: "192.0.2.53:5353"}}, Domains: domains}}
	in.Spec.Domains[2].DNS = spec.DNSBind
	in.Facts.Zones = []state.Zone{{Origin: "c.example.", Kind: "primary"}}
	var list []dnsexport.Domain
	for _, d := range domains {
		one := needs(d.Name, txt(d.Name+".", "v=spf1 -all"))
		one.Records[0].Zone = d.Name + "."
		list = append(list, one)
	}
	list[0].Records[0].Replaces = []string{"v=spf1 +all"}
	script := write(t, in, in.Spec.Domains, list, "nsupdate")
	var order []string
	for line := range strings.Lines(script) {
		if f := strings.Fields(line); len(f) > 1 && (f[0] == "server" || f[0] == "zone") {
			order = append(order, strings.Join(f, " "))
		}
	}
	want := []string{"zone b.example.", "server 127.0.0.1", "zone c.example.", "server 192.0.2.53 5353", "zone a.example."}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("%s\n%s", diff, script)
	}
	if !strings.Contains(script, "v=spf1 +all") {
		t.Errorf("the record that has to go is not deleted:\n%s", script)
	}
}

func TestAddressOfAnUpdateServer(t *testing.T) {
	for server, want := range map[string]string{
		"192.0.2.53": "server 192.0.2.53", "ns.example:53": "server ns.example 53", "[2001:db8::53]:53": "server 2001:db8::53 53", "2001:db8::53": "server 2001:db8::53", "": "",
	} {
		d := spec.Domain{Name: "a.example"}
		in := step.Input{Spec: spec.Spec{Host: spec.Host{DNS: spec.DNSUpdate, Update: spec.Update{Server: server}}, Domains: []spec.Domain{d}}}
		list := []dnsexport.Domain{needs("a.example", txt("a.example.", "x"))}
		list[0].Records[0].Zone = "a.example."
		got := ""
		for line := range strings.Lines(write(t, in, in.Spec.Domains, list, "nsupdate")) {
			if strings.HasPrefix(line, "server ") {
				got = strings.TrimSpace(line)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", server, got, want)
		}
	}
}

// Every form has all records, and an empty line between two domains where a form has
// blocks.
func TestForms(t *testing.T) {
	domains := []spec.Domain{{Name: "a.example"}, {Name: "b.example"}}
	in := step.Input{Spec: spec.Spec{Domains: domains}}
	var list []dnsexport.Domain
	for _, d := range domains {
		one := needs(d.Name, txt(d.Name+".", "v=spf1 mx -all"), txt("_dmarc."+d.Name+".", "v=DMARC1; p=none"))
		for i := range one.Records {
			one.Records[i].Zone = d.Name + "."
		}
		list = append(list, one)
	}
	for _, format := range dnsexport.Formats() {
		if format == "qr" { // of keys only
			continue
		}
		got := write(t, in, domains, list, format)
		for _, part := range []string{"a.example", "b.example"} {
			if !strings.Contains(got, part) {
				t.Errorf("%s: nothing about %s:\n%s", format, part, got)
			}
		}
		if n := strings.Count(got, "v=spf1 mx -all"); n < 2 {
			t.Errorf("%s: %d SPF records of two domains:\n%s", format, n, got)
		}
		if n := strings.Count(got, "DMARC1"); n < 2 {
			t.Errorf("%s: %d DMARC records of two domains:\n%s", format, n, got)
		}
	}
	if got, want := write(t, in, domains, list, "plain"), `# zone a.example
@ TXT v=spf1 mx -all
_dmarc TXT v=DMARC1; p=none
# zone b.example
@ TXT v=spf1 mx -all
_dmarc TXT v=DMARC1; p=none
`; strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := write(t, in, domains, list, "zone"); !strings.Contains(got, "\n\n") {
		t.Errorf("no empty line between two domains:\n%s", got)
	}
}

// What a domain needs comes from the steps, with the notes about it.
func TestDomains(t *testing.T) {
	d := spec.Domain{Name: "lab.example", TTL: 3600}
	in := step.Input{Spec: spec.Spec{Host: spec.Host{Domain: "lab.example", Hostname: "mail.lab.example"}, Domains: []spec.Domain{d}}}
	list := dnsexport.Domains(in, in.Spec.Domains)
	if len(list) != 1 || list[0].Domain != "lab.example" {
		t.Fatalf("%+v", list)
	}
	var names []string
	for _, r := range list[0].Records {
		names = append(names, r.Name+" "+r.Type)
	}
	if diff := cmp.Diff([]string{"lab.example. TXT", "mail.lab.example. TXT", "_dmarc.lab.example. TXT"}, names); diff != "" {
		t.Error(diff)
	}
}
