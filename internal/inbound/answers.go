package inbound

import (
	"fmt"
	"slices"
	"strings"
)

// Answers are what flags and the wizard say about incoming mail, as text. Empty means
// that nobody answered.
type Answers struct {
	Plain      bool // the flags have plain names, --spf and not --inbound-spf
	SPF, DMARC string
	DNSBL      []string // in the place of those that are there; "none" for none
	Allow      []string // added to those that are there
	Disallow   []string // taken out of them
}

// Given reports whether anything was answered.
func (a Answers) Given() bool {
	return a.SPF+a.DMARC != "" || len(a.DNSBL)+len(a.Allow)+len(a.Disallow) > 0
}

// none empties a list.
const none = "none"

func (a Answers) flag(name string) string {
	if a.Plain {
		return "--" + name
	}
	return "--inbound-" + name
}

// Flags returns the answers as flags of the command line.
func (a Answers) Flags() []string {
	var all []string
	add := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				all = append(all, a.flag(name), v)
			}
		}
	}
	add("spf", a.SPF)
	add("dmarc", a.DMARC)
	add("dnsbl", a.DNSBL...)
	add("allow", a.Allow...)
	add("disallow", a.Disallow...)
	return all
}

// Apply changes a policy as the answers say; fault gets what is wrong with a flag.
func (a Answers) Apply(p *Policy, fault func(flag, text, hint string)) {
	set(a.SPF, &p.SPF, SPF, a.flag("spf"), fault)
	set(a.DMARC, &p.DMARC, DMARC, a.flag("dmarc"), fault)
	switch {
	case len(a.DNSBL) == 1 && strings.TrimSpace(a.DNSBL[0]) == none:
		p.DNSBL = nil
	case len(a.DNSBL) > 0:
		p.DNSBL = list(a.DNSBL, List, a.flag("dnsbl"), fault)
	}
	allow := list(a.Allow, Allowed, a.flag("allow"), fault)
	p.judge(allow, false)
	for _, e := range allow {
		if !slices.Contains(p.Allow, e) {
			p.Allow = append(slices.Clip(p.Allow), e)
		}
	}
	gone := list(a.Disallow, Allowed, a.flag("disallow"), fault)
	p.Allow = slices.DeleteFunc(slices.Clone(p.Allow), func(e string) bool { return slices.Contains(gone, e) })
	p.judge(gone, true)
	for _, e := range gone {
		if wider := p.covers(e); wider != "" {
			flag := a.flag("disallow")
			fault(flag, fmt.Sprintf("%q passes as a part of %s", e, wider), flag+" "+wider+" takes all of that back")
		}
	}
	if len(p.Allow) == 0 {
		p.Allow = nil
	}
}
