package spec

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"mailsetup/internal/check/ignore"
	"mailsetup/internal/inbound"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/tomltext"
)

// Where the intent is kept.
const (
	HostFile = state.Path("/etc/mailsetup/host.toml")

	domainsDir = state.Path("/etc/mailsetup/domains.d")
	extension  = ".toml"
)

// DomainsDir holds one file per domain.
func DomainsDir() state.Path { return domainsDir }

// DomainFile is the file of a domain.
func DomainFile(name string) state.Path { return domainsDir.Join(name + extension) }

// hostText and domainText are the files as TOML sees them.
type hostText struct {
	Version             int      `toml:"version"`
	Hostname            string   `toml:"hostname"`
	Addresses           []string `toml:"addresses"`
	Domain              string   `toml:"domain"`
	DNS                 string   `toml:"dns"`
	Hook                string   `toml:"dns_hook"`
	MTA                 string   `toml:"mta"`
	SendOnly            bool     `toml:"send_only"`
	RootAlias           string   `toml:"root_alias"`
	MilterDefaultAction string   `toml:"milter_default_action"`
	SignBounces         string   `toml:"sign_bounces"`
	LeaveServices       []string `toml:"leave_services"`
	Drain               string   `toml:"drain"`
	Notify              string   `toml:"notify"`
	Repair              string   `toml:"repair"`
	Trusted             []string `toml:"trusted"`
	OpenDKIM            []string `toml:"opendkim"`
	NonsigningMilters   []string `toml:"nonsigning_milters"`
	BlockLists          []string `toml:"block_lists"`
	Ignore              any      `toml:"ignore"`
	Selector            string   `toml:"selector"`
	KeyBits             *int64   `toml:"key_bits"`
	TTL                 *int64   `toml:"ttl"`

	rotationText
	Update  updateText   `toml:"rfc2136"`
	Slots   slotsText    `toml:"slots"`
	SPF     spfText      `toml:"spf"`
	DMARC   dmarcText    `toml:"dmarc"`
	Inbound inbound.Text `toml:"inbound"`
}

type updateText struct {
	Server  string `toml:"server"`
	KeyFile string `toml:"key_file"`
}

type rotationText struct {
	RotateEvery string `toml:"rotate_every"`
	Lag         string `toml:"lag"`
	Revoke      string `toml:"revoke"`
}

type domainText struct {
	Domain    string   `toml:"domain"`
	Selector  string   `toml:"selector"`
	KeyBits   int64    `toml:"key_bits"`
	Receive   bool     `toml:"receive"`
	Role      string   `toml:"role"`
	TTL       int64    `toml:"ttl"`
	NewZone   bool     `toml:"new_zone"`
	NS        []string `toml:"ns"`
	Selectors []string `toml:"keep_selectors"`
	Keep      []string `toml:"keep"`
	Wildcard  string   `toml:"wildcard_records"`

	SignedBy   string     `toml:"signed_by"`
	DNS        string     `toml:"dns"`
	Hook       string     `toml:"dns_hook"`
	Subdomains bool       `toml:"subdomains"`
	Also       []string   `toml:"also"`
	Partial    bool       `toml:"partial"`
	Identities []string   `toml:"identities"`
	Ignore     any        `toml:"ignore"`
	Update     updateText `toml:"rfc2136"`

	Drain  string `toml:"drain"`
	Repair string `toml:"repair"`
	rotationText
	SPF   spfText   `toml:"spf"`
	DMARC dmarcText `toml:"dmarc"`
}

type spfText struct {
	All      string   `toml:"all"`
	Include  []string `toml:"include"`
	Redirect string   `toml:"redirect"`
}

type dmarcText struct {
	Policy          string   `toml:"policy"`
	SubdomainPolicy string   `toml:"subdomain_policy"`
	ADKIM           string   `toml:"adkim"`
	ASPF            string   `toml:"aspf"`
	RUA             []string `toml:"rua"`
	RUF             []string `toml:"ruf"`
}

// Parse reads host.toml and the files of domains.d, by domain name. Values are
// normalised, keys that are left out have their defaults, and the error holds
// all findings with file and line. The result is valid.
func Parse(host []byte, domains map[string][]byte) (Spec, error) {
	out, all, findings := parseAll(host, domains)
	out.Domains = sorted(out.Domains)
	all = append(all, slices.Concat(findings...)...)
	if len(all) == 0 {
		all = out.Validate()
	}
	return out, all.Err()
}

