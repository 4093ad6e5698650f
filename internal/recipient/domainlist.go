package recipient

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// DomainLists returns the parameters that give a domain its class, in the order in
// which they count.
func DomainLists() []string {
	return []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"}
}

var classOf = map[string]state.AddressClass{
	"mydestination": state.ClassLocal, "virtual_alias_domains": state.ClassVirtualAlias,
	"virtual_mailbox_domains": state.ClassVirtualMailbox, "relay_domains": state.ClassRelay,
}

// ClassOf returns the class that a list of DomainLists gives to its domains.
func ClassOf(list string) state.AddressClass { return classOf[list] }

// ListOf returns the parameter that gives a domain its class, "" for the default one.
func ListOf(class state.AddressClass) string {
	for name, c := range classOf {
		if c == class {
			return name
		}
	}
	return ""
}

// Classes returns a function that returns the class of a domain; its error says which
// list could not be asked. The lists are read once.
func (p Postfix) Classes(ctx context.Context) func(domain string) (state.AddressClass, error) {
	w := &trace{Postfix: p, ctx: ctx}
	return func(domain string) (state.AddressClass, error) { return w.class(strings.ToLower(domain)) }
}

// HasAddresses returns which of the maps of virtual addresses has some of a domain, as
// far as a few usual ones tell: "" for none.
func (p Postfix) HasAddresses(ctx context.Context, domain string) string {
	w := &trace{Postfix: p, ctx: ctx}
	for _, maps := range []string{"virtual_mailbox_maps", "virtual_alias_maps"} {
		for _, key := range UsualAddresses(domain) {
			if _, found, err := w.lookupFirst(maps, key); found && err == nil {
				return maps
			}
		}
	}
	return ""
}

// UsualAddresses returns addresses that a domain with mailboxes probably has; the first
// stands for all of them.
func UsualAddresses(domain string) []string {
	return []string{"@" + domain, "postmaster@" + domain, "info@" + domain}
}

// subdomains says which of them a name in a list stands for, postconf(5).
type subdomains int

const (
	noSubdomains     subdomains = iota
	dottedSubdomains            // .example.org those of example.org
	allSubdomains               // example.org
)

// element is one of a list of domains: names that stand side by side, or a table.
type element struct {
	names map[string]bool
	table string
	not   bool  // !: what fits is not in the list
	err   error // of a file that could not be read
}

// elements returns what a list has, with the lines of files in their place.
func (w *trace) elements(patterns []string, not bool) []element {
	var all []element
	for _, pattern := range patterns {
		name, inverted := strings.CutPrefix(pattern, "!")
		inverted = inverted != not
		switch {
		case strings.HasPrefix(name, "/"):
			lines, err := w.Tables.Names(w.ctx, name)
			if err != nil {
				all = append(all, element{err: err})
				continue
			}
			all = append(all, w.elements(tables(strings.Join(lines, "\n")), inverted)...)
		case strings.Contains(name, ":"):
			all = append(all, element{table: name, not: inverted})
		case len(all) > 0 && all[len(all)-1].names != nil && all[len(all)-1].not == inverted:
			all[len(all)-1].names[strings.ToLower(name)] = true
		default:
			all = append(all, element{names: map[string]bool{strings.ToLower(name): true}, not: inverted})
		}
	}
	return all
}

// listed reports whether a domain is in a list: names, !names, tables and files; the
// first match counts. Subdomains belong to a name of relay_domains alone, as
// parent_domain_matches_subdomains says.
func (w *trace) listed(name, domain string) (bool, error) {
	below := noSubdomains
	if name == "relay_domains" {
		below = dottedSubdomains
		if slices.Contains(list(w.Value["parent_domain_matches_subdomains"]), name) {
			below = allSubdomains
		}
	}
	if w.lists == nil {
		w.lists = map[string][]element{}
	}
	if _, read := w.lists[name]; !read {
		w.lists[name] = w.elements(tables(w.Value[name]), false)
	}
	for _, e := range w.lists[name] {
		fits, err := w.fits(e, domain, below)
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		if fits {
			return !e.not, nil
		}
	}
	return false, nil
}

func (w *trace) fits(e element, domain string, below subdomains) (bool, error) {
	if e.err != nil {
		return false, e.err
	}
	for _, key := range domainKeys(e.table, domain, below) {
		if e.names[key] {
			return true, nil
		}
		if e.table == "" {
			continue
		}
		if _, found, err := w.Tables.Lookup(w.ctx, e.table, key); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// domainKeys returns the names under which a domain is looked up. A table of patterns is
// asked for the whole name only.
func domainKeys(table, domain string, below subdomains) []string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(table, "proxy:"), ":")
	all := []string{domain}
	if below == noSubdomains || slices.Contains([]string{"regexp", "pcre", "cidr", "tcp", "static"}, kind) {
		return all
	}
	dot := map[subdomains]string{dottedSubdomains: "."}[below]
	for {
		_, parent, more := strings.Cut(domain, ".")
		if !more {
			return all
		}
		all, domain = append(all, dot+parent), parent
	}
}
