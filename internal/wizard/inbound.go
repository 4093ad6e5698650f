package wizard

import (
	"slices"
	"strings"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
)

// inboundQuestions are about mail that comes in, where the server receives some.
func inboundQuestions() []question {
	list := []question{inboundSPFQuestion(), inboundDMARCQuestion(), inboundDNSBLQuestion()}
	for i := range list {
		offer := list[i].offer
		applies := asksIncoming
		if list[i].topic == aboutInDNSBL {
			applies = func(f *flow) bool { return asksIncoming(f) && !f.found.Incoming.Rspamd }
		}
		list[i].applies = applies
		list[i].offer = func(f *flow) Proposal {
			if !applies(f) {
				return Proposal{}
			}
			return offer(f)
		}
	}
	return list
}

// isIncoming reports whether a question is about incoming mail.
func (t topic) isIncoming() bool { return t == aboutInSPF || t == aboutInDMARC || t == aboutInDNSBL }

// asksIncoming reports whether there is something to ask about incoming mail.
func asksIncoming(f *flow) bool {
	return f.found.Incoming.SPF.Value != "" && (f.inboundOnly || f.get(aboutReceive) == "yes")
}

// incomingSetting describes what incoming mail will meet.
func incomingSetting(f *flow, value func(topic) string) []string {
	if !asksIncoming(f) {
		return nil
	}
	lists := ""
	if names := value(aboutInDNSBL); names != "" && names != none {
		lists = ", block lists " + names
	}
	return []string{"Incoming mail: SPF " + value(aboutInSPF) + ", DMARC " + value(aboutInDMARC) + lists}
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
					return "", &spec.BadValue{Field: "block list", Value: bad.Value, Why: bad.Why, Hint: bad.Hint}
				}
				words[i] = entry
			}
			return strings.Join(words, " "), nil
		},
		offer: func(f *flow) Proposal { return f.found.Incoming.DNSBL },
	}
}