// ParseReadable is Parse for those domains with whose own files nothing is wrong. Bad
// has what is wrong with the others; the host's first domain has to be readable.
func ParseReadable(host []byte, domains map[string][]byte) (out Spec, bad map[string]syntax.Findings, err error) {
	out, all, findings := parseAll(host, domains)
	bad = map[string]syntax.Findings{}
	readable := make([]Domain, 0, len(domains)) // a faulty file may name another domain
	for i, name := range slices.Sorted(maps.Keys(domains)) {
		if len(findings[i]) > 0 {
			bad[name] = findings[i]
		} else {
			readable = append(readable, out.Domains[i])
		}
	}
	out.Domains = sorted(readable)
	for {
		if f := bad[out.Host.Domain]; len(all) > 0 || f != nil {
			return out, bad, append(all, f...).Err()
		}
		out.Domains = slices.DeleteFunc(out.Domains, func(d Domain) bool { return bad[d.Name] != nil })
		left := len(bad)
		for _, f := range out.Validate() {
			name, _, _ := strings.Cut(f.Field, ": ")
			if !out.Has(name) {
				all = append(all, f)
				continue
			}
			bad[name] = append(bad[name], f)
		}
		if len(all) == 0 && len(bad) == left {
			return out, bad, nil
		}
	}
}

// parseAll reads the files without looking at what they say together. Domains and the
// findings about their files are in the order of the files' names.
func parseAll(host []byte, domains map[string][]byte) (out Spec, all syntax.Findings, findings []syntax.Findings) {
	out.Host, all = parseHost(host)
	names := slices.Sorted(maps.Keys(domains))
	out.Domains = make([]Domain, len(names))
	findings = make([]syntax.Findings, len(names))
	var alike sync.Map // domains, by the brief form after the name: thousands mostly say the same, and share it
	_ = parallel.Do(len(names), runtime.GOMAXPROCS(0), func(i int) error {
		name, text := strings.TrimSuffix(names[i], extension), domains[names[i]]
		rest, brief := bytes.CutPrefix(text, []byte(`domain = "`+name+"\"\n"))
		if known, is := alike.Load(string(rest)); brief && is {
			out.Domains[i] = known.(Domain)
			if out.Domains[i].Name, _ = syntax.DomainName(name); out.Domains[i].Name == name {
				return nil
			}
		}
		if out.Domains[i], findings[i] = parseDomain(name, text, domains); brief && len(findings[i]) == 0 {
			alike.Store(string(rest), out.Domains[i])
		}
		return nil
	})
	return out, all, findings
}

func parseHost(text []byte) (Host, syntax.Findings) {
	raw := hostText{DNS: string(DNSManual), MilterDefaultAction: DefaultAction, Drain: Span(DefaultDrain)}
	d := newDocument(HostFile, text)
	if !d.decode(&raw, hostFields(Host{Version: Version, Defaults: Defaults{KeyBits: DefaultKeyBits, TTL: defaultDomain().TTL}, Inbound: inbound.Policy{SPF: inbound.Mark, DMARC: inbound.Mark}})) {
		return Host{}, d.findings
	}
	if raw.Version != Version {
		d.add("version", fmt.Sprintf("version %d is not known", raw.Version), fmt.Sprintf("write: version = %d", Version))
	}
	h := Host{Version: raw.Version, SendOnly: raw.SendOnly}
	setField(&d.findingList, "hostname", raw.Hostname, &h.Hostname, syntax.Hostname)
	setList(&d.findingList, "addresses", raw.Addresses, &h.Addresses, syntax.Address)
	setField(&d.findingList, "domain", raw.Domain, &h.Domain, syntax.DomainName)
	setField(&d.findingList, "dns", raw.DNS, &h.DNS, DNS)
	setField(&d.findingList, "mta", raw.MTA, &h.MTA, MTA)
	setField(&d.findingList, "root_alias", raw.RootAlias, &h.RootAlias, syntax.MailAddress)
	setField(&d.findingList, "milter_default_action", raw.MilterDefaultAction, &h.MilterDefaultAction, MilterAction)
	setField(&d.findingList, "sign_bounces", raw.SignBounces, &h.SignBounces, SignBounces)
	setList(&d.findingList, "leave_services", raw.LeaveServices, &h.LeaveServices, Service)
	setField(&d.findingList, "drain", raw.Drain, &h.Drain, Drain)
	h.Rotation = raw.rotation(d)
	setField(&d.findingList, "notify", raw.Notify, &h.Notify, syntax.MailAddress)
	setField(&d.findingList, "repair", raw.Repair, &h.Repair, Repair)
	setList(&d.findingList, "trusted", raw.Trusted, &h.Trusted, syntax.Trusted)
	setList(&d.findingList, "opendkim", raw.OpenDKIM, &h.OpenDKIM, syntax.OpenDKIMLine)
	setList(&d.findingList, "nonsigning_milters", raw.NonsigningMilters, &h.NonsigningMilters, NonsigningMilter)
	setList(&d.findingList, "block_lists", raw.BlockLists, &h.BlockLists, BlockList)
	h.Ignore = d.ignore(raw.Ignore)
	h.Update = raw.Update.update(d, raw.Hook)
	h.Slots = raw.Slots.slots(d)
	h.Inbound = raw.Inbound.Policy(d.add)
	h.Defaults = raw.defaults(d)
	return h, d.findings
}

