// Package inbound is what the administrator wants of mail that comes in: which checks it
// meets at the door, what becomes of mail that fails them, and who passes them unseen.
package inbound

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/dnsbl"
	"mailsetup/internal/tomltext"
)

// Mode says what a check does with mail that fails it.
type Mode string

// The modes.
const (
	Off        Mode = ""
	Mark       Mode = "mark"       // a header says so, and the mail is delivered
	Quarantine Mode = "quarantine" // of DMARC: a header that a filter of mailboxes files, and the mail is delivered
	Reject     Mode = "reject"     // the mail is refused
)

// String is the mode as flags and files have it.
func (m Mode) String() string {
	if m == Off {
		return "off"
	}
	return string(m)
}

// MarshalText implements encoding.TextMarshaler.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Refuses reports whether mail that fails is refused, or filed away from its reader.
func (m Mode) Refuses() bool { return m == Quarantine || m == Reject }

// Policy is the table [inbound] of host.toml.
type Policy struct {
	SPF   Mode // spf: off, mark, reject
	DMARC Mode // dmarc: off, mark, quarantine, reject
	// DNSBL are block lists (RFC 5782) whose clients are refused, each with the answers
	// that count: zen.spamhaus.org=127.0.0.[2..11].
	DNSBL []string // dnsbl
	// Allow are clients and senders that pass SPF, DMARC and the block lists. See Entry.
	Allow []string // allow
	// MX are other MX hosts of domains here, which pass as well. See Secondary.
	MX []string // mx
}

// On reports whether anything is checked at the door.
func (p Policy) On() bool { return p.SPF != Off || p.DMARC != Off || len(p.DNSBL) > 0 }

// Clone returns a copy that shares no list.
func (p Policy) Clone() Policy {
	p.DNSBL, p.Allow, p.MX = slices.Clone(p.DNSBL), slices.Clone(p.Allow), slices.Clone(p.MX)
	return p
}

// Table is the name of the table in host.toml.
const Table = "inbound"

// Fields returns the keys of the table, in the order of the file.
func (p Policy) Fields() []tomltext.Field {
	return []tomltext.Field{
		{Table: Table, Key: "spf", Value: tomltext.Quote(p.SPF.String()), Comment: "Incoming mail that fails SPF: \"off\", \"mark\" (a header says so), \"reject\"."},
		{Table: Table, Key: "dmarc", Value: tomltext.Quote(p.DMARC.String()), Comment: "The same for DMARC: \"off\", \"mark\", \"quarantine\", \"reject\"."},
		{Table: Table, Key: "dnsbl", Value: tomltext.List(p.DNSBL), Comment: "Block lists whose clients are refused: \"bl.example=127.0.0.[2..11]\"."},
		{Table: Table, Key: "allow", Value: tomltext.List(p.Allow), Comment: "Who passes all of that: addresses, networks, hosts, \"@domain\", senders."},
		{Table: Table, Key: "mx", Value: tomltext.List(p.MX), Comment: "Other MX hosts of domains here, as DNS named them: they pass, unless \"judged\" stands behind."},
	}
}

// IsDefault reports whether a key of the table says what leaving it out says.
func IsDefault(f tomltext.Field) bool {
	return f.Table == Table && (f.Value == `"off"` || f.Value == "[]")
}

// Text is the table as TOML has it.
type Text struct {
	SPF   string   `toml:"spf"`
	DMARC string   `toml:"dmarc"`
	DNSBL []string `toml:"dnsbl"`
	Allow []string `toml:"allow"`
	MX    []string `toml:"mx"`
}

// Policy reads the table; fault gets what is wrong with a key, and what to write.
func (t Text) Policy(fault func(key, text, hint string)) (p Policy) {
	in := func(key, text, hint string) { fault(Table+"."+key, text, hint) }
	set(t.SPF, &p.SPF, SPF, "spf", in)
	set(t.DMARC, &p.DMARC, DMARC, "dmarc", in)
	p.DNSBL = list(t.DNSBL, List, "dnsbl", in)
	p.Allow = list(t.Allow, Allowed, "allow", in)
	p.MX = list(t.MX, mx, "mx", in)
	return p
}

