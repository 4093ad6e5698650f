package spec

import (
	"mailsetup/internal/inbound"
	"mailsetup/internal/spec/syntax"
)

// Answers are what flags and the wizard produced, as text. Empty means that
// nobody answered. In the lists, in RootAlias and in Notify the single word
// "none" takes an earlier answer back.
type Answers struct {
	Domain        string   // --domain
	Hostname      string   // --hostname
	Addresses     []string // --ip
	Selector      string   // --selector
	KeyBits       string   // --key-bits
	DNS           string   // --dns
	NewZone       string   // --dns-new-zone: yes or no
	NS            []string // --ns
	KeepSelectors []string // --keep-selector
	TTL           string   // --ttl
	Receive       string   // --receive: yes or no
	RootAlias     string   // --root-alias
	Notify        string   // --notify

	UpdateServer string // --rfc2136-server
	UpdateKey    string // --rfc2136-key
	Hook         string // --dns-hook
	SlotZone     string // --slot-zone
	Slots        string // --slots: how many
	Subdomains   string // --subdomains: yes or no

	SPFAll      string   // --spf-all
	SPFInclude  []string // --spf-include
	SPFRedirect string   // --spf-redirect: yes (to the primary domain) or no

	DMARC   string   // --dmarc
	DMARCSP string   // --dmarc-sp
	ADKIM   string   // --adkim
	ASPF    string   // --aspf
	RUA     []string // --rua
	RUF     []string // --ruf

	MilterDefaultAction string // --milter-default-action
	MTA                 string // --mta
	SendOnly            string // --send-only: yes or no

	Inbound inbound.Answers // of mailsetup inbound, and --inbound-spf and so on of init

	// Consents to change what is the administrator's. The first of each two
	// words takes back a no that the old spec remembers.
	ExistingRecords string // --existing-records: change or keep
	ServiceMilters  string // --service-milters: merge or keep
	SignBounces     string // --sign-bounces: yes or no
	WildcardRecords string // --wildcard-records: copy or drop
	OtherSigner     string // --other-signer: replace or keep
}

// Missing lists the flags without which no spec can be made: neither answered nor in
// the old spec, nil for none. DNS mode and receiving have detected answers, so they are
// never missing.
func (a Answers) Missing(old *Spec) []string {
	var host Host
	if old != nil {
		host = old.Host
	}
	var missing []string
	need := func(flag string, answered bool) {
		if !answered {
			missing = append(missing, flag)
		}
	}
	need("--domain", a.Domain != "" || host.Domain != "")
	need("--hostname", a.Hostname != "" || host.Hostname != "")
	need("--ip", len(a.Addresses) > 0 || len(host.Addresses) > 0)
	need("--root-alias", a.RootAlias != "" || host.RootAlias != "" || a.SendOnly != "yes")
	if yes, err := YesNo(a.NewZone); err == nil && yes {
		known := old.domain(a.Domain)
		need("--ns", len(a.NS) > 0 || known != nil && len(known.NS) > 0)
	}
	return missing
}

// domain finds a domain of the spec by its name as given; "" is the primary one. A nil
// spec has none.
func (s *Spec) domain(given string) *Domain {
	if s == nil {
		return nil
	}
	name := s.Host.Domain
	if given != "" {
		var err error
		if name, err = syntax.DomainName(given); err != nil {
			return nil
		}
	}
	for i := range s.Domains {
		if s.Domains[i].Name == name {
			return &s.Domains[i]
		}
	}
	return nil
}

// Check finds what is wrong with the given answers alone: nothing is missing yet.
func (a Answers) Check() syntax.Findings {
	var f findingList
	setField(&f, "--domain", a.Domain, new(string), syntax.DomainName)
	a.host(&f, &Host{})
	a.domain(&f, &Domain{}, false)
	a.consents(&f, &Spec{})
	return f.findings
}

// Has reports whether the spec has a domain, as a person types it; "" is the primary one.
func (s *Spec) Has(domain string) bool { return s.domain(domain) != nil }
