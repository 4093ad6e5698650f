package dkim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/text"
	"mailsetup/keygen"
)

// maxGone is how many keys that are gone are looked for: the last ones, whose records
// somebody may have forgotten.
const maxGone = 3

// checkStray looks for records of keys that are gone. A wildcard that answers in their
// place has another key.
func (c *checker) checkStray(ctx context.Context) {
	looked := 0
	for _, k := range slices.Backward(c.domain.Keys) {
		if k.Stage != keyring.Gone || k.Public == "" || looked == maxGone {
			continue
		}
		looked++
		name := dnsname.Absolute(dnsname.Key(k.Selector, c.domain.Name))
		for _, got := range c.askOne(ctx, name) {
			has, err := keygen.ParseRecord(got)
			if err != nil || !has.SamePublic(keygen.KeyRecord{KeyType: "rsa", Public: k.Public}) {
				continue
			}
			f := finding.Finding{
				ID: "dkim.stray", Severity: finding.Note, Subject: dnsname.TrimDot(name),
				Seen: "still there, of a key that is gone", Remedy: finding.Text("take the record out: " + dnsname.TrimDot(name) + " TXT"),
			}
			if c.published() {
				f.Remedy, f.Fixable = finding.Command("mailsetup init"), true
			}
			c.report(f)
		}
	}
	if looked > 0 && !slices.ContainsFunc(c.Findings, func(f finding.Finding) bool { return f.ID == "dkim.stray" }) {
		c.report(finding.Finding{ID: "dkim.stray", Severity: finding.OK, Seen: "no record of a key that is gone"})
	}
}

// adspOf returns the name of a domain's ADSP record, absolute.
func adspOf(domain string) string { return "_adsp._domainkey." + dnsname.Absolute(domain) }

// checkADSP looks for a record of RFC 5617, which is historic.
func (c *checker) checkADSP(texts []string) {
	name := adspOf(c.domain.Name)
	for _, got := range texts {
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(got)), "dkim=") {
			c.report(finding.Finding{
				ID: "dkim.adsp", Severity: finding.Note, Subject: dnsname.TrimDot(name), Seen: got,
				Remedy: finding.Text("take the record out: " + dnsname.TrimDot(name) + " TXT"),
			})
			return
		}
	}
}

// askOne returns the texts at a name, as the first name server in charge has them that
// answers. The resolver is not asked, which would remember that there are none.
func (c *checker) askOne(ctx context.Context, name string) []string {
	zone, err := c.DNS.ZoneOf(ctx, dnsclient.ZoneQueryName(name))
	if err != nil {
		return nil
	}
	a, err := c.DNS.Authority(ctx, zone)
	if err != nil {
		return nil
	}
	for _, n := range a.Servers {
		if m, wrong := c.DNS.Ask(ctx, n, zone, name, dns.TypeTXT); wrong.OK() {
			return txt(dnsclient.AnswerChain(m, name, dns.TypeTXT))
		}
	}
	return nil
}

// CheckServer looks for keys that several domains have in common.
func CheckServer(domains []subject.Domain) finding.Result {
	var r finding.Result
	users, first := map[string][]string{}, map[string]string{}
	var order []string
	for _, d := range domains {
		for _, k := range keyring.Existing(d.Keys) {
			if k.Public == "" || k.Pending() || slices.Contains(users[k.Public], d.Name) {
				continue
			}
			if users[k.Public] == nil {
				order = append(order, k.Public)
				first[k.Public] = dnsname.Key(k.Selector, d.Name)
			}
			users[k.Public] = append(users[k.Public], d.Name)
		}
	}
	shared := false
	for _, public := range order {
		key := first[public]
		if list := users[public]; len(list) > 1 {
			shared = true
			r.Findings = append(r.Findings, finding.Finding{
				ID: "dkim.sharing", Severity: finding.Note, Subject: key,
				Seen: shorten(fmt.Sprintf("%s have one key: %s", text.Count(len(list), "domain"), text.List(list, 5))),
			})
		}
	}
	if len(order) > 1 && !shared {
		r.Findings = append(r.Findings, finding.Finding{ID: "dkim.sharing", Severity: finding.OK, Seen: "each domain has a key of its own"})
	}
	return r
}
