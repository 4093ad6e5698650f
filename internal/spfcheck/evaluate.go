package spfcheck

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
)

// Result is the outcome of an evaluation, RFC 7208 section 2.6.
type Result string

// The results.
const (
	None      Result = "none"
	Neutral   Result = "neutral"
	Pass      Result = "pass"
	Fail      Result = "fail"
	SoftFail  Result = "softfail"
	TempError Result = "temperror"
	PermError Result = "permerror"
)

// The limits of RFC 7208 section 4.6.4.
const (
	maxVoid       = 2  // void look-ups; nearly all receivers keep to it
	maxExchangers = 10 // hosts of an mx
	maxPointers   = 10 // names of a ptr
)

// Receiver is how a kind of receiver counts void look-ups.
type Receiver struct {
	// BothFamilies: it looks both addresses of a name up, and one of either family
	// makes the look-up not void. RFC 7208 section 5 wants that of the sender alone.
	BothFamilies bool
	// Unlimited: it goes on after any number of void look-ups.
	Unlimited bool
}

// Client is a mail server that sends, and as whom.
type Client struct {
	Address netip.Addr
	HELO    string
	// Sender is the domain of MAIL FROM, or the name of HELO.
	Sender string
}

// Verdict is what a receiver says of a client.
type Verdict struct {
	Result Result
	// Term is the one that decided, "" for none; Record is whose record has it.
	Term, Record string
	// Fault is the reason of a temperror or a permerror.
	Fault *Fault
}

// String returns the result with its reason.
func (v Verdict) String() string {
	switch {
	case v.Fault != nil && v.Fault.Kind == BadSyntax:
		return string(v.Result) + ": " + v.Fault.Name + ": " + v.Fault.Text
	case v.Fault != nil:
		return string(v.Result) + ": " + v.Fault.Text
	case v.Term != "":
		return string(v.Result) + " by " + v.Term
	}
	return string(v.Result)
}

// Check returns what a receiver says of a client.
func (n *Names) Check(ctx context.Context, as Receiver, c Client) Verdict {
	e := &evaluation{ctx: ctx, names: n, as: as, client: c}
	e.client.Address = c.Address.Unmap()
	return e.checkHost(c.Sender)
}

// evaluation is check_host() of RFC 7208 section 4 with what it has used up.
type evaluation struct {
	ctx    context.Context
	names  *Names
	as     Receiver
	client Client

	lookups, voids int
	pointers       []string // names of the address that lead back to it
	pointersAsked  bool
}

// stop ends an evaluation.
type stop struct {
	result Result
	fault  Fault
}

func permanent(kind FaultKind, name, term, format string, a ...any) *stop {
	return &stop{PermError, Fault{Kind: kind, Name: name, Term: term, Text: fmt.Sprintf(format, a...)}}
}

func temporary(name, term string) *stop {
	return &stop{TempError, Fault{Kind: NoAnswer, Name: name, Term: term, Text: "no answer about " + name}}
}

func (e *evaluation) checkHost(domain string) Verdict {
	rec, wrong := e.names.record(e.ctx, domain)
	switch {
	case wrong == nil:
	case wrong.Kind == NoRecord:
		return Verdict{Result: None, Record: domain}
	case wrong.Kind == NoAnswer:
		return Verdict{Result: TempError, Record: domain, Fault: wrong}
	default:
		return Verdict{Result: PermError, Record: domain, Fault: wrong}
	}
	for _, t := range rec.Terms() {
		if t.Qualifier == 0 {
			continue
		}
		match, end := e.matches(t, domain)
		if end != nil {
			return Verdict{Result: end.result, Term: t.String(), Record: domain, Fault: &end.fault}
		}
		if match {
			return Verdict{Result: map[byte]Result{'+': Pass, '-': Fail, '~': SoftFail, '?': Neutral}[t.Qualifier], Term: t.String(), Record: domain}
		}
	}
	if rec.Redirect() == "" {
		return Verdict{Result: Neutral, Record: domain}
	}
	return e.redirect(rec.Redirect(), domain)
}

// redirect implements RFC 7208 section 6.1.
func (e *evaluation) redirect(spec, domain string) Verdict {
	term := "redirect=" + spec
	if end := e.lookup(term, domain); end != nil {
		return Verdict{Result: end.result, Term: term, Record: domain, Fault: &end.fault}
	}
	target := e.expand(spec, domain)
	v := e.checkHost(target)
	if v.Result == None {
		return Verdict{Result: PermError, Term: term, Record: domain, Fault: noRecord(target, term)}
	}
	return v
}

