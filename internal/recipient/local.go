package recipient

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Users is the table of the users of this machine.
const Users = "unix:passwd.byname"

// localUser returns what local(8) does with a name. An alias that names itself means
// the user of that name, which is "of" then.
func (w *trace) localUser(user, domain, of string) state.Recipient {
	user = strings.ToLower(strings.TrimPrefix(user, `\`))
	base, extension := w.extended(user)
	if user != of && base != of {
		for _, name := range slices.Compact([]string{user, base}) {
			value, found, err := w.lookupFirst("alias_maps", name)
			if err != nil {
				return unknown(user+"@"+domain, err)
			}
			if found {
				return w.alias(name, value, domain)
			}
		}
	}
	_, is, err := w.Tables.Lookup(w.ctx, Users, base)
	if err != nil {
		return unknown(user+"@"+domain, err)
	}
	for _, by := range []string{"mailbox_transport_maps", "mailbox_transport"} {
		if w.Value[by] != "" && !is {
			return state.Recipient{End: state.EndUnknown, Why: fmt.Sprintf("%s = %s decides", by, w.Value[by])}
		}
	}
	if is {
		return mailbox("the mailbox of %s", base)
	}
	_, found, err := w.lookupFirst("fallback_transport_maps", base)
	switch {
	case err != nil:
		return unknown(user+"@"+domain, err)
	case found || w.Value["fallback_transport"] != "":
		return state.Recipient{End: state.EndUnknown, Why: "fallback_transport decides"}
	case w.Value["luser_relay"] != "":
		return w.luserRelay(w.Value["luser_relay"], base, extension, domain)
	}
	return nobody("there is no user or alias %s here", base)
}

// luserRelay returns where mail for unknown users goes: luser_relay, postconf(5).
// postconf(1) expands it without the parts that stand for the recipient.
func (w *trace) luserRelay(to, user, extension, domain string) state.Recipient {
	if strings.HasPrefix(to, "|") || strings.HasPrefix(to, "/") {
		return mailbox("luser_relay: %s", to)
	}
	if strings.HasPrefix(to, "@") {
		to = user + extension + to
	}
	return w.submitted(cmp.Or(to, user+"@"+domain))
}

// alias returns where the mail of an alias goes, aliases(5).
func (w *trace) alias(name, value, domain string) state.Recipient {
	return bestOf(targets(value), func(to string) state.Recipient {
		switch path, include := strings.CutPrefix(to, ":include:"); {
		case include:
			return w.include(name, path, domain)
		case strings.HasPrefix(to, "|"):
			return mailbox("the alias %s gives it to a program", name)
		case to == "/dev/null":
			return nobody("the alias %s throws it away: /dev/null", name)
		case strings.HasPrefix(to, "/"):
			return mailbox("the file %s", to)
		case strings.HasPrefix(to, `\`) && !strings.Contains(to, "@"):
			return w.localUser(to, domain, strings.ToLower(to[1:]))
		case w.namesItself(name, to):
			return w.localUser(name, domain, name)
		}
		return w.submitted(to)
	})
}

// namesItself reports whether an alias names itself, which local(8) takes for the user.
func (w *trace) namesItself(name, to string) bool {
	user, domain := split(w.qualified(to))
	here, err := w.local(domain)
	return err == nil && here && strings.EqualFold(user, name)
}

func (w *trace) include(name, path, domain string) state.Recipient {
	lines, err := w.Tables.Names(w.ctx, path)
	if err != nil {
		return unknown(name+"@"+domain, err)
	}
	return w.alias(name, strings.Join(lines, ", "), domain)
}

// listedFor returns the end of mail for a delivery program that cannot be asked: the
// recipients are those of a table that smtpd(8) consults. An empty list accepts all of
// them, and the program decides.
func (w *trace) listedFor(transport, by, maps, address string) state.Recipient {
	if w.Value[maps] == "" {
		return state.Recipient{End: state.EndUnknown, Why: fmt.Sprintf("%s is %s, which decides: %s is empty", by, transport, maps)}
	}
	found, err := w.hasRecipient(maps, address)
	switch {
	case err != nil:
		return unknown(address, err)
	case found:
		return mailbox("%s has %s, delivered by %s", maps, address, transport)
	}
	return nobody("%s has no %s", maps, address)
}

// accepted sets whether smtpd(8) accepts the address from others.
func (w *trace) accepted(r state.Recipient, maps, address string) state.Recipient {
	if w.Value[maps] == "" || w.Value["smtpd_reject_unlisted_recipient"] == "no" || r.Lost() || len(w.chain) > 1 {
		return r
	}
	found, err := w.hasRecipient(maps, address)
	r.Refused = err == nil && !found
	return r
}

// hasRecipient reports whether a list of recipients has an address.
func (w *trace) hasRecipient(maps, address string) (bool, error) {
	user, domain := split(address)
	base, _ := w.extended(user)
	for _, key := range keys(user, base, domain, maps == "local_recipient_maps") {
		if _, found, err := w.lookupFirst(maps, key); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func mailbox(format string, a ...any) state.Recipient {
	return state.Recipient{End: state.EndMailbox, Why: fmt.Sprintf(format, a...)}
}
