package spec

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func someHost() Host {
	return Host{
		Version: 1, Hostname: "mail.shop.example", Domain: "shop.example", DNS: DNSBind,
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")},
		RootAlias: "Alice@shop.example", MilterDefaultAction: "tempfail",
		SignBounces: "no", LeaveServices: []string{"submission/inet", "[::1]:10025/inet"}, Drain: 36 * time.Hour,
		Rotation: Rotation{Every: 30 * 24 * time.Hour, Lag: 90 * time.Minute, Revoke: 24 * time.Hour},
		Notify:   "ops@shop.example",
		Update:   Update{Server: "192.0.2.53", KeyFile: "/etc/mailsetup/tsig.key"},
	}
}

func someDomain() Domain {
	return Domain{
		Name: "shop.example", Selector: "202611", KeyBits: 2048, Receive: true, TTL: 3600,
		SPF:   SPF{All: "softfail", Include: []string{"_spf.news.example"}},
		DMARC: DMARC{Policy: "none", RUA: []string{"mailto:dmarc@shop.example"}},
		Keep:  []string{"spf", "dmarc"},
	}
}

// fullDomain says something at every key.
func fullDomain() Domain {
	d := someDomain()
	d.DNS, d.Subdomains, d.Also = DNSUpdate, true, []string{".example.net", "ann@shop2.example"}
	d.Update.Server, d.WildcardRecords = "ns1.shop.example", Copy
	d.Repair = "no"
	d.Drain, d.Rotation = 30*24*time.Hour, Rotation{Every: Never, Lag: 2 * time.Hour, Revoke: Never}
	return d
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestMarshalParse(t *testing.T) {
	want := Spec{Host: someHost(), Domains: []Domain{fullDomain()}}
	got, err := Parse(MarshalHost(someHost()), map[string][]byte{"shop.example": MarshalDomain(fullDomain())})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "what was written", got, want)
}

func TestMarshalDomainText(t *testing.T) {
	const want = `# Mail of shop.example, for mailsetup. Edit it, then run: mailsetup init

# The part after the @; this file is named after it.
domain = "shop.example"
# The selector of the first DKIM key. A new key gets a new one; keep this.
selector = "202611"
# The size of the RSA key: 1024 (if DNS takes no more), 2048, 3072 or 4096.
key_bits = 2048
# Whether this server receives the domain's mail (publishes an MX).
receive = true
# How long resolvers keep the records, in seconds.
ttl = 3600
# Whether the zone itself is made and served here, and its name servers.
new_zone = false
ns = []
# Records that stay as they are: "spf", "helo" (the host's), "dmarc".
keep = ["spf", "dmarc"]
# What a wildcard said of names that exist now: "copy", "drop", "" (not asked).
wildcard_records = "copy"
# How records get published, if not as the host's.
dns = "rfc2136"
# Whether mail of everything below the domain is signed, too.
subdomains = true
# Further senders signed with its key: domains, ".example.net", addresses.
also = [".example.net", "ann@shop2.example"]
# The life of its keys where it is not as host.toml says: "30d", "" (as there).
drain = "30d"
rotate_every = "never"
lag = "2h"
revoke = "never"
# Are its records put back, if not as host.toml says: "no", "yes".
repair = "no"

[spf]
# Mail from others: "softfail" (suspicious), "fail" (forged) or "neutral".
all = "softfail"
# Others who send for the domain, by the domain of their SPF record.
include = ["_spf.news.example"]
# The domain whose SPF record decides instead of one of its own.
redirect = ""

[dmarc]
# What receivers do with failing mail: "none" (report), "quarantine", "reject".
policy = "none"
# The same for subdomains; "" for the policy above.
subdomain_policy = ""
# Do subdomains count as the domain: "relaxed" (yes), "strict", "" (default).
adkim = ""
aspf = ""
# Where daily reports go, as mailto: URIs, and reports on single messages.
rua = ["mailto:dmarc@shop.example"]
ruf = []

[rfc2136]
# Where dynamic updates go and their TSIG key, if not as the host's.
server = "ns1.shop.example"
key_file = ""
`
	equal(t, "text", string(MarshalDomain(fullDomain())), want)
}