func (raw hostText) defaults(d *document) (out Defaults) {
	setField(&d.findingList, "selector", raw.Selector, &out.Selector, syntax.Selector)
	if raw.KeyBits != nil {
		setField(&d.findingList, "key_bits", strconv.FormatInt(*raw.KeyBits, 10), &out.KeyBits, KeyBits)
	}
	if raw.TTL != nil {
		setField(&d.findingList, "ttl", strconv.FormatInt(*raw.TTL, 10), &out.TTL, TTL)
	}
	out.SPF = raw.SPF.spf(d)
	out.DMARC = raw.DMARC.dmarc(d)
	return out
}

func (raw rotationText) rotation(d *document) (r Rotation) {
	setField(&d.findingList, "rotate_every", raw.RotateEvery, &r.Every, RotateEvery)
	setField(&d.findingList, "lag", raw.Lag, &r.Lag, Lag)
	setField(&d.findingList, "revoke", raw.Revoke, &r.Revoke, Revoke)
	return r
}

func (raw updateText) update(d *document, hook string) (u Update) {
	setField(&d.findingList, "rfc2136.server", raw.Server, &u.Server, syntax.UpdateServer)
	setField(&d.findingList, "rfc2136.key_file", raw.KeyFile, &u.KeyFile, syntax.UpdateKey)
	setField(&d.findingList, "dns_hook", hook, &u.Hook, syntax.Hook)
	return u
}

// parseDomain reads the file that is named after the domain, one of several.
func parseDomain(name string, text []byte, files map[string][]byte) (Domain, syntax.Findings) {
	d := newDocument(DomainFile(name), text)
	raw := newDomainText()
	if pairs, ok := tomltext.Plain(string(text)); !ok || !tomltext.Fill(pairs, raw.valueOf) {
		raw = newDomainText()
		if !d.decode(raw, domainFields(defaultDomain())) {
			return Domain{}, d.findings
		}
	}
	out := raw.domain(d)
	switch {
	case len(d.findings) > 0 || out.Name == name:
	case out.Name == "": // emptied, perhaps
		d.add("domain", "is missing", fmt.Sprintf("put the file back from a backup, or write into it: domain = %q", name))
	case files[out.Name] != nil: // a copy, perhaps
		d.add("domain", fmt.Sprintf("%q has a file already, %s", out.Name, DomainFile(out.Name)), fmt.Sprintf("write: domain = %q", name))
	default:
		d.add("domain", fmt.Sprintf("%q is not the name of the file", out.Name), fmt.Sprintf("rename the file to %s", DomainFile(out.Name)))
	}
	return out, d.findings
}

// newDomainText is a file that leaves out what it may.
func newDomainText() *domainText {
	def := defaultDomain()
	raw := &domainText{KeyBits: int64(def.KeyBits), TTL: int64(def.TTL)}
	raw.SPF.All, raw.DMARC.Policy = def.SPF.All, def.DMARC.Policy
	return raw
}

