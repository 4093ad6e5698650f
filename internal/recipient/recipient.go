// Package recipient tells what Postfix does with mail for an address: who has it
// in the end, or why nobody does. It takes the way of a message that a program of
// this machine submits: canonical and virtual aliases (cleanup(8)), the class of
// the domain and its transport (trivial-rewrite(8)), then aliases and mailboxes
// (local(8), virtual(8)). See ADDRESS_REWRITING_README and ADDRESS_CLASS_README.
package recipient

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Parameters returns the parameters of postconf(5) that matter.
func Parameters() []string {
	return []string{
		"myhostname", "myorigin", "mydestination", "recipient_delimiter",
		"canonical_maps", "recipient_canonical_maps", "virtual_alias_maps", "virtual_alias_domains",
		"virtual_mailbox_domains", "virtual_mailbox_maps", "relay_domains", "relay_recipient_maps",
		"parent_domain_matches_subdomains", "transport_maps", "local_transport", "virtual_transport",
		"relay_transport", "default_transport", "relayhost", "smtp_fallback_relay",
		"always_bcc", "recipient_bcc_maps", "sender_bcc_maps", "alias_maps", "local_recipient_maps", "mailbox_transport", "mailbox_transport_maps",
		"fallback_transport", "fallback_transport_maps", "luser_relay", "smtpd_reject_unlisted_recipient",
	}
}

// Tables are Postfix's lookup tables.
type Tables interface {
	// Lookup returns what stands in a table, named as in main.cf (hash:/etc/aliases),
	// under a key. An error says why it could not be asked.
	Lookup(ctx context.Context, table, key string) (value string, found bool, err error)
	// Names are the lines of a file that stands in the place of a list of names.
	Names(ctx context.Context, path string) ([]string, error)
}

// Postfix is the configuration that decides about recipients.
type Postfix struct {
	Value  map[string]string // of Parameters, $names expanded
	Tables Tables
	// Route is where DNS leads mail for a domain that Postfix does not have itself;
	// nil counts as elsewhere for each.
	Route func(domain string) state.MailRoute
}

// Resolve follows one address. An address without a domain is one of myorigin.
func (p Postfix) Resolve(ctx context.Context, address string) state.Recipient {
	w := &trace{Postfix: p, ctx: ctx}
	return w.submitted(address)
}

// maxRewrites bounds the rewritings that are followed: Postfix has limits of its own.
const maxRewrites = 50

// trace follows one address.
type trace struct {
	Postfix
	ctx   context.Context
	chain []string             // addresses that led here
	lists map[string][]element // that were read, by parameter
}

// submitted returns what cleanup(8) does with an address.
func (w *trace) submitted(address string) state.Recipient {
	address = w.qualified(address)
	key := strings.ToLower(address)
	if slices.Contains(w.chain, key) || len(w.chain) > maxRewrites {
		return state.Recipient{
			End: state.EndLoop, Class: state.ClassLocal, Address: address,
			Why: fmt.Sprintf("%s leads to %s again, in a circle", address, address),
		}
	}
	w.chain = append(w.chain, key)
	defer func() { w.chain = w.chain[:len(w.chain)-1] }()
	for _, maps := range []string{"recipient_canonical_maps", "canonical_maps"} {
		to, found, err := w.rewritten(maps, address)
		if err != nil {
			return unknown(address, err)
		}
		if found && len(to) > 0 {
			address = to[0]
		}
	}
	to, err := w.virtual(address, nil)
	if err != nil {
		return unknown(address, err)
	}
	r := bestOf(to, w.delivered)
	if len(to) != 1 || !strings.EqualFold(to[0], w.chain[len(w.chain)-1]) { // smtpd(8) looks no further
		r.Refused = w.isReceivedHere(address)
	}
	if len(to) != 1 {
		r.Agent = ""
	}
	return r
}