// Validate finds what the file could not say.
func (p Policy) Validate(fault func(key, text, hint string)) {
	normal := Text{p.SPF.String(), p.DMARC.String(), p.DNSBL, p.Allow, p.MX}.Policy(fault)
	if !slices.Equal(normal.DNSBL, p.DNSBL) || !slices.Equal(normal.Allow, p.Allow) || !slices.Equal(normal.MX, p.MX) {
		fault(Table, "has an entry that is not in its normal form, or twice", "")
	}
}

// Fault is a value that cannot be meant.
type Fault struct{ Value, Why, Hint string }

// Error implements error.
func (f *Fault) Error() string { return f.text() + "; hint: " + f.Hint }

func (f *Fault) text() string { return fmt.Sprintf("%q %s", tomltext.Clip(f.Value), f.Why) }

// set sets a value from a text, if there is one.
func set[T any](text string, field *T, parse func(string) (T, *Fault), name string, fault func(key, text, hint string)) {
	if text == "" {
		return
	}
	value, bad := parse(text)
	if bad != nil {
		fault(name, bad.text(), bad.Hint)
		return
	}
	*field = value
}

// list reads entries, each once.
func list(texts []string, parse func(string) (string, *Fault), name string, fault func(key, text, hint string)) (all []string) {
	for _, text := range texts {
		value, bad := parse(text)
		switch {
		case bad != nil:
			fault(name, bad.text(), bad.Hint)
		case !slices.Contains(all, value):
			all = append(all, value)
		}
	}
	return all
}

// SPF reads what becomes of mail that fails SPF.
func SPF(s string) (Mode, *Fault) {
	return mode(s, "mark writes a header and refuses nothing, reject refuses mail from servers that its domain forbids", Mark, Reject)
}

// DMARC reads what becomes of mail that fails DMARC.
func DMARC(s string) (Mode, *Fault) {
	return mode(s, "mark writes a header and refuses nothing, quarantine and reject do what the domain asks for, up to that", Mark, Quarantine, Reject)
}

func mode(s, hint string, modes ...Mode) (Mode, *Fault) {
	word := strings.ToLower(strings.TrimSpace(s))
	if word == "off" {
		return Off, nil
	}
	if slices.Contains(modes, Mode(word)) {
		return Mode(word), nil
	}
	words := []string{"off"}
	for _, m := range modes[:len(modes)-1] {
		words = append(words, string(m))
	}
	return Off, &Fault{s, fmt.Sprintf("is not %s or %s", strings.Join(words, ", "), modes[len(modes)-1]), hint}
}

// List reads a block list: its zone, and the answers that count.
func List(s string) (string, *Fault) {
	if strings.TrimSpace(s) == none {
		return "", &Fault{s, "means no list, and stands alone", "leave it out, or the lists (in host.toml, dnsbl = [] is none)"}
	}
	site, err := dnsbl.Parse(s)
	if fault, ok := errors.AsType[*dnsbl.Fault](err); ok {
		return "", &Fault{fault.Value, fault.Why, fault.Hint}
	}
	return site.String(), nil
}

// Lists returns the block lists. The policy is valid.
func (p Policy) Lists() []dnsbl.Site {
	var all []dnsbl.Site
	for _, s := range p.DNSBL {
		if site, err := dnsbl.Parse(s); err == nil {
			all = append(all, site)
		}
	}
	return all
}

// Kind says what an entry of Policy.Allow is about.
type Kind int

// The kinds.
const (
	Network Kind = iota // clients by address: 192.0.2.7, 192.0.2.0/24
	Host                // clients by verified name: mail.example.org; .example.org for all below
	Domain              // senders, by the domain of the envelope and of From: @example.org
	Sender              // one sender: ann@example.org
)

// Entry is one client or sender that passes.
type Entry struct {
	Kind    Kind
	Name    string       // of a host, .example.org for those below it; of a domain without the @; the address of a sender
	Network netip.Prefix // of Kind Network; one address is a network of its own
}

