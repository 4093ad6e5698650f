package wizard

import (
	"net/netip"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// nameQuestions is the number of questions at the start whose answers decide
// what there is to find in DNS.
const nameQuestions = 2

// questions returns all questions in order. The first nameQuestions are about names.
func questions() []question {
	return append([]question{
		domainQuestion(),
		hostnameQuestion(),
		mtaQuestion(),
		addressesQuestion(),
		receiveQuestion(),
		dnsQuestion(),
		nsQuestion(),
		rootAliasQuestion(),
		notifyQuestion(),
	}, settingsQuestions()...)
}

func domainQuestion() question {
	return question{
		topic: aboutDomain,
		title: fixed("Which domain sends mail from this server?"),
		about: fixed("The part after the @ of your addresses, as in alice@example.org. " +
			"Its mail will be signed, and it gets records for SPF, DKIM and DMARC."),
		prompt: "Domain",
		check:  syntax.DomainName,
		offer: func(f *flow) Proposal {
			host := f.found.Hostname.Value
			if f.fixed.Hostname != "" {
				host = f.fixed.Hostname
			}
			if f.found.Domain.Value != "" || host == "" {
				return f.found.Domain
			}
			return Proposal{parent(host), "taken from the host name " + host}
		},
	}
}

// parent returns the domain of a host name; a name of two labels is a domain already.
func parent(host string) string {
	host = dnsname.TrimDot(strings.TrimSpace(host))
	if strings.Count(host, ".") < 2 {
		return host
	}
	_, domain, _ := strings.Cut(host, ".")
	return domain
}

func hostnameQuestion() question {
	return question{
		topic: aboutHostname,
		title: fixed("What is this mail server called?"),
		about: fixed("The full name it greets other servers with (HELO). They expect that the name " +
			"has an address, and that the reverse lookup (PTR) of that address gives the name."),
		prompt: "Host name",
		check:  syntax.Hostname,
		offer: func(f *flow) Proposal {
			if f.found.Hostname.Value != "" {
				return f.found.Hostname
			}
			return Proposal{"mail." + f.get(aboutDomain), "the usual name; this machine has no full name of its own"}
		},
	}
}

// mtaQuestion is for machines whose mail server may stay.
func mtaQuestion() question {
	return question{
		topic: aboutMTA,
		title: fixed("Which mail server is to send and sign?"),
		about: fixed("exim4 is this machine's mail server. It signs itself; Postfix has OpenDKIM sign, and " +
			"can check incoming mail. Installing Postfix removes exim4: you are asked again."),
		options: func(*flow) []option {
			return []option{
				{spec.Exim, "exim4", "it stays, and its settings with it"},
				{"postfix", "postfix", "is installed in its place"},
			}
		},
		offer:   func(f *flow) Proposal { return f.found.MTA },
		applies: func(f *flow) bool { return f.found.MTA.Value != "" },
	}
}

func addressesQuestion() question {
	return question{
		topic: aboutAddresses,
		title: fixed("Which public addresses does it send from?"),
		about: fixed("IPv4 and IPv6 as other servers see them, separated by spaces or commas. " +
			"Behind NAT it is the address of the router, not that of the interface."),
		prompt: "Addresses",
		list:   true,
		check: func(s string) (string, error) {
			addr, err := syntax.Address(s)
			return addressText(addr, err)
		},
		offer: func(f *flow) Proposal { return f.found.Addresses },
	}
}

func addressText(addr netip.Addr, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return addr.String(), nil
}

func receiveQuestion() question {
	return question{
		topic: aboutReceive,
		title: func(f *flow) string { return "Does this server receive the mail for " + f.get(aboutDomain) + "?" },
		about: fixed("Yes if its mailboxes are on this server: what it sends to the domain then stays " +
			"here. No if they are at a provider or on another server."),
		options: func(*flow) []option {
			return []option{
				{"yes", "yes", "an MX record points here, and mail for the domain is accepted"},
				{"no", "no", "this server only sends; no MX record, nothing is accepted"},
			}
		},
		offer: func(f *flow) Proposal { return withDefault(f.found.Receive, "no", "nothing in DNS says otherwise") },
	}
}

// dnsNew is the choice that stands for --dns bind --dns-new-zone.
const dnsNew = "new"

func dnsQuestion() question {
	manual := option{"manual", "manual", "the records are shown, to paste at your DNS provider"}
	return question{
		topic: aboutDNS,
		title: func(f *flow) string { return "How do the records of " + f.get(aboutDomain) + " get into DNS?" },
		about: func(f *flow) string {
			if f.found.ZoneServed {
				return "BIND on this machine is the primary server of the zone."
			}
			return "BIND runs here but does not serve the zone. A new one is right only if this " +
				"machine is, or is about to be, a name server of the domain. At a provider, --dns slots " +
				"and --dns delegate need your hand but once."
		},
		options: func(f *flow) []option {
			if f.found.ZoneServed {
				return []option{{"bind", "bind", "the records are added to the zone here"}, manual}
			}
			return []option{manual, {dnsNew, "new zone", "a zone is made here, in BIND"}}
		},
		offer: func(f *flow) Proposal {
			if f.found.ZoneServed {
				return withDefault(f.found.DNS, "bind", "")
			}
			return Proposal{Value: "manual"}
		},
		applies: func(f *flow) bool {
			return f.found.BIND && f.fixed.NewZone == "" && (f.found.ZoneServed || !f.found.ZoneUnusable)
		},
	}
}

func nsQuestion() question {
	return question{
		topic: aboutNS,
		title: func(f *flow) string { return "Which name servers does the new zone have?" },
		about: fixed("Host names separated by spaces or commas, the ones registered with the parent " +
			"zone. This machine should be one of them."),
		prompt:  "Name servers",
		list:    true,
		check:   syntax.Hostname,
		offer:   func(f *flow) Proposal { return withDefault(f.found.NS, f.get(aboutHostname), "this machine") },
		applies: (*flow).newZone,
	}
}

func rootAliasQuestion() question {
	return question{
		topic: aboutRootAlias,
		title: fixed("Who reads the mail for root and postmaster?"),
		about: fixed("An address that somebody reads; reports about the domain's mail go there too. " +
			"Leave it empty to keep the aliases as they are."),
		prompt:   "Address",
		optional: true,
		check:    syntax.MailAddress,
		judge: func(f *flow, address string) error {
			return f.somebodyReads(func(a *spec.Answers) { a.RootAlias = address })
		},
		offer: func(f *flow) Proposal { return f.found.RootAlias },
	}
}

// notifyQuestion is for those who publish records themselves: a new key waits for them.
func notifyQuestion() question {
	return question{
		topic: aboutNotify,
		title: fixed("Who is mailed when you have a record to publish?"),
		about: fixed("The key gets a successor twice a year. Its record is yours to publish; until it " +
			"is there the old key goes on signing. Without an address nobody is told."),
		prompt:   "Address",
		optional: true,
		check:    syntax.MailAddress,
		judge: func(f *flow, address string) error {
			return f.somebodyReads(func(a *spec.Answers) { a.Notify = address })
		},
		offer: func(f *flow) Proposal {
			if reader := f.get(aboutRootAlias); reader != none {
				return Proposal{reader, "who reads root's mail"}
			}
			return Proposal{}
		},
		applies: func(f *flow) bool {
			mode := f.fixed.DNS
			switch {
			case mode != "":
			case dnsQuestion().applies(f):
				mode = f.entered[aboutDNS] // "" before that question
			case !f.newZone():
				mode = string(spec.DNSManual) // the only way
			}
			return mode == string(spec.DNSManual)
		},
	}
}

// fixed returns a text that depends on nothing.
func fixed(text string) func(*flow) string { return func(*flow) string { return text } }

// withDefault returns a proposal, or a default without one.
func withDefault(p Proposal, value, why string) Proposal {
	if p.Value != "" {
		return p
	}
	return Proposal{value, why}
}
