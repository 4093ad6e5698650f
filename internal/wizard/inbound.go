package wizard

import (
	"cmp"
	"slices"
	"strings"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec/syntax"
)

// inboundQuestions are about mail that comes in, of a server that is set up.
func inboundQuestions() []question {
	list := []question{inboundSPFQuestion(), inboundDMARCQuestion(), inboundDNSBLQuestion()}
	for i := range list {
		applies := asksIncoming
		if list[i].topic == aboutInDMARC {
			applies = func(f *flow) bool { return asksIncoming(f) && !f.found.Incoming.NoDMARC }
		}
		list[i].applies, list[i].offer = applies, onlyIf(applies, list[i].offer)
	}
	return list
}

// onlyIf returns an offer that proposes nothing where a question does not apply.
func onlyIf(applies func(*flow) bool, offer func(*flow) Proposal) func(*flow) Proposal {
	return func(f *flow) Proposal {
		if !applies(f) {
			return Proposal{}
		}
		return offer(f)
	}
}

// asksIncoming reports whether there is something to ask about incoming mail.
func asksIncoming(f *flow) bool {
	return f.found.Incoming.SPF.Value != "" && (f.inboundOnly || f.get(aboutReceive) == "yes" && usesMilter(f))
}

// incomingSetting describes what incoming mail will meet.
func incomingSetting(f *flow, value func(topic) string) []string {
	if !asksIncoming(f) {
		return nil
	}
	given := f.fixed.Inbound
	if given.SPF+given.DMARC == "" {
		given.SPF, given.DMARC = incomingModes(value(aboutIncoming))
	}
	lists := ""
	if len(given.DNSBL) > 0 && given.DNSBL[0] != none {
		lists = ", block lists " + strings.Join(given.DNSBL, " ")
	}
	off := inbound.Off.String()
	return []string{"Incoming mail: SPF " + cmp.Or(given.SPF, off) + ", DMARC " + cmp.Or(given.DMARC, off) + lists}
}

// incomingModes returns what SPF and DMARC do by an answer of init. DMARC refuses nothing
// there, since what verifies signatures may not be known yet.
func incomingModes(answer string) (spf, dmarc string) {
	if answer == string(inbound.Reject) {
		return answer, string(inbound.Mark)
	}
	return answer, answer
}

// incomingQuestion is the one page of init about mail that comes in. What goes beyond it
// is asked by mailsetup inbound.
func incomingQuestion() question {
	return question{
		topic: aboutIncoming,
		title: fixed("What do SPF and DMARC do to incoming mail?"),
		about: fixed("They tell whether it comes from where the domain of its sender says. " +
			"mailsetup inbound changes that at any time, each for itself, and adds block lists."),
		options: func(*flow) []option {
			return []option{
				{"off", "off", "nobody looks"},
				{"mark", "mark", "a header says who failed, for filters; nothing is refused"},
				{"reject", "reject", "what fails SPF is refused; undeclared forwarders as well"},
			}
		},
		offer:   onlyIf(asksIncoming, func(f *flow) Proposal { return f.found.Incoming.SPF }),
		applies: asksIncoming,
	}
}

func inboundSPFQuestion() question {
	return question{
		topic: aboutInSPF,
		title: fixed("What becomes of incoming mail that fails SPF?"),
		about: fixed("It comes from a server that its sender's domain forbids. So does mail of a " +
			"forwarder that keeps the sender (no SRS), which is honest."),
		options: func(*flow) []option {
			return []option{
				{"mark", "mark", "a header says so, for filters; nothing is refused"},
				{"reject", "reject", "is refused; undeclared forwarders as well"},
				{"off", "off", "nobody looks"},
			}
		},
		offer: func(f *flow) Proposal { return f.found.Incoming.SPF },
	}
}

func inboundDMARCQuestion() question {
	return question{
		topic: aboutInDMARC,
		title: fixed("What becomes of incoming mail that fails DMARC?"),
		about: fixed("Neither SPF nor DKIM passes for the domain in From:. Some mailing lists make " +
			"honest mail fail, too."),
		options: func(f *flow) []option {
			all := []option{
				{"mark", "mark", "a header says so, for filters; nothing is refused"},
				{"quarantine", "quarantine", "what its domain asks for gets a header to file it by"},
				{"reject", "reject", "what its domain asks to refuse is refused"},
				{"off", "off", "nobody looks"},
			}
			if !f.found.Incoming.Rspamd {
				all = slices.Delete(all, 1, 3)
			}
			return all
		},
		offer: func(f *flow) Proposal { return f.found.Incoming.DMARC },
	}
}

func inboundDNSBLQuestion() question {
	return question{
		topic: aboutInDNSBL,
		title: fixed("Which block lists refuse incoming mail?"),
		about: fixed("Zones of lists, as in zen.spamhaus.org, separated by spaces; empty for none. " +
			"Their operators learn who sends to you, and decide whom you hear of. Each is asked " +
			"for its test entry before mail is refused by it."),
		prompt:   "Block lists",
		optional: true,
		check: func(s string) (string, error) {
			words := strings.Fields(s)
			for i, word := range words {
				entry, bad := inbound.List(word)
				if bad != nil {
					return "", &syntax.BadValue{Field: "block list", Value: bad.Value, Why: bad.Why, Hint: bad.Hint}
				}
				words[i] = entry
			}
			return strings.Join(words, " "), nil
		},
		offer: func(f *flow) Proposal { return f.found.Incoming.DNSBL },
	}
}
