package dns

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// printedRecords returns notes with the records that the administrator has to publish and
// that name servers do not have yet: in the syntax of the name server on this machine, or
// as the lines that a provider's web form takes.
func printedRecords(in step.Input) []state.Note {
	var notes []state.Note
	printed, again := false, false
	for d := range in.Scope.Domains(in.Spec) {
		if !in.Spec.ByHand(d) || in.KeysOnly {
			continue
		}
		notes = append(notes, whyManual(in, d)...)
		list, told := RecordsToPrint(in, d)
		notes = append(notes, told...)
		if hasPendingKey(in.Ledger[d.Name]) {
			notes = append(notes, state.Note{
				Topic: "dns", Text: fmt.Sprintf("the %d records of %s are printed once the key is made", len(list), d.Name),
			})
			continue
		}
		todo := compareServed(in, list)
		notes = append(notes, todo.notes(in.Facts.DNS, d.Name)...)
		printed = printed || todo.open()
		again = again || todo.open() && records.Slots(in.Spec, d).Zone == ""
	}
	if printed {
		later := ""
		if again && in.Spec.Host.Notify == "" {
			later = "; the records of later keys are yours to publish as well, and nobody is mailed then without init --notify ADDRESS"
		}
		notes = append(notes, state.Note{
			Topic: "dns", Text: "once the records are in DNS, see whether every name server has them, and what is wrong where one does not" + later,
			Action: "mailsetup dns --wait",
		})
	}
	return notes
}

// byHand are the records of a domain by what is left to do about them.
type byHand struct {
	missing, other, right []state.Record
	instead               []state.Record // those that DNS has in the place of the others
}

// compareServed compares records with what name servers have of them, or else
// resolvers.
func compareServed(in step.Input, list []Publication) byHand {
	var b byHand
	for _, p := range list {
		is, known := in.Facts.ByHand[p.Record]
		for _, text := range p.Replaces {
			old := p.Record
			if old.Value = text; !slices.ContainsFunc(is.Instead, func(x state.Record) bool { return x.Value == text }) {
				is.Instead = append(slices.Clone(is.Instead), old)
			}
		}
		switch {
		case is.Everywhere, !known && p.Right:
			b.right = append(b.right, p.Record)
		case len(is.Instead) > 0:
			b.other, b.instead = append(b.other, p.Record), append(b.instead, is.Instead...)
		default:
			b.missing = append(b.missing, p.Record)
		}
	}
	return b
}

// open reports whether there is anything to do.
func (b byHand) open() bool { return len(b.missing)+len(b.other) > 0 }

// notes say what is new, what takes the place of others, and what is right already.
func (b byHand) notes(server state.DNSServer, domain string) []state.Note {
	if !b.open() {
		return []state.Note{{Topic: "dns", Informational: true, Text: fmt.Sprintf("the name servers that answered have the %d records of %s as they should be", len(b.right), domain)}}
	}
	var notes []state.Note
	if len(b.missing) > 0 {
		notes = append(notes, printedFor(server, domain, b.missing))
	}
	if len(b.other) > 0 {
		note := printedFor(server, domain, b.other)
		note.Text = strings.Replace(note.Text, ": publish these records of ", ": replace these records of ", 1)
		note.Text = strings.Replace(note.Text, "publish these records of ", "replace these records of ", 1) + "; what DNS has now stands below them"
		note.Action += "\nin the place of\n\n" + webForm(b.instead, domain)
		notes = append(notes, note)
	}
	if len(b.right) > 0 {
		var names []string
		for _, r := range b.right {
			names = append(names, zonefile.Relative(r.Name, domain+".")+" "+r.Type)
		}
		notes = append(notes, state.Note{Topic: "dns", Text: fmt.Sprintf("right already at %s: %s", domain, strings.Join(names, ", "))})
	}
	return notes
}

func webForm(rrs []state.Record, domain string) string {
	return strings.TrimRight(zonefile.Lines(rrs, domain+"."), "\n")
}