// domain normalises the values of the file.
func (raw *domainText) domain(d *document) Domain {
	out := Domain{Receive: raw.Receive, NewZone: raw.NewZone, Subdomains: raw.Subdomains, Partial: raw.Partial, Update: raw.Update.update(d, raw.Hook)}
	setField(&d.findingList, "domain", raw.Domain, &out.Name, syntax.DomainName)
	setField(&d.findingList, "selector", raw.Selector, &out.Selector, syntax.Selector)
	setField(&d.findingList, "key_bits", strconv.FormatInt(raw.KeyBits, 10), &out.KeyBits, KeyBits)
	setField(&d.findingList, "ttl", strconv.FormatInt(raw.TTL, 10), &out.TTL, TTL)
	setField(&d.findingList, "role", raw.Role, &out.Role, Role)
	setList(&d.findingList, "ns", raw.NS, &out.NS, syntax.Hostname)
	setList(&d.findingList, "keep_selectors", raw.Selectors, &out.KeepSelectors, syntax.Selector)
	setList(&d.findingList, "keep", raw.Keep, &out.Keep, Kept)
	setField(&d.findingList, "wildcard_records", raw.Wildcard, &out.WildcardRecords, WildcardRecords)
	setField(&d.findingList, "signed_by", raw.SignedBy, &out.SignedBy, SignedBy)
	setField(&d.findingList, "dns", raw.DNS, &out.DNS, DNS)
	setList(&d.findingList, "also", raw.Also, &out.Also, syntax.Sender)
	setField(&d.findingList, "drain", raw.Drain, &out.Drain, Drain)
	out.Rotation = raw.rotation(d)
	setField(&d.findingList, "repair", raw.Repair, &out.Repair, Repair)
	setList(&d.findingList, "identities", raw.Identities, &out.Identities, syntax.Identity)
	out.Ignore = slices.Clip(d.ignore(raw.Ignore))
	out.SPF = raw.SPF.spf(d)
	out.DMARC = raw.DMARC.dmarc(d)
	return out
}

func (raw spfText) spf(d *document) (s SPF) {
	setField(&d.findingList, "spf.all", raw.All, &s.All, SPFAll)
	setField(&d.findingList, "spf.redirect", raw.Redirect, &s.Redirect, syntax.SPFInclude)
	setList(&d.findingList, "spf.include", raw.Include, &s.Include, syntax.SPFInclude)
	return s
}

func (raw dmarcText) dmarc(d *document) (p DMARC) {
	setField(&d.findingList, "dmarc.policy", raw.Policy, &p.Policy, DMARCPolicy)
	setField(&d.findingList, "dmarc.subdomain_policy", raw.SubdomainPolicy, &p.SubdomainPolicy, DMARCPolicy)
	setField(&d.findingList, "dmarc.adkim", raw.ADKIM, &p.ADKIM, Alignment)
	setField(&d.findingList, "dmarc.aspf", raw.ASPF, &p.ASPF, Alignment)
	setList(&d.findingList, "dmarc.rua", raw.RUA, &p.RUA, syntax.Report)
	setList(&d.findingList, "dmarc.ruf", raw.RUF, &p.RUF, syntax.Report)
	return p
}

// document is one file while it is read.
type document struct {
	findingList
	path state.Path
	text []byte
}

func newDocument(path state.Path, text []byte) *document {
	d := &document{path: path, text: text}
	d.place = d.at
	return d
}

// at names a key with file and line.
func (d *document) at(path string) string {
	if line := tomltext.LineOf(d.text, path); line > 0 {
		return fmt.Sprintf("%s:%d: %s", d.path, line, tomltext.Clip(path))
	}
	return fmt.Sprintf("%s: %s", d.path, tomltext.Clip(path))
}

// decode reads the text into raw and finds keys that do not exist. Names are
// compared exactly: the decoder alone would take Hostname for hostname.
func (d *document) decode(raw any, known []tomltext.Field) bool {
	if f := tomltext.CheckLimits(d.text); f != nil {
		d.addFault(*f)
		return false
	}
	meta, err := toml.Decode(string(d.text), raw)
	if err != nil {
		d.addFault(tomltext.Explain(d.text, err, known))
		return false
	}
	names := make(map[string]bool, 2*len(known))
	for _, f := range known {
		names[f.Path()], names[f.Table] = true, true
	}
	for _, key := range meta.Keys() {
		if path := key.String(); !names[path] && key[0] != "ignore" {
			d.add(path, "is no key of this file", tomltext.UnknownKeyHint(key[len(key)-1], known))
		}
	}
	return len(d.findings) == 0
}

// ignore reads the rules of the key ignore.
func (d *document) ignore(raw any) []ignore.Rule {
	rules, err := ignore.Parse(raw)
	if fault, ok := errors.AsType[*ignore.Fault](err); ok {
		d.add("ignore", fault.Text, fault.Hint)
	}
	return rules
}

// addFault adds what is wrong with the file as a whole.
func (d *document) addFault(f tomltext.Fault) {
	field := string(d.path)
	if f.Line > 0 {
		field = fmt.Sprintf("%s:%d", field, f.Line)
	}
	if f.Path != "" {
		field += ": " + f.Path
	}
	d.findings = append(d.findings, syntax.Finding{Field: field, Text: f.Text, Hint: f.Hint})
}
