package spf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/policy"
	"mailsetup/zonefile"
)

// What mends a record that mailsetup publishes: one that is missing, and one that says
// something else.
var (
	addIt    = finding.Command("mailsetup init --yes")
	changeIt = finding.Command("mailsetup init --yes --existing-records change")
)

// ours reports whether mailsetup publishes the records of the domain, and the
// administrator did not say that this one stays.
func (l *look) ours() bool {
	return l.s.SetUp && l.d.Wanted != nil && !l.s.Spec.ByHand(*l.d.Wanted) && !slices.Contains(l.d.Wanted.Keep, "spf")
}

// fresh returns a record for a domain that has none, "" if no address is known that it
// has to pass.
func (l *look) fresh() string {
	if len(l.addresses()) == 0 && (l.d.Sends || !l.d.Declared) {
		return ""
	}
	terms := []string{"v=spf1"}
	for _, a := range l.addresses() {
		terms = append(terms, policy.AddressTerm(a))
	}
	if l.d.Receives && l.d.Sends {
		terms = append(terms, "mx")
	}
	all := "~all"
	if !l.d.Sends {
		all = "-all"
	}
	return strings.Join(append(terms, all), " ")
}

// create says how to get a record, after the words that say where it belongs.
func (l *look) create(where string) finding.Remedy {
	record := l.fresh()
	switch {
	case record != "":
		return proposed(where, l.d.Name, record)
	case !l.d.Sends:
		return proposed("publish a record that passes the addresses from which its mail leaves; if it sends none", l.d.Name, "v=spf1 -all")
	case l.s.Smarthost != "":
		return finding.Text("ask whoever runs " + l.s.Smarthost + " which include: the record needs, and publish one with it")
	case l.s.SetUp || len(l.s.Hidden) > 0:
		return finding.Text("name the address that receivers see:").Command("mailsetup init --ip ADDRESS")
	}
	return finding.Command("mailsetup init --domain %s", l.d.Name)
}

// instead says what to do about a record of others that ours hands over to.
func instead(other, domain, record string) finding.Remedy {
	if record != "" {
		return proposed("ask whoever runs "+other+", or publish a record of your own", domain, record)
	}
	return finding.Text("ask whoever runs " + other + ", or publish a record of your own")
}

// named returns a record with our addresses in front of everything else.
func (l *look) named(record string) string {
	rec, err := policy.ParseSPF(record)
	if err != nil {
		return record
	}
	if better := rec.First(l.addresses()); better != "" {
		if rec, err = policy.ParseSPF(better); err != nil {
			return record
		}
	}
	var missing []netip.Addr
	for _, a := range l.addresses() {
		if pass, sure := rec.Literal(a); !pass || !sure {
			missing = append(missing, a)
		}
	}
	return rec.Merge(policy.SPFChange{Pass: missing})
}

// withAll returns what to do about a record that says nothing about others.
func (l *look) withAll() finding.Remedy {
	if to := l.record.SPF.Redirect(); to != "" {
		return instead(to, l.d.Name, l.fresh())
	}
	return l.publish(l.record.SPF.Merge(policy.SPFChange{All: "softfail"}))
}

// publish says which record to publish; "" for none.
func (l *look) publish(record string) finding.Remedy {
	if record == "" {
		return nil
	}
	return proposed(inPlace, l.d.Name, record)
}

// maxLine is the longest record that is proposed, in octets: nobody should have one.
const maxLine = 2000

// inPlace says where most records that are proposed belong.
const inPlace = "publish, in place of the record that is there"

// proposed is the remedy that names a record, as a zone file has it, after the words that
// say where it belongs.
func proposed(where, name, value string) finding.Remedy {
	if len(value) > maxLine {
		return finding.Text(fmt.Sprintf("%s: a shorter record than that of %d octets", where, len(value)))
	}
	var parts []string
	for _, s := range zonefile.SplitTXT(value) {
		parts = append(parts, `"`+zonefile.Escape(s)+`"`)
	}
	return finding.Text(where + ":").Record(name + ". IN TXT " + strings.Join(parts, " "))
}
