package wizard

import (
	"fmt"
	"strconv"
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

const (
	settingsUsual = "usual"
	settingsOwn   = "own"
)

// settingsQuestions begin with whether to ask them at all: each has an answer that is
// right for most servers.
func settingsQuestions() []question {
	settings := []question{
		selectorQuestion(),
		keyBitsQuestion(),
		spfAllQuestion(),
		spfIncludeQuestion(),
		dmarcQuestion(),
		milterQuestion(),
		incomingQuestion(),
	}
	for i := range settings {
		settings[i].setting = true
		only := settings[i].applies
		settings[i].applies = func(f *flow) bool {
			return f.entered[aboutSettings] == settingsOwn && (only == nil || only(f))
		}
	}
	return append([]question{gateQuestion(settings)}, settings...)
}

// gateQuestion shows the settings and offers to change them.
func gateQuestion(settings []question) question {
	return question{
		topic: aboutSettings,
		title: fixed("Are these settings right?"),
		about: func(f *flow) string {
			value := func(k topic) string { return settingValue(f, settings, k) }
			lines := []string{
				"DKIM: a key of " + value(aboutKeyBits) + " bits" + describeSelector(value(aboutSelector)),
				spfSetting(f, value),
				"DMARC: " + dmarcMeaning(value(aboutDMARC)) + because(f, aboutDMARC, f.found.DMARC),
			}
			if usesMilter(f) {
				lines = append(lines, "When the signer is down: "+milterMeaning(value(aboutMilter)))
			}
			return strings.Join(append(lines, incomingSetting(f, value)...), "\n")
		},
		options: func(*flow) []option {
			return []option{
				{settingsUsual, "yes", "take them; each can be changed later"},
				{settingsOwn, "change", "go through them one by one"},
			}
		},
		offer: func(*flow) Proposal { return Proposal{Value: settingsUsual} },
		applies: func(f *flow) bool {
			for _, q := range settings {
				if q.topic.of(f.fixed) == "" && !q.optional && (asksIncoming(f) || q.topic != aboutIncoming) {
					return true
				}
			}
			return false
		},
	}
}

// ownSPF reports whether the domain gets an SPF record of its own.
func ownSPF(f *flow) bool { return f.found.SPFRedirect.Value == "" }

// unlessRedirected returns a proposal if the domain gets an SPF record of its own.
func unlessRedirected(f *flow, p Proposal) Proposal {
	if !ownSPF(f) {
		return Proposal{}
	}
	return p
}

// spfSetting describes the SPF record to be.
func spfSetting(f *flow, value func(topic) string) string {
	if to := f.found.SPFRedirect; !ownSPF(f) {
		return fmt.Sprintf("SPF: the record of %s decides (%s)", to.Value, to.Why)
	}
	return "SPF: other senders get " + spfMeaning(value(aboutSPFAll)) + included(value(aboutSPFInclude)) +
		because(f, aboutSPFAll, f.found.SPFAll)
}

// settingValue returns the value of a setting that is not asked about.
func settingValue(f *flow, settings []question, k topic) string {
	if v := k.of(f.fixed); v != "" {
		return v
	}
	for _, q := range settings {
		if q.topic == k {
			return q.offer(f).Value
		}
	}
	return ""
}

// because says where a setting comes from if it is not the default.
func because(f *flow, k topic, found Proposal) string {
	if k.of(f.fixed) != "" || found.Value == "" || found.Why == "" {
		return ""
	}
	return ", " + found.Why
}

func describeSelector(selector string) string {
	if selector == "" {
		return ""
	}
	return ", selector " + selector
}

func included(names string) string {
	if names == "" || names == none {
		return ""
	}
	return ", " + strings.Join(items(names), " and ") + " may send too"
}

func spfMeaning(all string) string {
	switch all {
	case "fail":
		return "-all (fail)"
	case "neutral":
		return "?all (neutral)"
	default:
		return "~all (softfail)"
	}
}

func dmarcMeaning(policy string) string {
	if policy == "none" {
		return "p=none, which asks for reports and changes no delivery"
	}
	return "p=" + policy
}

func milterMeaning(action string) string {
	if action == "accept" {
		return "mail leaves unsigned (accept)"
	}
	return "mail waits (tempfail)"
}

func selectorQuestion() question {
	return question{
		topic: aboutSelector,
		title: fixed("What is the DKIM selector?"),
		about: func(f *flow) string {
			return "It names the key in DNS, as in 202611._domainkey." + f.get(aboutDomain) +
				". Year and month tell the age of a key and leave room for the next one."
		},
		prompt: "Selector",
		check:  syntax.Selector,
		offer:  func(f *flow) Proposal { return f.found.Selector },
	}
}

func keyBitsQuestion() question {
	return question{
		topic: aboutKeyBits,
		title: fixed("How long is the DKIM key (RSA)?"),
		about: fixed("2048 bits are beyond breaking today, and every verifier and nearly every " +
			"DNS provider takes them."),
		options: func(*flow) []option {
			return []option{
				{"2048", "2048", "the choice of the large mail providers"},
				{"1024", "1024", "weak; only for a DNS provider that takes no longer record"},
				{"3072", "3072", "larger record, slower signing, hardly a gain before rotation"},
				{"4096", "4096", "the longest that verifiers must take (RFC 8301)"},
			}
		},
		offer: func(f *flow) Proposal {
			return withDefault(f.found.KeyBits, strconv.Itoa(spec.DefaultKeyBits), "")
		},
	}
}

func spfAllQuestion() question {
	return question{
		topic: aboutSPFAll,
		title: fixed("How does the SPF record end?"),
		about: fixed("It says what to think of mail that comes from an address not listed there. " +
			"Forwarded mail does, and so does that of a sender nobody remembered."),
		options: func(*flow) []option {
			return []option{
				{"softfail", "softfail", "~all: suspicious but not refused; DMARC decides"},
				{"fail", "fail", "-all: may be refused at once, forwarded mail as well"},
				{"neutral", "neutral", "?all: no opinion, hardly any protection"},
			}
		},
		offer: func(f *flow) Proposal {
			return unlessRedirected(f, withDefault(f.found.SPFAll, spec.DefaultSPFAll, ""))
		},
		applies: ownSPF,
	}
}

func spfIncludeQuestion() question {
	return question{
		topic: aboutSPFInclude,
		title: func(f *flow) string { return "Does a service also send mail as " + f.get(aboutDomain) + "?" },
		about: fixed("A newsletter or ticket service names a domain for include: in SPF, such as " +
			"_spf.example.net. Several are separated by spaces or commas; empty for none."),
		prompt:   "SPF includes",
		optional: true,
		list:     true,
		check:    syntax.SPFInclude,
		offer:    func(f *flow) Proposal { return unlessRedirected(f, f.found.SPFInclude) },
		applies:  ownSPF,
	}
}

func dmarcQuestion() question {
	return question{
		topic: aboutDMARC,
		title: fixed("What happens to mail that fails DMARC?"),
		about: fixed("It fails if neither SPF nor DKIM passes for the domain in From:. With none, " +
			"expect daily reports and some senders in them that nobody remembered."),
		options: func(*flow) []option {
			return []option{
				{"none", "none", "delivered as before, and reported: the way to start"},
				{"quarantine", "quarantine", "goes to the spam folder"},
				{"reject", "reject", "is refused; once the reports show only your own senders"},
			}
		},
		offer: func(f *flow) Proposal { return withDefault(f.found.DMARC, spec.DefaultDMARC, "") },
	}
}

func milterQuestion() question {
	return question{
		topic: aboutMilter,
		title: fixed("What does Postfix do while the signer does not answer?"),
		about: fixed("OpenDKIM signs each message. It is away for some seconds at every restart, " +
			"and longer if it breaks."),
		options: func(*flow) []option {
			return []option{
				{"tempfail", "tempfail", "mail waits at the sender and is tried again; none unsigned"},
				{"accept", "accept", "mail goes on at once, but leaves unsigned"},
			}
		},
		offer:   func(f *flow) Proposal { return withDefault(f.found.MilterDefaultAction, spec.DefaultAction, "") },
		applies: usesMilter,
	}
}

// usesMilter reports whether mail is signed, and incoming mail checked, by milters of Postfix.
func usesMilter(f *flow) bool { return f.get(aboutMTA) != spec.Exim }

// label returns an option on one line, with the names of all options padded alike.
func (o option) label(width int) string { return fmt.Sprintf("%-*s  %s", width, o.name, o.meaning) }
