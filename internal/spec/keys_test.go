package spec_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec"
)

const (
	hostText = "version = 1\nhostname = \"mail.shop.example\"\naddresses = [\"192.0.2.25\"]\ndomain = \"shop.example\"\n"
	shopText = "domain = \"shop.example\"\nselector = \"s1\"\n"
)

// parse reads a host.toml and the file of shop.example, each with lines at its end.
func parse(host, domain string) (spec.Spec, error) {
	return spec.Parse([]byte(hostText+host), map[string][]byte{"shop.example": []byte(shopText + domain)})
}

// Each key of a domain's file refuses what it cannot mean, in one line that names file, line and key, and ends with a hint.
func TestEachKeyOfADomainRefuses(t *testing.T) {
	for _, tt := range []struct{ line, says, hint string }{
		{`key_bits = 2047`, `"2047" is not 1024, 2048, 3072 or 4096`, "2048"},
		{`ttl = 59`, `"59" is not a number of seconds from 60 to 604800`, "3600"},
		{`ns = ["192.0.2.1"]`, `"192.0.2.1" is an address`, "mail.example.org"},
		{`keep = ["mx"]`, `"mx" is not spf, helo or dmarc`, "SPF record"},
		{`wildcard_records = "yes"`, `"yes" is not copy or drop`, "copy publishes them"},
		{`signed_by = "rspamd"`, `"rspamd" is not "other"`, `"other" leaves signing`},
		{`dns = "named"`, `"named" is not bind, rfc2136, hook, slots, delegate or manual`, "manual prints"},
		{`also = ["a b@example.net"]`, `"a b@example.net" has ' ' before the @`, "alice@example.org"},
		{`drain = "14"`, `"14" is no span of time with a unit`, "14d"},
		{`rotate_every = "monthly"`, `"monthly" is no span of time`, "180d"},
		{`lag = "never"`, `"never" is no span of time`, "1h"},
		{`revoke = "367d"`, `"367d" is more than 366d`, "30d"},
		{`repair = "maybe"`, `"maybe" is not yes or no`, "no only tells"},
		{`identities = ["example.net"]`, `"example.net" is not two words`, "example.org @example.org"},
		{`spf.all = "+all"`, `"+all" is not softfail, fail or neutral`, "softfail"},
		{`spf.include = ["-"]`, `"-" has a label that begins or ends with a hyphen`, "_spf.example.net"},
		{`dmarc.policy = "p=none"`, `"p=none" is not none, quarantine or reject`, "start with none"},
		{`dmarc.subdomain_policy = "x"`, `"x"`, "none"},
		{`dmarc.adkim = "x"`, `"x"`, "relaxed"},
		{`dmarc.aspf = "x"`, `"x"`, "relaxed"},
		{`dmarc.rua = ["https://shop.example/"]`, `"https://shop.example/" is no mailto: URI`, "dmarc@example.org"},
		{`dmarc.ruf = ["a@shop.example!10m"]`, "a@shop.example!10m", ""},
		{`rfc2136.server = "ns1.shop.example:x"`, `"ns1.shop.example:x"`, ""},
		{`rfc2136.key_file = "tsig.key"`, `"tsig.key"`, ""},
		{`dns_hook = "powerdns"`, `"powerdns" is no absolute path`, "/usr/lib/mailsetup/hooks/powerdns"},
		{`policies = "none"`, ": is no key of this file", "remove the line or correct the name"},
		{`policy = "none"`, ": is no key of this file", "move the line below [dmarc]"},
		{`rfc2136.include = ["_spf.example.net"]`, ": is no key of this file", "move the line below [spf]"},
		{`dmarc.keep = ["spf"]`, ": is no key of this file", "move the line above the first [table]"},
	} {
		key, _, _ := strings.Cut(tt.line, " ")
		refuses(t, "", tt.line+"\n", "/etc/mailsetup/domains.d/shop.example.toml:3: "+key, tt.says, tt.hint)
	}
}

// The same of host.toml.
func TestEachKeyOfTheHostRefuses(t *testing.T) {
	for _, tt := range []struct{ line, says, hint string }{
		{`dns = "x"`, `"x" is not bind, rfc2136, hook, slots, delegate or manual`, "manual prints"},
		{`root_alias = "root"`, `"root"`, ""},
		{`milter_default_action = "reject"`, `"reject"`, "tempfail"},
		{`sign_bounces = "maybe"`, `"maybe" is not yes or no`, "yes shows bounces"},
		{`leave_services = ["submission"]`, `"submission" is not the name of a service and its type`, "submission/inet"},
		{`leave_services = ["submission/tcp"]`, `"submission/tcp" has a type that master.cf does not know`, "submission/inet"},
		{`notify = "ops"`, `"ops"`, ""},
		{`repair = "x"`, `"x" is not yes or no`, "no only tells"},
		{`block_lists = ["zen"]`, `"zen" is no zone`, "KEY.zen.dq.spamhaus.net"},
		{`nonsigning_milters = ["192.0.2.7:8891"]`, `"192.0.2.7:8891" is no milter`, "inet:192.0.2.7:8891"},
		{`rotate_every = "x"`, `"x"`, "180d"},
		{`selector = "a b"`, `"a b"`, ""},
		{`spf.all = "pass"`, `"pass"`, "softfail"},
		{`rfc2136.trusted = ["192.0.2.0/24"]`, ": is no key of this file", "move the line above the first [table]"},
		{`inbound.spf = "fail"`, `"fail" is not off, mark or reject`, "refuses nothing"},
		{`inbound.dmarc = "none"`, `"none" is not off, mark, quarantine or reject`, "refuses nothing"},
		{`inbound.dnsbl = ["zen.spamhaus.org=127.0.0.*"]`, `"zen.spamhaus.org=127.0.0.*" has codes that cannot be used`, "127.0.0.[2..11]"},
		{`inbound.allow = ["192.0.2.7/24"]`, `"192.0.2.7/24" has bits behind its length`, "write 192.0.2.0/24"},
		{`inbound.policy = "none"`, ": is no key of this file", "move the line below [dmarc]"},
		{`dns_hook = "../powerdns"`, `"../powerdns" is no absolute path`, "/usr/lib/mailsetup/hooks/powerdns"},
		{`signs = true`, ": is no key of this file", "remove the line or correct the name"},
	} {
		key, _, _ := strings.Cut(tt.line, " ")
		refuses(t, tt.line+"\n", "", "/etc/mailsetup/host.toml:5: "+key, tt.says, tt.hint)
	}
}