// Passes returns who passes. The policy is valid.
func (p Policy) Passes() []Entry {
	all := p.allowed()
	for _, s := range p.Secondaries() {
		e := Entry{Network: netip.PrefixFrom(s.Address, s.Address.BitLen())}
		if !s.Judged && !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// allowed returns the entries of Allow.
func (p Policy) allowed() []Entry {
	var all []Entry
	for _, s := range p.Allow {
		if e, bad := parseEntry(s); bad == nil {
			all = append(all, e)
		}
	}
	return all
}

// covers returns who passes of whom an entry is a part, "" if there is none.
func (p Policy) covers(entry string) string {
	e, bad := parseEntry(entry)
	if bad != nil {
		return ""
	}
	_, domain, _ := strings.Cut(e.Name, "@")
	for i, wider := range p.allowed() {
		switch wider.Kind {
		case Network:
			if e.Kind == Network && wider.Network.Bits() <= e.Network.Bits() && wider.Network.Contains(e.Network.Addr()) {
				return p.Allow[i]
			}
		case Host:
			if e.Kind == Host && strings.HasPrefix(wider.Name, ".") && strings.HasSuffix(e.Name, wider.Name) {
				return p.Allow[i]
			}
		case Domain:
			if e.Kind == Sender && domain == wider.Name {
				return p.Allow[i]
			}
		case Sender:
		}
	}
	return ""
}

// Allowed reads an entry of Policy.Allow and returns its normal form.
func Allowed(s string) (string, *Fault) {
	e, bad := parseEntry(s)
	switch {
	case bad != nil:
		return "", bad
	case e.Kind == Network && e.Network.IsSingleIP():
		return e.Network.Addr().String(), nil
	case e.Kind == Network:
		return e.Network.String(), nil
	case e.Kind == Domain:
		return "@" + e.Name, nil
	}
	return e.Name, nil
}

const entryHint = "as in 192.0.2.7, 192.0.2.0/24, 2001:db8::/48, mail.example.org, .example.org (hosts below it), @example.org (its senders) or ann@example.org"

// The widest networks that can be let past all checks: what is wider is a slip.
const (
	widest4 = 8
	widest6 = 16
)

func parseEntry(s string) (Entry, *Fault) {
	text := strings.ToLower(strings.TrimSpace(s))
	refuse := func(why, hint string) (Entry, *Fault) { return Entry{}, &Fault{s, why, hint} }
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")); err == nil {
		if a = a.Unmap(); a.Zone() != "" {
			return refuse("has a zone, so it is valid on one link only", entryHint)
		}
		return Entry{Network: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	if n, err := netip.ParsePrefix(text); err == nil {
		switch {
		case n.Addr().Is4In6():
			return refuse("is a mapped IPv4 network", "write it as IPv4, as in 192.0.2.0/24")
		case n != n.Masked():
			return refuse("has bits behind its length", "write "+n.Masked().String()+", or the address alone")
		case n.Bits() < widest4 || n.Addr().Is6() && n.Bits() < widest6:
			return refuse("lets nearly everybody in", entryHint)
		}
		return Entry{Network: n}, nil
	}
	if strings.Contains(text, "/") && !strings.Contains(text, "@") {
		return refuse("is no network", entryHint)
	}
	local, domain, isSender := strings.Cut(text, "@")
	if !isSender {
		below, dotted := strings.CutPrefix(text, ".")
		host, why := name(below)
		if why != "" {
			return refuse(why, entryHint)
		}
		if dotted {
			host = "." + host
		}
		return Entry{Kind: Host, Name: host}, nil
	}
	if strings.Contains(domain, "@") {
		return refuse("has a second @", entryHint)
	}
	given := domain
	domain, why := name(domain)
	switch {
	case why != "":
		return refuse(fmt.Sprintf("has %q behind its @, which %s", tomltext.Clip(given), why), entryHint)
	case local == "":
		return Entry{Kind: Domain, Name: domain}, nil
	case strings.ContainsFunc(local, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),:;<>@[]\`, r) }):
		return refuse("has a character before the @ that needs quotes or is no ASCII", entryHint)
	}
	return Entry{Kind: Sender, Name: local + "@" + domain}, nil
}