// matches reports whether a mechanism matches, RFC 7208 section 5.
func (e *evaluation) matches(t policy.Term, domain string) (bool, *stop) {
	if n, ok := t.Network(); ok {
		return n.Contains(e.client.Address), nil
	}
	if t.Name == "all" {
		return true, nil
	}
	if end := e.lookup(t.String(), domain); end != nil {
		return false, end
	}
	target := domain
	if d := t.Domain(); d != "" {
		target = e.expand(d, domain)
	}
	switch t.Name {
	case "include":
		return e.include(t, target)
	case "a":
		list, end := e.addresses(target, t.String(), true)
		return around(t, list, e.client.Address), end
	case "mx":
		return e.exchangers(t, target)
	case "exists":
		values, status := e.names.ask(e.ctx, target, "A") // whatever the sender's family, section 5.7
		return len(values) > 0, e.answered(status, target, t.String(), true)
	default: // ptr
		return e.pointer(target), e.tooManyVoid(t.String())
	}
}

// lookup counts a term with a DNS query.
func (e *evaluation) lookup(term, domain string) *stop {
	if e.lookups++; e.lookups > policy.MaxLookups {
		return permanent(TooManyLookups, domain, term, "it takes more than %d DNS look-ups (RFC 7208 section 4.6.4)", policy.MaxLookups)
	}
	return nil
}

// include implements the table of RFC 7208 section 5.2.
func (e *evaluation) include(t policy.Term, target string) (bool, *stop) {
	switch v := e.checkHost(target); v.Result {
	case None:
		return false, &stop{PermError, *noRecord(target, t.String())}
	case TempError, PermError:
		return false, &stop{v.Result, *v.Fault}
	default:
		return v.Result == Pass, nil
	}
}

// exchangers implements RFC 7208 section 5.4. A null MX (RFC 7505) names no host.
func (e *evaluation) exchangers(t policy.Term, target string) (bool, *stop) {
	values, status := e.names.ask(e.ctx, target, "MX")
	if end := e.answered(status, target, t.String(), true); end != nil {
		return false, end
	}
	hosts := exchangers(values)
	if len(hosts) > maxExchangers {
		return false, &stop{PermError, tooManyExchangers(t, target, len(hosts))}
	}
	for _, h := range hosts {
		list, end := e.addresses(h, t.String(), !e.as.BothFamilies)
		if end != nil {
			return false, end
		}
		if around(t, list, e.client.Address) {
			return true, nil
		}
	}
	return false, nil
}

// exchangers returns the hosts of MX records.
func exchangers(values []string) []string {
	var hosts []string
	for _, v := range values {
		if _, host, _ := strings.Cut(v, " "); host != "." {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// addresses returns those of the client's family that a name has.
func (e *evaluation) addresses(name, term string, counts bool) ([]netip.Addr, *stop) {
	family, other := "AAAA", "A"
	if e.client.Address.Is4() {
		family, other = other, family
	}
	values, status := e.names.ask(e.ctx, name, family)
	if e.as.BothFamilies && (status == dnsclient.NoData || status == dnsclient.NXDomain) {
		if _, s := e.names.ask(e.ctx, name, other); s == dnsclient.Found {
			return nil, nil
		}
	}
	return parseAddresses(values), e.answered(status, name, term, counts)
}

func parseAddresses(values []string) []netip.Addr {
	var list []netip.Addr
	for _, v := range values {
		if a, err := netip.ParseAddr(v); err == nil {
			list = append(list, a.Unmap())
		}
	}
	return list
}

// around reports whether one of the addresses is in the same network of the term's size
// as the client.
func around(t policy.Term, list []netip.Addr, client netip.Addr) bool {
	for _, a := range list {
		if t.Around(a).Contains(client) {
			return true
		}
	}
	return false
}

// answered returns the end of an evaluation that the status of an answer brings about.
func (e *evaluation) answered(status dnsclient.Status, name, term string, counts bool) *stop {
	switch {
	case status == dnsclient.Unknown:
		return temporary(name, term)
	case status != dnsclient.Found && counts:
		e.voids++
	}
	return e.tooManyVoid(term)
}

func (e *evaluation) tooManyVoid(term string) *stop {
	if e.voids <= maxVoid || e.as.Unlimited {
		return nil
	}
	return permanent(TooManyVoids, e.client.Sender, term, "more than %d of the names in it have no records, and receivers stop there (RFC 7208 section 4.6.4)", maxVoid)
}

// pointer implements RFC 7208 section 5.5, where no error of DNS counts.
func (e *evaluation) pointer(target string) bool {
	for _, name := range e.validated() {
		if dns.IsSubDomain(dns.CanonicalName(target), dns.CanonicalName(name)) {
			return true
		}
	}
	return false
}

// validated returns the names of the client's address that have that address.
func (e *evaluation) validated() []string {
	if e.pointersAsked {
		return e.pointers
	}
	e.pointersAsked = true
	reverse, err := dns.ReverseAddr(e.client.Address.String())
	if err != nil {
		return nil
	}
	names, status := e.names.ask(e.ctx, reverse, "PTR")
	if status == dnsclient.NoData || status == dnsclient.NXDomain {
		e.voids++
	}
	for _, name := range names[:min(len(names), maxPointers)] {
		list, end := e.addresses(name, "ptr", true)
		for _, a := range list {
			if end == nil && a == e.client.Address {
				e.pointers = append(e.pointers, dnsname.TrimDot(name))
				break
			}
		}
	}
	return e.pointers
}