func refuses(t *testing.T, host, domain, at, says, hint string) {
	t.Helper()
	_, err := parse(host, domain)
	if err == nil {
		t.Errorf("%s%s was accepted", host, domain)
		return
	}
	text, gave, _ := strings.Cut(err.Error(), "; hint: ")
	if !strings.HasPrefix(text, at) || !strings.Contains(text, says) || !strings.Contains(gave, hint) || strings.Contains(text, "\n") || gave == "" {
		t.Errorf("%s%s: %v\nwant a line that begins with %q, says %q and hints at %q", host, domain, err, at, says, hint)
	}
}

func TestWhatADomainHasFromTheHost(t *testing.T) {
	const day = 24 * time.Hour
	s, err := parse("dns = \"rfc2136\"\nrepair = \"no\"\nrotate_every = \"30d\"\nlag = \"2h\"\ndrain = \"7d\"\nrfc2136.key_file = \"/etc/host.key\"\nrfc2136.server = \"ns1.example.net\"\n", "")
	if err != nil {
		t.Fatal(err)
	}
	own, err := parse("repair = \"no\"\n", "dns = \"manual\"\nrepair = \"yes\"\nrotate_every = \"never\"\ndrain = \"3d\"\n")
	if err != nil {
		t.Fatal(err)
	}
	d, o := s.Domains[0], own.Domains[0]
	if s.DNSOf(d) != spec.DNSUpdate || own.DNSOf(o) != spec.DNSManual {
		t.Errorf("published by %q and %q", s.DNSOf(d), own.DNSOf(o))
	}
	if s.Repairs(d) || !own.Repairs(o) {
		t.Error("the domain's word on repair does not count for more than the host's")
	}
	if s.DrainOf(d) != 7*day || own.DrainOf(o) != 3*day {
		t.Errorf("drains %s and %s", s.DrainOf(d), own.DrainOf(o))
	}
	if r := s.RotationOf(d); r.Every != 30*day || r.Lag != 2*time.Hour {
		t.Errorf("the host's rotation is %+v for the domain", r)
	}
	if r := own.RotationOf(o); r.Every != spec.Never {
		t.Errorf("a domain whose key stays for ever is rotated every %s", r.Every)
	}
	if u := s.UpdateOf(d); u.Server != "ns1.example.net" || u.KeyFile != "/etc/host.key" {
		t.Errorf("updates go to %+v", u)
	}
}

func TestSenders(t *testing.T) {
	for text, want := range map[string][]string{
		"":                               {"shop.example"},
		"subdomains = true\n":            {"shop.example", ".shop.example"},
		"also = [\"ann@example.net\"]\n": {"shop.example", "ann@example.net"},
		"partial = true\nalso = [\"ann@shop.example\"]\n":               {"ann@shop.example"},
		"partial = true\nsubdomains = true\n":                           {".shop.example"},
		"subdomains = true\nalso = [\".example.net\", \"b.example\"]\n": {"shop.example", ".shop.example", ".example.net", "b.example"},
	} {
		s, err := parse("", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.Domains[0].Senders(); !slices.Equal(got, want) {
			t.Errorf("%q: senders %q, want %q", text, got, want)
		}
	}
}

func TestWhoSigns(t *testing.T) {
	ours, err := parse("", "")
	if err != nil || !ours.Signs() || !ours.Has("shop.example") || ours.Has("other.example") {
		t.Errorf("a domain without signed_by: %v, signs %v", err, ours.Signs())
	}
	other, err := parse("", "signed_by = \"other\"\n")
	if err != nil || other.Signs() {
		t.Errorf("a domain that another milter signs: %v, signs %v", err, other.Signs())
	}
}

// The words of the flags that answer questions.
func TestConsentWords(t *testing.T) {
	for word, parse := range map[string]func(string) (bool, error){
		"change": spec.ExistingRecords, "merge": spec.ServiceMilters, "replace": spec.OtherSigner,
	} {
		if yes, err := parse(word); !yes || err != nil {
			t.Errorf("%q: %v, %v, want a yes", word, yes, err)
		}
		if yes, err := parse("keep"); yes || err != nil {
			t.Errorf("keep beside %q: %v, %v, want a no", word, yes, err)
		}
		for _, bad := range []string{"", "yes", word + "s"} {
			if _, err := parse(bad); err == nil || !strings.Contains(err.Error(), "; hint: ") {
				t.Errorf("%q beside %q: %v, want a refusal with a hint", bad, word, err)
			}
		}
	}
}

func TestFilesOfDomains(t *testing.T) {
	if got := spec.DomainsDir(); got != "/etc/mailsetup/domains.d" {
		t.Errorf("files of domains are in %s", got)
	}
	if got := spec.DomainFile("shop.example"); got != "/etc/mailsetup/domains.d/shop.example.toml" {
		t.Errorf("the file of shop.example is %s", got)
	}
}