func TestMarshalHostText(t *testing.T) {
	const want = `# This server's mail, for mailsetup. Edit it, then run: mailsetup init

# The format of these files.
version = 1
# The name this server has in public DNS, for HELO and as target of MX.
hostname = "mail.shop.example"
# The public addresses it sends from, as other servers see them.
addresses = ["192.0.2.25", "2001:db8::25"]
# The domain whose key signs the mail of the host itself (cron, bounces).
domain = "shop.example"
# How records get published: bind, rfc2136, hook, slots, delegate or manual.
dns = "bind"
# Who reads the mail of root and postmaster; "" leaves /etc/aliases alone.
root_alias = "Alice@shop.example"
# While the signer is down: "tempfail" delays mail, "accept" sends it unsigned.
milter_default_action = "tempfail"
# Do bounces go through other milters to be signed: "yes", "no", "" (not asked).
sign_bounces = "no"
# Services with milters of their own that the signer is not added to.
leave_services = ["submission/inet", "[::1]:10025/inet"]
# How long a key that no longer signs stays in DNS for mail under way.
drain = "36h"
# The age at which a key gets a successor: "180d", "30d", "never".
rotate_every = "30d"
# How long, at least, all servers show a new key's record before it signs.
lag = "90m"
# How long a drained key is shown as revoked (an empty p=) before it goes.
revoke = "1d"
# Who is mailed records to publish and why a rotation failed; "" for nobody.
notify = "ops@shop.example"

[rfc2136]
# For dns = "rfc2136": where updates go ("": the primary), and the TSIG key.
server = "192.0.2.53"
key_file = "/etc/mailsetup/tsig.key"
`
	equal(t, "text", string(MarshalHost(someHost())), want)
}

