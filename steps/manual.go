package steps

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// manualDNS hands the records to the administrator: in the form that the name
// server of this machine takes, or as zone text, and as the lines that a
// provider's web form wants.
func manualDNS(in Input) []state.Note {
	var notes []state.Note
	printed := false
	for d := range in.Scope.Domains(in.Spec) {
		if in.Spec.DNSOf(d) != spec.DNSManual || in.KeysOnly {
			continue
		}
		notes = append(notes, whyManual(in, d)...)
		list, told := Published(in, d)
		rrs := recordsOf(list)
		notes = append(notes, told...)
		if pending(in.Keys[d.Name]) {
			notes = append(notes, state.Note{
				Topic: "dns", Text: fmt.Sprintf("the %d records of %s are printed once the key is made", len(rrs), d.Name),
			})
			continue
		}
		printed = true
		text, form := printedFor(in.Facts.DNS, d.Name, rrs)
		notes = append(notes, state.Note{
			Topic: "dns", Text: text,
			Do: string(form) + "\n" + strings.TrimRight(zonefile.Lines(rrs, d.Name+"."), "\n"),
		})
	}
	if printed {
		notes = append(notes, state.Note{
			Topic: "dns", Text: "once the records are in DNS, see whether every name server has them, and what is wrong where one does not",
			Do: "sudo mailsetup dns --wait",
		})
	}
	return notes
}

// printedFor are the records of a domain for one name server, and what to do
// with them.
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

// whyManual tells why the BIND of this machine, which knows the zone, does not
// get the records.
func whyManual(in Input, d spec.Domain) []state.Note {
	zone, ok := closest(in.Facts.Zones, d.Name+".")
	if !ok || zone.Problem == "" {
		return nil
	}
	return []state.Note{{Topic: "dns", Text: fmt.Sprintf("zone %s: %s", strings.TrimSuffix(zone.Origin, "."), zone.Problem)}}
}

// another refuses to publish in BIND where another name server has the port.
func another(in Input) error {
	if in.Facts.DNS == state.NoDNSServer || in.Facts.DNS == state.BIND {
		return nil
	}
	return step.Refuse("--dns manual prints the records in its form", "%s answers DNS here, not BIND", in.Facts.DNS.Title())
}

// leftBehind tells of fragments from when BIND published the records. Taking
// them out could take a key out of DNS whose mail is still under way, so that
// moment is the administrator's to choose.
func leftBehind(in Input) []state.Note {
	if !in.Scope.Complete() {
		return nil // others may be kept up to date
	}
	var notes []state.Note
	for _, z := range in.Facts.Zones {
		p := &part{zone: z}
		if !p.included() {
			continue
		}
		notes = append(notes, state.Note{
			Topic: "dns",
			Text: fmt.Sprintf("the zone %s of this machine's BIND still takes in %s, which is no longer kept up to date",
				strings.TrimSuffix(z.Origin, "."), p.fragment()),
			Do: fmt.Sprintf("once the records are elsewhere: take its $INCLUDE line out of %s, raise the serial, rndc reload", z.File),
		})
	}
	return notes
}

// leftShared tells of records of domains that BIND no longer publishes, while it
// does those of others.
func leftShared(in Input, others owners) []state.Note {
	var notes []state.Note
	for _, z := range in.Facts.Zones {
		if z.Dropped {
			continue
		}
		count := map[string]int{}
		for _, r := range z.Ours {
			if domain, found := others.of(r); found {
				count[domain]++
			}
		}
		for _, domain := range slices.Sorted(maps.Keys(count)) {
			notes = append(notes, state.Note{
				Topic: "dns",
				Text: fmt.Sprintf("the zone %s of this machine's BIND still has %d records of %s that are no longer kept up to date",
					noDot(z.Origin), count[domain], domain),
				Do: fmt.Sprintf("once the records are elsewhere: take them out of %s, raise the serial of %s, rndc reload", Fragment(z), z.File),
			})
		}
	}
	return notes
}

