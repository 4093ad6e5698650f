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

// printedRecords returns notes with the records that the administrator has to publish:
// in the syntax of the name server on this machine, or of a zone file, and as the lines
// that a provider's web form takes.
func printedRecords(in step.Input) []state.Note {
	var notes []state.Note
	printed := false
	for d := range in.Scope.Domains(in.Spec) {
		if in.Spec.DNSOf(d) != spec.DNSManual || in.KeysOnly {
			continue
		}
		notes = append(notes, whyManual(in, d)...)
		list, told := RecordsToPrint(in, d)
		rrs := recordsOf(list)
		notes = append(notes, told...)
		if hasPendingKey(in.Ledger[d.Name]) {
			notes = append(notes, state.Note{
				Topic: "dns", Text: fmt.Sprintf("the %d records of %s are printed once the key is made", len(rrs), d.Name),
			})
			continue
		}
		printed = true
		text, form := printedFor(in.Facts.DNS, d.Name, rrs)
		notes = append(notes, state.Note{
			Topic: "dns", Text: text,
			Action: string(form) + "\n" + strings.TrimRight(zonefile.Lines(rrs, d.Name+"."), "\n"),
		})
	}
	if printed {
		notes = append(notes, state.Note{
			Topic: "dns", Text: "once the records are in DNS, see whether every name server has them, and what is wrong where one does not",
			Action: "mailsetup dns --wait",
		})
	}
	return notes
}

// printedFor returns the records of a domain in the syntax of a name server, and what
// to do with them.
func printedFor(server state.DNSServer, domain string, rrs []state.Record) (text string, form []byte) {
	const hosted = ", or with the web form of whoever hosts the domain"
	publish := fmt.Sprintf("%s answers DNS here and is left alone: publish these records of %s ", server.Title(), domain)
	switch server {
	case state.Dnsmasq:
		return publish + "in a file of /etc/dnsmasq.d (then dnsmasq --test && systemctl restart dnsmasq)" + hosted, zonefile.Dnsmasq(domain, rrs)
	case state.Unbound:
		return publish + "in a file of /etc/unbound/unbound.conf.d (then unbound-checkconf && systemctl reload unbound)" + hosted, zonefile.Unbound(domain, domain+".", rrs)
	case state.PowerDNS:
		return publish + "with these commands, each once" + hosted, zonefile.PowerDNS(domain, domain+".", rrs)
	case state.NSD:
		return fmt.Sprintf("%sin its zone file (raise the serial, then nsd-control reload %s)%s", publish, domain, hosted), zonefile.Text(domain, rrs)
	}
	return "publish these records of " + domain + " (as a zone file, then for a web form)", zonefile.Text(domain, rrs)
}

// whyManual returns a note on why the BIND of this machine does not publish the records
// of a zone that it has.
func whyManual(in step.Input, d spec.Domain) []state.Note {
	zone, ok := records.ClosestZone(in.Facts.Zones, d.Name+".")
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
