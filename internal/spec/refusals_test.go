package spec_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// wrongDomain makes one value of a domain senseless; the key is the one that is to be
// named.
var wrongDomain = map[string]func(d *spec.Domain){
	"selector":               func(d *spec.Domain) { d.Selector = "no spaces" },
	"key_bits":               func(d *spec.Domain) { d.KeyBits = 512 },
	"ttl":                    func(d *spec.Domain) { d.TTL = 1 },
	"ns":                     func(d *spec.Domain) { d.NS = []string{"ns1"} },
	"keep":                   func(d *spec.Domain) { d.Keep = []string{"mx"} },
	"wildcard_records":       func(d *spec.Domain) { d.WildcardRecords = "perhaps" },
	"dns":                    func(d *spec.Domain) { d.DNS = "pigeon" },
	"also":                   func(d *spec.Domain) { d.Also = []string{"two words"} },
	"drain":                  func(d *spec.Domain) { d.Drain = 1000 * 24 * time.Hour },
	"lag":                    func(d *spec.Domain) { d.Lag = 1500 * time.Millisecond },
	"rotate_every":           func(d *spec.Domain) { d.Every = time.Nanosecond },
	"revoke":                 func(d *spec.Domain) { d.Revoke = 999 * 24 * time.Hour },
	"repair":                 func(d *spec.Domain) { d.Repair = "often" },
	"identities":             func(d *spec.Domain) { d.Identities = []string{"one"} },
	"partial":                func(d *spec.Domain) { d.Partial, d.Also, d.Subdomains = true, nil, false },
	"spf.all":                func(d *spec.Domain) { d.SPF.All = "maybe" },
	"spf.include":            func(d *spec.Domain) { d.SPF = spec.SPF{All: d.SPF.All, Include: []string{d.Name}} },
	"spf.redirect":           func(d *spec.Domain) { d.SPF = spec.SPF{All: d.SPF.All, Redirect: d.Name} },
	"dmarc.policy":           func(d *spec.Domain) { d.DMARC.Policy = "throw away" },
	"dmarc.subdomain_policy": func(d *spec.Domain) { d.DMARC.SubdomainPolicy = "reject!" },
	"dmarc.adkim":            func(d *spec.Domain) { d.DMARC.ADKIM = "sloppy" },
	"dmarc.aspf":             func(d *spec.Domain) { d.DMARC.ASPF = "r\n" },
	"dmarc.rua":              func(d *spec.Domain) { d.DMARC.RUA = []string{"https://reports.example"} },
	"dmarc.ruf":              func(d *spec.Domain) { d.DMARC.RUF = []string{"mailto:"} },
	"rfc2136.server":         func(d *spec.Domain) { d.Update.Server = "not a host" },
	"rfc2136.key_file":       func(d *spec.Domain) { d.Update.KeyFile = "relative.key" },
}

