package dnscheck

import (
	"fmt"

	"mailsetup/internal/dnsname"
)

// What to do about a record, in the words of the command that prints it.

func (e ExpectedRecord) publishRemedy() string {
	if e.PublishedByUs {
		return "publish it: mailsetup init --yes"
	}
	return "publish it: mailsetup dns " + e.Domain
}

func (e ExpectedRecord) copyRemedy() string {
	return fmt.Sprintf("publish a copy at %s: %s %s; mailsetup init --domain %s --wildcard-records copy takes it up, drop goes on without",
		dnsname.TrimDot(e.Record.Name), e.Record.Type, e.Record.Value, e.Domain)
}

func (e ExpectedRecord) replaceRemedy() string {
	if e.PublishedByUs {
		return "put ours in its place: mailsetup init"
	}
	return "put ours in its place: mailsetup dns " + e.Domain
}

func (e ExpectedRecord) bareValueRemedy() string {
	return "enter the bare value: mailsetup dns " + e.Domain + " --format plain"
}

func (e ExpectedRecord) wholeValueRemedy() string {
	return "enter all of it; where a form takes 255 octets at a time, several strings in quotes, " +
		"as mailsetup dns " + e.Domain + " prints them"
}

func (e ExpectedRecord) quotesRemedy() string {
	return "in a zone file the value stands in quotes: mailsetup dns " + e.Domain
}