// A file written by hand has little in it, and means the defaults.
func TestParseShort(t *testing.T) {
	host := "version = 1\nhostname = 'Mail.Shop.Example.'\naddresses = ['192.0.2.25']\ndomain = 'shop.example'\n"
	got, err := Parse([]byte(host), map[string][]byte{
		"shop.example":       []byte("domain = 'shop.example'\nselector = 's1'\n"),
		"a.example.toml":     []byte("domain = 'a.example'\nselector = 's2'\nspf.all = '-all'\n"),
		"xn--mnchen-3ya.com": []byte("domain = 'münchen.com'\nselector = 's3'\ndmarc = { adkim = 's' }\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	domain := func(name, selector string) Domain {
		return Domain{Name: name, Selector: selector, KeyBits: 2048, TTL: 3600, SPF: SPF{All: "softfail"}, DMARC: DMARC{Policy: "none"}}
	}
	a, b, c := domain("a.example", "s2"), domain("shop.example", "s1"), domain("xn--mnchen-3ya.com", "s3")
	a.SPF.All, c.DMARC.ADKIM = "fail", "strict"
	equal(t, "spec", got, Spec{
		Host: Host{
			Version: 1, Hostname: "mail.shop.example", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.25")},
			Domain: "shop.example", DNS: DNSManual, MilterDefaultAction: "tempfail", Drain: 14 * 24 * time.Hour,
		},
		Domains: []Domain{a, b, c},
	})
}

func TestParseRefuses(t *testing.T) {
	good := string(MarshalHost(someHost()))
	domain := string(MarshalDomain(someDomain()))
	const dir, host = "/etc/mailsetup/domains.d/shop.example.toml", "/etc/mailsetup/host.toml"
	for name, test := range map[string]struct {
		host, domain string
		want         []string
	}{
		"no version": {
			strings.Replace(good, "version = 1", "", 1), domain,
			[]string{host + ": version: version 0 is not known; hint: write: version = 1"},
		},
		"future version": {
			strings.Replace(good, "version = 1", "version = 2", 1), domain,
			[]string{host + ":4: version: version 2 is not known; hint: write: version = 1"},
		},
		"unknown keys": {
			"hostnam = 'x'\n" + good, domain + "colour = 1\n[x]\ny=2\n",
			[]string{
				host + ":1: hostnam: is no key of this file; hint: remove the line or correct the name",
				dir + ":54: rfc2136.colour: is no key of this file; hint: remove the line or correct the name",
				dir + ":55: x: is no key of this file; hint: remove the line or correct the name",
				dir + ":56: x.y: is no key of this file; hint: remove the line or correct the name",
			},
		},
		"case of keys": {
			strings.Replace(good, "hostname =", "Hostname =", 1), domain,
			[]string{host + ":6: Hostname: is no key of this file; hint: remove the line or correct the name"},
		},
		"key with a dot in quotes": {
			good, "\"spf.all\" = 'fail'\n" + domain,
			[]string{dir + `:1: "spf.all": is no key of this file; hint: remove the line or correct the name`},
		},
		"syntax":     {good, "domain = 'a\n", []string{dir + `:1: domain: strings cannot contain newlines; hint: write: domain = "a"`}},
		"wrong type": {good, "domain = 'shop.example'\nttl = 'x'\n", []string{dir + `:2: ttl: takes a whole number, and not 'x'; hint: write: ttl = 3600`}},
		"bad values": {
			good, "selector = 'a b'\ndomain = 'shop.example'\nttl = 5\n",
			[]string{
				dir + `:1: selector "a b" has ' ', only letters, digits, hyphens and dots are allowed; hint: letters, digits and hyphens, as in 202611`,
				dir + `:3: ttl "5" is not a number of seconds from 60 to 604800; hint: 3600 is an hour`,
			},
		},
		"consents": {
			strings.Replace(good, `= "no"`, `= "perhaps"`, 1) + "# the end\n", strings.Replace(domain, `"spf", "dmarc"`, `"mx"`, 1),
			[]string{
				host + `:18: sign_bounces "perhaps" is not yes or no; hint: yes shows bounces to your other milters, too`,
				dir + `:17: keep "mx" is not spf, helo or dmarc; hint: the SPF record of the domain, that of the host name, or the DMARC record`,
			},
		},
		"services": {
			strings.Replace(good, `"submission/inet"`, `"submission", "smtp/tcp", "a b/inet"`, 1), domain,
			[]string{
				host + `:20: leave_services "submission" is not the name of a service and its type; hint: name and type, as in submission/inet; postconf -M lists them`,
				host + `:20: leave_services "smtp/tcp" has a type that master.cf does not know; hint: name and type, as in submission/inet; postconf -M lists them`,
				host + `:20: leave_services "a b/inet" has a character that no service has; hint: name and type, as in submission/inet; postconf -M lists them`,
			},
		},
		"lives of keys": {
			strings.Replace(good, `= "30d"`, `= "monthly"`, 1), strings.Replace(domain, `lag = ""`, `lag = "never"`, 1),
			[]string{
				host + `:24: rotate_every "monthly" is no span of time with a unit (d, h, m, s); hint: "180d" suits nearly everyone, "30d" is monthly`,
				dir + `:27: lag "never" is no span of time with a unit (d, h, m, s); hint: "1h" suits nearly everyone`,
			},
		},
		"defaults": {
			"key_bits = 0\n" + good + "[spf]\nall = 'maybe'\nptr = true\n[dmarc]\n# who reads them\nrua = ['nobody']\n", domain,
			[]string{host + ":39: spf.ptr: is no key of this file; hint: remove the line or correct the name"},
		},
		"values of defaults": {
			"key_bits = 0\nttl = 0\n" + good + "[spf]\nall = 'maybe'\n[dmarc]\n# who reads them\nrua = ['nobody']\n", domain,
			[]string{
				host + `:1: key_bits "0" is not 1024, 2048, 3072 or 4096; hint: 2048 suits nearly everyone`,
				host + `:2: ttl "0" is not a number of seconds from 60 to 604800; hint: 3600 is an hour`,
				host + `:39: spf.all "maybe" is not softfail, fail or neutral; hint: softfail unless every sender is listed`,
				host + `:42: dmarc.rua "nobody" has no @; hint: an address such as alice@example.org`,
			},
		},
		"file name": {
			good, strings.Replace(domain, "shop", "other", 2),
			[]string{dir + `:4: domain "other.example" is not the name of the file; hint: rename the file to /etc/mailsetup/domains.d/other.example.toml`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.host), map[string][]byte{"shop.example": []byte(test.domain)})
			if err == nil {
				t.Fatal("accepted")
			}
			equal(t, "findings", strings.Split(err.Error(), "\n"), test.want)
		})
	}
}

// The hint of a file that somebody emptied names no other file.
func TestEmptiedFile(t *testing.T) {
	_, err := Parse([]byte("version = 1\nhostname = 'mail.lab.example'\ndomain = 'lab.example'\n"), map[string][]byte{"shop.example": nil})
	const want = `/etc/mailsetup/domains.d/shop.example.toml: domain: is missing; hint: put the file back from a backup, or write into it: domain = "shop.example"`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