// wrongHost does it for the host.
var wrongHost = map[string]func(h *spec.Host){
	"version":               func(h *spec.Host) { h.Version = 99 },
	"hostname":              func(h *spec.Host) { h.Hostname = "mail" },
	"addresses":             func(h *spec.Host) { h.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.1")} },
	"domain":                func(h *spec.Host) { h.Domain = "nobody.example" },
	"dns":                   func(h *spec.Host) { h.DNS = "" },
	"root_alias":            func(h *spec.Host) { h.RootAlias = "not an address" },
	"mta":                   func(h *spec.Host) { h.MTA = "sendmail" },
	"milter_default_action": func(h *spec.Host) { h.MilterDefaultAction = "hope" },
	"sign_bounces":          func(h *spec.Host) { h.SignBounces = "sometimes" },
	"leave_services":        func(h *spec.Host) { h.LeaveServices = []string{"submission"} },
	"drain":                 func(h *spec.Host) { h.Drain = 1000 * 24 * time.Hour },
	"notify":                func(h *spec.Host) { h.Notify = "@" },
	"repair":                func(h *spec.Host) { h.Repair = "often" },
	"trusted":               func(h *spec.Host) { h.Trusted = []string{"two words"} },
	"opendkim":              func(h *spec.Host) { h.OpenDKIM = []string{"Socket inet:1"} },
	"nonsigning_milters":    func(h *spec.Host) { h.NonsigningMilters = []string{"somewhere"} },
	"block_lists":           func(h *spec.Host) { h.BlockLists = []string{"https://zen.spamhaus.org/"} },
	"selector":              func(h *spec.Host) { h.Defaults.Selector = "no spaces" },
	"key_bits":              func(h *spec.Host) { h.Defaults.KeyBits = 7 },
	"spf.all":               func(h *spec.Host) { h.Defaults.SPF.All = "maybe" },
	"dmarc.policy":          func(h *spec.Host) { h.Defaults.DMARC.Policy = "x" },
}

// One value that makes no sense is named by its key, on one line that a terminal can
// show, whatever else is wanted; what is right is not complained of.
func TestEachWrongValueIsNamed(t *testing.T) {
	c := chooser{rand.New(rand.NewPCG(1, 7489))}
	for range 20 {
		s := c.whole()
		at := c.IntN(len(s.Domains))
		for key, spoil := range wrongDomain {
			wrong := spec.Spec{Host: s.Host, Domains: slices.Clone(s.Domains)}
			spoil(&wrong.Domains[at])
			named(t, wrong.Validate(), wrong.Domains[at].Name, key)
		}
		for key, spoil := range wrongHost {
			wrong := spec.Spec{Host: s.Host, Domains: s.Domains}
			spoil(&wrong.Host)
			named(t, wrong.Validate(), "host", key)
		}
	}
}

// named looks for a finding about a key of a domain or of the host.
func named(t *testing.T, found syntax.Findings, of, key string) {
	t.Helper()
	if !slices.ContainsFunc(found, func(f syntax.Finding) bool { return f.Field == of+": "+key }) {
		t.Errorf("%s of %s is wrong, and this is said: %v", key, of, found)
	}
	for _, f := range found {
		line := f.String()
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) || len(line) > 400 {
			t.Errorf("not a line for a terminal: %q", line)
		}
		if f.Hint == "" {
			t.Errorf("without a hint: %s", line)
		}
		// A host that publishes in another way may leave domains without a server.
		if other := strings.SplitN(f.Field, ": ", 2)[0]; other != of && key != "dns" && key != "rfc2136.key_file" && key != "also" {
			t.Errorf("%s of %s is wrong, and %s is complained of: %s", key, of, other, line)
		}
	}
}

// A receiver follows ten mechanisms that ask DNS (RFC 7208 section 4.6.4): the tenth is
// taken and the eleventh refused, the mx of a domain that receives among them.
func TestLookupsOfSPF(t *testing.T) {
	c := chooser{rand.New(rand.NewPCG(2, 7208))}
	for _, receive := range []bool{false, true} {
		for n := range 13 {
			s := c.whole()
			d := &s.Domains[0]
			d.Receive, d.SPF = receive, spec.SPF{All: "fail"}
			for i := range n {
				d.SPF.Include = append(d.SPF.Include, fmt.Sprintf("_spf%d.example", i))
			}
			terms := n
			if receive {
				terms++
			}
			refused := slices.ContainsFunc(s.Validate(), func(f syntax.Finding) bool { return strings.Contains(f.Text, "receivers stop at 10") })
			if refused != (terms > 10) {
				t.Errorf("%d look-ups: refused %v", terms, refused)
			}
		}
	}
}

// What a file says is refused as what a flag says is: no list of host.toml takes a value
// that a daemon would take for two, or for something else.
func TestListsOfTheHostAreSafe(t *testing.T) {
	host := string(spec.MarshalHost(chooser{rand.New(rand.NewPCG(3, 1))}.host()))
	for key, values := range map[string][]string{
		"block_lists":        {"zen", "192.0.2.1", "a b.example", ""},
		"nonsigning_milters": {"somewhere", "inet:192.0.2.7:8891\\nsmtpd_milters", ""},
		"leave_services":     {"submission", "submission/inet # mine", "a b/inet"},
		"trusted":            {"", "192.0.2.0/24 0.0.0.0/0", "relay.example # ours"},
		"opendkim":           {"", "KeyTable file:/etc/other", "UserID root", "Nameservers 192.0.2.53 # ours"},
	} {
		for _, value := range values {
			var lines []string
			for l := range strings.Lines(host) {
				if !strings.HasPrefix(l, key+" = ") {
					lines = append(lines, l)
				}
			}
			text := fmt.Sprintf("%s = [\"%s\"]\n", key, value) + strings.Join(lines, "")
			d := chooser{rand.New(rand.NewPCG(3, 2))}.domain("lab.example")
			d.DNS, d.Update = "", spec.Update{}
			_, err := spec.Parse([]byte(text), map[string][]byte{"lab.example": spec.MarshalDomain(d)})
			if err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s = %q: %v", key, value, err)
			}
		}
	}
}