// printedFor returns the records of a domain for one name server, and what to do
// with them.
func printedFor(server state.DNSServer, domain string, rrs []state.Record) state.Note {
	hosted := "; for the web form of whoever hosts the domain: mailsetup dns " + domain + " --format plain"
	publish := fmt.Sprintf("%s answers DNS here and is left alone: publish these records of %s ", server.Title(), domain)
	note := func(text string, form []byte) state.Note {
		return state.Note{Topic: "dns", Text: publish + text + hosted, Action: strings.TrimRight(string(form), "\n") + "\n"}
	}
	switch server {
	case state.Dnsmasq:
		return note("in a file of /etc/dnsmasq.d (then dnsmasq --test && systemctl restart dnsmasq)", zonefile.Dnsmasq(domain, rrs))
	case state.Unbound:
		return note("in a file of /etc/unbound/unbound.conf.d (then unbound-checkconf && systemctl reload unbound)", zonefile.Unbound(domain, domain+".", rrs))
	case state.PowerDNS:
		return note("with these commands, each once", zonefile.PowerDNS(domain, domain+".", rrs))
	case state.NSD:
		return note(fmt.Sprintf("in its zone file (raise the serial, then nsd-control reload %s)", domain), zonefile.Text(domain, rrs))
	}
	return state.Note{
		Topic: "dns", Text: fmt.Sprintf("publish these records of %s (TTL %d; as web forms take them; what is known of the form of your provider: mailsetup dns %s --format paste; for a zone file: mailsetup dns %s)", domain, rrs[0].TTL, domain, domain),
		Action: webForm(rrs, domain) + "\n",
	}
}

// whyManual returns a note on why the BIND of this machine does not publish the records
// of a zone that it has. There is none if the configuration cannot be read: nobody
// asked for its zones.
func whyManual(in step.Input, d spec.Domain) []state.Note {
	zone, ok := in.Facts.Zones.Closest(d.Name + ".")
	if !ok || zone.Problem == "" || zone.Origin == "." {
		return nil
	}
	return []state.Note{{Topic: "dns", Text: zone.Trouble()}}
}

// leftoverFragments returns notes about fragments from when BIND published the records.
// Nothing removes them here: mail that a key of theirs signed may still be in a queue,
// so the administrator chooses the moment.
func leftoverFragments(in step.Input) []state.Note {
	if !in.Scope.Complete() {
		return nil // others may be kept up to date
	}
	var notes []state.Note
	for _, z := range in.Facts.Zones {
		p := &zoneChange{zone: z}
		if !p.included() {
			continue
		}
		notes = append(notes, state.Note{
			Topic: "dns",
			Text: fmt.Sprintf("the zone %s of this machine's BIND still takes in %s, which is no longer kept up to date",
				dnsname.TrimDot(z.Origin), p.fragment()),
			Action: fmt.Sprintf("once the records are elsewhere: take its $INCLUDE line out of %s, raise the serial, rndc reload", z.File),
		})
	}
	return notes
}

// leftoverRecords returns notes about records in our fragments of domains that are
// published in another way now.
func leftoverRecords(in step.Input, others publishedElsewhere) []state.Note {
	var notes []state.Note
	for _, z := range in.Facts.Zones {
		if z.IncludeLost {
			continue
		}
		count := map[string]int{}
		for _, r := range z.OurRecords {
			if domain, found := others.domainOf(r); found {
				count[domain]++
			}
		}
		for _, domain := range slices.Sorted(maps.Keys(count)) {
			notes = append(notes, state.Note{
				Topic: "dns",
				Text: fmt.Sprintf("the zone %s of this machine's BIND still has %d records of %s that are no longer kept up to date",
					dnsname.TrimDot(z.Origin), count[domain], domain),
				Action: fmt.Sprintf("once the records are elsewhere: take them out of %s, raise the serial of %s, rndc reload", Fragment(z), z.File),
			})
		}
	}
	return notes
}

func hasPendingKey(keys []keyring.Key) bool {
	for _, k := range keys {
		if k.Pending() {
			return true
		}
	}
	return false
}