// virtual returns the addresses that virtual_alias_maps makes of one.
func (w *trace) virtual(address string, seen []string) ([]string, error) {
	key := strings.ToLower(address)
	if slices.Contains(seen, key) || len(seen) > maxRewrites {
		return []string{address}, nil
	}
	to, found, err := w.rewritten("virtual_alias_maps", address)
	if err != nil || !found {
		return []string{address}, err
	}
	var all []string
	for _, next := range to {
		more, err := w.virtual(next, append(seen[:len(seen):len(seen)], key))
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// rewritten looks an address up as virtual(5) and canonical(5) describe.
func (w *trace) rewritten(maps, address string) (to []string, found bool, err error) {
	user, domain := split(address)
	base, extension := w.extended(user)
	bare, err := w.looksUpBareNames(domain)
	if err != nil {
		return nil, false, err
	}
	for _, key := range keys(user, base, domain, bare) {
		value, found, err := w.lookupFirst(maps, key)
		if err != nil {
			return nil, false, err
		}
		if !found {
			continue
		}
		for _, next := range list(value) {
			if strings.HasPrefix(next, "@") {
				next = user + next
			} else if base != user && (key == base || key == base+"@"+domain) { // propagate_unmatched_extensions
				next = extend(next, extension)
			}
			to = append(to, w.qualified(next))
		}
		return to, len(to) > 0, nil
	}
	return nil, false, nil
}

// keys returns the look-up keys of an address, in order.
func keys(user, base, domain string, bare bool) []string {
	all := []string{user + "@" + domain}
	if base != user {
		all = append(all, base+"@"+domain)
	}
	if bare {
		all = append(all, user)
		if base != user {
			all = append(all, base)
		}
	}
	return append(all, "@"+domain)
}

// looksUpBareNames reports whether addresses of the domain are also looked up without
// it.
func (w *trace) looksUpBareNames(domain string) (bool, error) {
	if strings.EqualFold(domain, w.Value["myorigin"]) {
		return true, nil
	}
	return w.local(domain)
}

// lookupFirst returns the result of the first of several tables that has the key.
func (w *trace) lookupFirst(maps, key string) (string, bool, error) {
	for _, table := range tables(w.Value[maps]) {
		value, found, err := w.Tables.Lookup(w.ctx, table, strings.ToLower(key))
		if err != nil {
			return "", false, fmt.Errorf("%s: %w", maps, err)
		}
		if found {
			return value, true, nil
		}
	}
	return "", false, nil
}

// qualified returns an address with a domain.
func (w *trace) qualified(address string) string {
	address = strings.Trim(strings.TrimSpace(address), "<>")
	if !strings.Contains(address, "@") {
		return address + "@" + w.Value["myorigin"]
	}
	return address
}

// extended splits a local part at the first recipient_delimiter.
func (w *trace) extended(user string) (base, extension string) {
	at := strings.IndexAny(user, w.Value["recipient_delimiter"])
	if at <= 0 || w.Value["recipient_delimiter"] == "" {
		return user, ""
	}
	return user[:at], user[at:]
}

func extend(address, extension string) string {
	if user, domain, ok := strings.Cut(address, "@"); ok {
		return user + extension + "@" + domain
	}
	return address + extension
}

func split(address string) (user, domain string) {
	at := strings.LastIndexByte(address, '@')
	return address[:at], strings.ToLower(address[at+1:])
}

// bestOf returns the end of mail for several addresses: it is lost only if all of them
// lose it.
func bestOf(addresses []string, end func(string) state.Recipient) state.Recipient {
	order := []state.RecipientEnd{state.EndMailbox, state.EndElsewhere, state.EndUnknown, state.EndLoop, state.EndNobody}
	var got state.Recipient
	for i, a := range addresses {
		r := end(a)
		if i == 0 || slices.Index(order, r.End) < slices.Index(order, got.End) {
			got = r
		}
	}
	return got
}

func unknown(address string, err error) state.Recipient {
	return state.Recipient{End: state.EndUnknown, Address: address, Why: err.Error()}
}
