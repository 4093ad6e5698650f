package wizard

import (
	"slices"
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// topic names a question.
type topic string

const (
	aboutDomain     topic = "domain"
	aboutHostname   topic = "hostname"
	aboutAddresses  topic = "addresses"
	aboutMTA        topic = "mta"
	aboutReceive    topic = "receive"
	aboutDNS        topic = "dns"
	aboutNS         topic = "ns"
	aboutRootAlias  topic = "root alias"
	aboutNotify     topic = "notify"
	aboutSettings   topic = "settings" // whether to go through those below
	aboutSelector   topic = "selector"
	aboutKeyBits    topic = "key bits"
	aboutSPFAll     topic = "spf all"
	aboutSPFInclude topic = "spf include"
	aboutDMARC      topic = "dmarc"
	aboutMilter     topic = "milter"
	aboutIncoming   topic = "inbound" // of init: SPF and DMARC on one page
	aboutInSPF      topic = "inbound spf"
	aboutInDMARC    topic = "inbound dmarc"
	aboutInDNSBL    topic = "inbound dnsbl"
)

// none is the answer that leaves something empty, see spec.Answers.
const none = "none"

// field returns the place of an answer: a text or a list, both nil for a question that
// only steers.
func (t topic) field(a *spec.Answers) (*string, *[]string) {
	switch t {
	case aboutDomain:
		return &a.Domain, nil
	case aboutHostname:
		return &a.Hostname, nil
	case aboutAddresses:
		return nil, &a.Addresses
	case aboutMTA:
		return &a.MTA, nil
	case aboutReceive:
		return &a.Receive, nil
	case aboutDNS:
		return &a.DNS, nil
	case aboutNS:
		return nil, &a.NS
	case aboutRootAlias:
		return &a.RootAlias, nil
	case aboutNotify:
		return &a.Notify, nil
	default:
		return t.settingField(a)
	}
}

func (t topic) settingField(a *spec.Answers) (*string, *[]string) {
	switch t {
	case aboutSelector:
		return &a.Selector, nil
	case aboutKeyBits:
		return &a.KeyBits, nil
	case aboutSPFAll:
		return &a.SPFAll, nil
	case aboutSPFInclude:
		return nil, &a.SPFInclude
	case aboutDMARC:
		return &a.DMARC, nil
	case aboutMilter:
		return &a.MilterDefaultAction, nil
	case aboutInSPF:
		return &a.Inbound.SPF, nil
	case aboutInDMARC:
		return &a.Inbound.DMARC, nil
	case aboutInDNSBL:
		return nil, &a.Inbound.DNSBL
	default:
		return nil, nil
	}
}

// of returns an answer as the text of a field.
func (t topic) of(a spec.Answers) string {
	text, list := t.field(&a)
	switch {
	case t == aboutIncoming:
		return a.Inbound.SPF + a.Inbound.DMARC
	case text != nil:
		return *text
	case list != nil:
		return strings.Join(*list, " ")
	default:
		return ""
	}
}

// put sets an answer to the checked text of a field.
func (t topic) put(a *spec.Answers, value string) {
	if value == "" {
		value = none
	}
	text, list := t.field(a)
	switch {
	case t == aboutDNS && value == dnsNew:
		a.DNS, a.NewZone = string(spec.DNSBind), "yes"
	case t == aboutIncoming:
		a.Inbound.SPF, a.Inbound.DMARC = incomingModes(value)
	case text != nil:
		*text = value
	case t == aboutInDNSBL:
		*list = strings.Fields(value) // their answers have semicolons
	case list != nil:
		*list = items(value)
	}
}

// question is a question: a field for text, or a choice.
type question struct {
	topic   topic
	setting bool // has a usual answer, and is asked on request only

	title  func(*flow) string
	about  func(*flow) string // what it means and what to expect
	prompt string             // of a plain prompt for text, "Domain"

	options  func(*flow) []option // of a choice, the only answers; nil for text
	optional bool                 // text that may be left empty
	list     bool                 // items separated by white space, commas or semicolons
	check    func(string) (string, error)
	judge    func(f *flow, checked string) error // an answer that is well-formed; nil: all do

	offer   func(*flow) Proposal // "" in Value proposes nothing
	applies func(*flow) bool     // nil: always
}

// option is one answer of a choice with its meaning, together at most 74 columns wide.
type option struct{ value, name, meaning string }

// validate returns the answer in its normal form, or an error.
func (q question) validate(f *flow, value string) (string, error) {
	if q.options != nil {
		known := slices.ContainsFunc(q.options(f), func(o option) bool { return o.value == value })
		if !known {
			return "", &syntax.BadValue{Field: string(q.topic), Value: value, Why: "is none of the choices", Hint: "type the number of a choice, or its word"}
		}
		return value, nil
	}
	parts := []string{value}
	if q.list {
		parts = items(value)
	}
	if q.optional && len(items(value)) == 0 {
		return "", nil
	}
	if len(parts) == 0 {
		parts = []string{""} // for the checker to say what is missing
	}
	checked, err := q.checkAll(parts)
	if err == nil && q.judge != nil {
		err = q.judge(f, checked)
	}
	return checked, err
}

func (q question) checkAll(parts []string) (string, error) {
	var good []string
	for _, part := range parts {
		checked, err := q.check(part)
		if err != nil {
			return "", err
		}
		if !slices.Contains(good, checked) {
			good = append(good, checked)
		}
	}
	return strings.Join(good, " "), nil
}

// items splits a list as people type it.
func items(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return strings.ContainsRune(" \t,;", r)
	})
}
