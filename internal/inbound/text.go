package inbound

import (
	"fmt"
	"strings"

	"mailsetup/internal/jsondoc"
	"mailsetup/internal/text"
)

// Summary says in a line what incoming mail meets.
func (p Policy) Summary() string {
	if !p.On() {
		const off = "not checked for SPF, DMARC or block lists"
		if n := len(p.Allow); n > 0 {
			return fmt.Sprintf("%s, which %d would be let past", off, n)
		}
		return off
	}
	parts := []string{"SPF " + p.SPF.String(), "DMARC " + p.DMARC.String()}
	if n := len(p.DNSBL); n > 0 {
		parts = append(parts, text.Count(n, "block list"))
	}
	if n := len(p.Allow); n > 0 {
		parts = append(parts, fmt.Sprintf("%d let past", n))
	}
	return strings.Join(parts, ", ")
}

// Shown returns the block lists without the keys of accounts there.
func (p Policy) Shown() []string {
	all := []string{}
	for _, site := range p.Lists() {
		all = append(all, site.Shown())
	}
	return all
}

// Text says what incoming mail meets, a line for each check.
func (p Policy) Text() string {
	meaning := func(what string, m Mode) string {
		switch m {
		case Mark:
			return "mark: a header says what failed, and nothing is refused"
		case Quarantine:
			return "quarantine: a header to file by what its domain wants in the spam folder"
		case Reject:
			return "reject: " + what
		case Off:
		}
		return "off: not checked"
	}
	list := func(all []string) string {
		if len(all) == 0 {
			return "none"
		}
		return strings.Join(all, " ")
	}
	allow := list(p.Allow)
	if len(p.Allow) > 0 && !p.On() {
		allow += " (nothing is checked yet)"
	}
	others := ""
	if len(p.MX) > 0 {
		others = "Other MX     " + text.Indent(text.Wrap(strings.Join(p.MX, ", "), 65), 13)[13:] + "\n"
	}
	return "SPF          " + meaning("mail from servers that its domain forbids is refused", p.SPF) +
		"\nDMARC        " + meaning("what the domain in From wants refused is refused", p.DMARC) +
		"\nBlock lists  " + text.Indent(text.Wrap(list(p.Shown()), 65), 13)[13:] +
		"\nLet past     " + text.Indent(text.Wrap(allow, 65), 13)[13:] + "\n" + others
}

// Compared says that a server is not as the policy asks, since a plan would change it, or
// that this could not be found out; "" where it is.
func (p Policy) Compared(changes bool, err error) string {
	switch {
	case changes:
		return "\nThat is asked for, and this server is not so yet: mailsetup inbound --dry-run\nshows what differs, and mailsetup inbound --yes puts it right.\n"
	case err != nil:
		return "\n" + text.Wrap("That is asked for; whether this server is so could not be found out: "+err.Error(), 78) + "\n"
	}
	return ""
}

// Document returns what Text and Compared say as data.
func (p Policy) Document(changes bool, err error) jsondoc.Inbound {
	d := jsondoc.Inbound{SPF: p.SPF.String(), DMARC: p.DMARC.String(), DNSBL: p.Shown(), Allow: p.Allow, MX: p.MX}
	if changes || err == nil {
		d.AsAsked = new(!changes)
	} else {
		d.Unknown = err.Error()
	}
	return d
}

// Help returns what to type, and what the checks do and cost.
func (Policy) Help() (usage, about string) {
	usage = "sudo mailsetup inbound\n" +
		"   asks what incoming mail is to meet; without a terminal: says what it meets\n\n" +
		"sudo mailsetup inbound --spf mark --dmarc mark\n" +
		"   a header says what failed, and nothing is refused: the way to start\n\n" +
		"sudo mailsetup inbound --allow 192.0.2.7\n" +
		"   lets in now what those checks refuse: a host, a network, or a sender"
	about = "Users who log in, and hosts that mail is relayed for, are not checked. --spf\n" +
		"reject refuses forwarded mail, too, unless the forwarder rewrites the sender\n" +
		"(SRS) or is named with --allow. --dmarc quarantine and reject do what the\n" +
		"domain in From: asks for; they are offered where a DKIM key that cannot be\n" +
		"looked up for the moment is told from a broken signature. The operator of a\n" +
		"block list learns who sends to you, and whom it lists by mistake is refused.\n" +
		"off and none give the files of the daemons back as they were; packages stay."
	return usage, about
}