func pending(keys []keyring.Key) bool {
	for _, k := range keys {
		if k.Pending() {
			return true
		}
	}
	return false
}

// Advice is what only the administrator can do, or should know: reverse DNS,
// reports, names that do not align.
func Advice(in Input) []state.Note {
	var notes []state.Note
	if in.Scope.WholeHost() {
		notes = append(places(in), reverse(in)...)
	}
	notes = append(notes, unread(in)...)
	notes = append(notes, Lives(in.Spec, in.Scope.Includes)...)
	for d := range in.Scope.Domains(in.Spec) {
		notes = append(notes, reports(in, d)...)
		if d.KeyBits < 2048 {
			notes = append(notes, state.Note{
				Topic: "key", Text: fmt.Sprintf("%s signs with %d bits: some receivers treat that as weak (RFC 8301)", d.Name, d.KeyBits),
				Do: fmt.Sprintf("key_bits = %d in %s; mailsetup rotate-dkim then brings a larger key", spec.DefaultKeyBits, spec.DomainFile(d.Name)),
			})
		}
	}
	return notes
}

// Lives warns of keys that get older than half a year before they are replaced,
// and of those that leave DNS while mail may still be in a queue.
func Lives(s spec.Spec, about func(domain string) bool) []state.Note {
	old, brief := map[time.Duration][]string{}, map[time.Duration][]string{}
	for _, d := range s.Domains {
		every, drain := s.RotationOf(d).Every, s.DrainOf(d)
		if about(d.Name) && (every > spec.HalfYear || every == spec.Never) {
			old[every] = append(old[every], d.Name)
		}
		if about(d.Name) && drain < spec.QueueLife {
			brief[drain] = append(brief[drain], d.Name)
		}
	}
	var notes []state.Note
	warn := func(key, standard string, all map[time.Duration][]string, why func(time.Duration) string) {
		for _, span := range slices.Sorted(maps.Keys(all)) {
			notes = append(notes, state.Note{
				Topic: "dkim", Text: fmt.Sprintf("the keys of %s %s (%s)", some(all[span], 3), why(span), key),
				Do: fmt.Sprintf("%s = %q in %s, or in the domain's own file", key, standard, spec.HostFile),
			})
		}
	}
	warn("rotate_every", spec.Span(spec.DefaultEvery), old, func(every time.Duration) string {
		if every == spec.Never {
			return "never get successors; six months are advised"
		}
		return "get successors after " + spec.Span(every) + "; six months are advised"
	})
	warn("drain", spec.Span(spec.DefaultDrain), brief, func(drain time.Duration) string {
		return "leave DNS after " + spec.Span(drain) + ", and mail may wait in queues for " + spec.Span(spec.QueueLife)
	})
	return notes
}

func reverse(in Input) []state.Note {
	var notes []state.Note
	host := in.Spec.Host.Hostname
	for _, a := range in.Spec.Host.Addresses {
		live := in.Facts.Live[a.String()]
		if len(live.PTR) == 1 && strings.EqualFold(strings.TrimSuffix(live.PTR[0], "."), host) {
			continue
		}
		notes = append(notes, state.Note{
			Topic: "ptr", Text: fmt.Sprintf("ask your hosting company for the PTR record of %s", a),
			Do: fmt.Sprintf("%s -> %s", a, host),
		})
	}
	return notes
}

func reports(in Input, d spec.Domain) []state.Note {
	if len(d.DMARC.RUA) == 0 && reportsGoSomewhere(in, d) {
		return nil
	}
	if len(d.DMARC.RUA) == 0 {
		which := ""
		if d.Name != in.Spec.Host.Domain { // which flags mean without being told
			which = "--domain " + d.Name + " "
		}
		return []state.Note{{
			Topic: "dmarc", Text: "nobody reads the DMARC reports of " + d.Name,
			Do: "mailsetup init " + which + "--rua " + reader(in),
		}}
	}
	return unauthorised(in, d)
}
