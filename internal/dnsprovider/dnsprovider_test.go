package dnsprovider_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnsprovider"
)

func TestOf(t *testing.T) {
	for servers, want := range map[string]string{
		"ada.ns.cloudflare.com. BOB.NS.cloudflare.com.":                 "Cloudflare",
		"ns-1.awsdns-03.com. ns-900.awsdns-48.co.uk.":                   "Amazon Route 53",
		"ns-cloud-d1.googledomains.com. ns-cloud-d2.googledomains.com.": "Google Cloud DNS",
		"ns1.googledomains.com.":                                        "",
		"hydrogen.ns.hetzner.com. helium.ns.hetzner.de.":                "Hetzner",
		"ns51.domaincontrol.com. ns52.domaincontrol.com.":               "GoDaddy",
		"ns-12-a.gandi.net.":                                            "Gandi",
		"ns1.digitalocean.com. ada.ns.cloudflare.com.":                  "", // two of them
		"ns1.digitalocean.com. ns.lab.example.":                         "",
		"cloudflare.com.":                                               "",
		"xdigitalocean.com.":                                            "",
		"":                                                              "",
	} {
		got := ""
		if p := dnsprovider.Of(strings.Fields(servers)); p != nil {
			got = p.Name
		}
		if got != want {
			t.Errorf("%s: %q, want %q", servers, got, want)
		}
	}
}

func TestHabits(t *testing.T) {
	for name, want := range map[string]string{
		"Cloudflare":      `enter long TXT values whole, since the form splits them; have addresses of the mail server as "DNS only", without the proxy`,
		"Amazon Route 53": "enter TXT values in quotes, in strings of at most 255 octets, as they stand here",
		"Hetzner":         "enter names without the domain, which the form adds; keep the dot at the end of a host in a value",
		"Loopia":          "a TXT value has at most 450 octets there",
		"STRATO":          "",
	} {
		i := slices.IndexFunc(dnsprovider.Providers, func(p dnsprovider.Provider) bool { return p.Name == name })
		if got := dnsprovider.Providers[i].Habits.String(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A habit has a source, and the names of one provider's servers are no other's.
func TestProviders(t *testing.T) {
	if n := len(dnsprovider.Providers); n < 25 {
		t.Errorf("%d providers", n)
	}
	for _, p := range dnsprovider.Providers {
		if (p.Habits.String() == "") != (len(p.Sources) == 0) {
			t.Errorf("%s: habits %q, sources %q", p.Name, p.Habits, p.Sources)
		}
		if p.Quotes && (p.Bare || p.Splits) {
			t.Errorf("%s: quotes in a form that adds them", p.Name)
		}
		for _, s := range p.Servers {
			if got := dnsprovider.Of([]string{"ns1." + strings.ReplaceAll(s, "*", "x")}); got == nil || got.Name != p.Name {
				t.Errorf("%s is found as %v", s, got)
			}
		}
	}
	if !slices.IsSortedFunc(dnsprovider.Providers, func(a, b dnsprovider.Provider) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	}) {
		t.Error("not in the order of names")
	}
}

var update = flag.Bool("update", false, "write docs/providers.md anew")

const page = "../../docs/providers.md"

// docs/providers.md has what is known.
func TestPage(t *testing.T) {
	want := pageText()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != want {
		t.Errorf("%v: go test ./internal/dnsprovider -update", err)
	}
}

func pageText() string {
	var b strings.Builder
	b.WriteString("# Providers that host zones\n\n" +
		"`mailsetup dns --format paste` prints records as the form of a provider takes them. It knows\n" +
		"the provider by the names of the name servers of the zone, and says what is known of its\n" +
		"form. Nobody has tried these forms for this page: each habit is from the sources in its row,\n" +
		"as they were in November 2026; those of DNSControl are about the provider's API. Where the\n" +
		"form has other habits by now, `mailsetup dns --wait` says what became of the record.\n\n" +
		"| Provider | Name servers end in | Habits of its form | Sources |\n|---|---|---|---|\n")
	for _, p := range dnsprovider.Providers {
		habits, sources := p.Habits.String(), []string{}
		if habits == "" {
			habits = "not known"
		}
		for i, s := range p.Sources {
			sources = append(sources, fmt.Sprintf("[%d](%s)", i+1, s))
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", p.Name, strings.Join(p.Servers, "`, `"), habits, strings.Join(sources, " "))
	}
	return b.String()
}

func TestProxyOf(t *testing.T) {
	for address, want := range map[string]string{
		"104.21.3.4": "Cloudflare", "172.67.1.2": "Cloudflare", "2606:4700:3030::1": "Cloudflare",
		"192.0.2.10": "", "2001:db8::10": "", "mail.lab.example.": "", "": "",
	} {
		if got := dnsprovider.ProxyOf(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}
