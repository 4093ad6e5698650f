package dnsexport

import (
	"cmp"
	"io"
	"maps"
	"slices"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// Formats returns the names of the forms that Write knows.
func Formats() []string {
	return []string{"zone", "plain", "paste", "qr", "csv", "dnsmasq", "nsupdate", "unbound", "powerdns", "octodns", "dnscontrol", "terraform"}
}

// NeedsZones reports whether a form says which zone each record belongs to.
func NeedsZones(format string) bool {
	return !slices.Contains([]string{"zone", "dnsmasq", "unbound", "qr"}, format)
}

// Write writes the records of domains in one form.
func Write(w io.Writer, in step.Input, domains []spec.Domain, list []Domain, format string) error {
	if format == "qr" {
		codes, err := qrText(list)
		if err == nil {
			_, err = w.Write(codes)
		}
		return err
	}
	blocks, ok := zoneBlocks(list, format)
	for i := 0; !ok && i < len(list); i++ {
		blocks = append(blocks, list[i].blocks(in, domains[i], format)...)
	}
	// nsupdate goes on with the server that was named last.
	slices.SortStableFunc(blocks, func(a, b block) int { return cmp.Compare(a.server, b.server) })
	for i, b := range blocks {
		if i > 0 && format != "plain" && format != "nsupdate" {
			b.text = append([]byte("\n"), b.text...)
		}
		if _, err := w.Write(b.text); err != nil {
			return err
		}
	}
	return nil
}

// block is the text of one domain or, where the form has zones, of one zone of it.
type block struct {
	server string // that an nsupdate script talks to
	text   []byte
}

// zoneBlocks returns the text of all domains where a form has each zone once, whichever
// domains have records there; ok is false for other forms.
func zoneBlocks(list []Domain, format string) (blocks []block, ok bool) {
	zones := byZone(list)
	one := func(text func(zoneRecords) []byte) ([]block, bool) {
		for _, z := range zones {
			blocks = append(blocks, block{text: text(z)})
		}
		return blocks, true
	}
	switch format {
	case "paste":
		return one(func(z zoneRecords) []byte { return paste(z, list[0].Servers[z.origin]) })
	case "csv":
		return []block{{text: csvText(zones)}}, true
	case "octodns":
		return one(octodns)
	case "dnscontrol":
		return one(dnscontrol)
	case "terraform":
		return []block{{text: terraform(zones)}}, true
	}
	return nil, false
}

func (d Domain) blocks(in step.Input, wish spec.Domain, format string) []block {
	all := make([]state.Record, 0, len(d.Records))
	zones := map[string]bool{}
	for _, r := range d.Records {
		all = append(all, r.Record)
		zones[r.Zone] = true
	}
	switch format {
	case "zone":
		return []block{{text: zonefile.Text(d.Domain, all)}}
	case "dnsmasq":
		return []block{{text: zonefile.Dnsmasq(d.Domain, all)}}
	case "unbound":
		return []block{{text: zonefile.Unbound(d.Domain, d.Domain+".", all)}}
	}
	var blocks []block
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		add, replaced := d.inZone(zone)
		b := block{}
		switch format {
		case "plain":
			b.text = []byte("# zone " + dnsname.TrimDot(zone) + "\n" + zonefile.Plain(add, zone))
		case "nsupdate":
			b.server = updateServer(in, wish, zone)
			b.text = zonefile.Nsupdate(d.Domain, zone, b.server, add, replaced)
		case "powerdns":
			b.text = zonefile.PowerDNS(d.Domain, zone, add)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// inZone returns the records of one zone, and those whose place they take.
func (d Domain) inZone(zone string) (add, replaced []state.Record) {
	for _, r := range d.Records {
		if r.Zone != zone {
			continue
		}
		add, replaced = append(add, r.Record), append(replaced, r.replaced()...)
	}
	return add, replaced
}
