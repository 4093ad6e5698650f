package steps

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// FragmentDir holds the parts of zones that are ours. named may read all of
// /etc/bind, also under Debian's AppArmor profile.
const FragmentDir state.Path = "/etc/bind/mailsetup"

const namedConf state.Path = "/etc/bind/named.conf.local"

// pendingStamp stands for the stamp of a fragment whose key is not made yet.
const pendingStamp = "--------"

// Zone publishes the records in the BIND of this machine: a fragment of ours,
// one $INCLUDE line in the administrator's file, a higher serial.
func Zone(in Input) (state.Stage, []state.Note, error) {
	if in.Spec.Host.DNS != spec.DNSBind {
		return state.Stage{}, append(manualDNS(in), leftBehind(in)...), nil
	}
	parts, notes, err := fragments(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := state.Stage{}
	var served []state.Probe
	for _, origin := range slices.Sorted(maps.Keys(parts)) {
		addZone(&stage, in, parts[origin])
		served = append(served, state.Probe{
			Kind: state.ProbeServed, Address: cmp.Or(in.Facts.DNSAddress, "127.0.0.1:53"), Origin: origin,
			Records: parts[origin].want, Within: 30 * time.Second,
		})
	}
	if len(parts) > 0 {
		stage.Dirs = []state.Dir{{Path: FragmentDir, Mode: 0o755, Owner: bindReaders}}
		stage.Units = []state.Unit{{
			Name: "named.service", Action: state.Reload, Why: "serve the records",
			Settled: append([]state.Probe{{Kind: state.ProbeActive, Unit: "named.service"}}, served...),
		}}
	}
	return stage, notes, nil
}

// part is what one zone gets: the records it lacks.
type part struct {
	zone state.Zone
	make *state.NewZone // the zone is made on request
	ours []state.Record // what our fragment holds
	want []state.Record // what must be served in the end
	keys bool           // a public key is still to be made
}

// included reports whether the zone takes in a fragment of ours already: it is
// then emptied rather than left to repeat what the zone has.
func (p *part) included() bool {
	return bytes.Contains(p.zone.Content, []byte(p.fragment()))
}

func (p *part) fragment() state.Path {
	return FragmentDir.Join(strings.TrimSuffix(p.zone.Origin, ".") + ".zone")
}

// fragments sorts every record that is needed into the zone that holds its
// name and leaves out what the zone has already.
func fragments(in Input) (map[string]*part, []state.Note, error) {
	parts := map[string]*part{}
	var notes []state.Note
	seen := map[state.Record]bool{}
	for _, d := range in.Spec.Domains {
		for _, r := range records(in, d) {
			if seen[r] {
				continue
			}
			seen[r] = true
			p, err := partFor(in, d, r.Name, parts)
			if err != nil {
				return nil, nil, err
			}
			if p == nil {
				notes = append(notes, elsewhere(r))
				continue
			}
			note, err := p.add(r)
			if err != nil {
				return nil, nil, err
			}
			notes = append(notes, note...)
		}
	}
	maps.DeleteFunc(parts, func(_ string, p *part) bool { return len(p.ours) == 0 && !p.included() })
	return parts, notes, nil
}

// partFor finds the zone for a name. A domain without a zone here is an error;
// a host name without one lives in somebody else's DNS.
func partFor(in Input, d spec.Domain, name string, parts map[string]*part) (*part, error) {
	zone, ok := closest(in.Facts.Zones, name)
	if !ok {
		origin := d.Name + "."
		if !within(name, origin) {
			return nil, nil
		}
		if !d.NewZone {
			return nil, refuse("--dns-new-zone makes the zone here; --dns manual prints the records, those of all domains of this server",
				"no zone here holds %s", strings.TrimSuffix(name, "."))
		}
		zone = state.Zone{Origin: origin, Kind: "primary", File: FragmentDir.Join("db." + d.Name)}
	}
	if zone.Problem != "" && !within(name, d.Name+".") {
		return nil, nil
	}
	if zone.Problem != "" {
		return nil, refuse("--dns manual prints the records instead", "zone %s: %s", zone.Origin, zone.Problem)
	}
	if p := parts[zone.Origin]; p != nil {
		return p, nil
	}
	p := &part{zone: zone}
	if !ok || zone.File == FragmentDir.Join("db."+d.Name) {
		var err error
		if p.make, err = newZone(in.Spec.Host, d); err != nil {
			return nil, err
		}
	}
	parts[zone.Origin] = p
	return p, nil
}

// newZone starts a zone. Of the names inside it only the host's own gets an
// address, and named refuses a name server without one.
func newZone(h spec.Host, d spec.Domain) (*state.NewZone, error) {
	z := &state.NewZone{Hostmaster: "hostmaster." + d.Name + ".", TTL: d.TTL}
	for _, ns := range d.NS {
		if within(ns, d.Name) && (ns != h.Hostname || d.Name != h.Domain) {
			return nil, refuse("name this host ("+h.Hostname+"), or name servers outside of "+d.Name,
				"name server %s is inside the new zone, which has no address for it", ns)
		}
		z.NS = append(z.NS, ns+".")
	}
	if len(z.NS) == 0 {
		z.NS = []string{h.Hostname + "."}
	}
	return z, nil
}

// closest is the zone with the longest origin at or above the name, if that
// zone holds the name rather than delegating it to others.
func closest(zones []state.Zone, name string) (state.Zone, bool) {
	var best state.Zone
	for _, z := range zones {
		if within(name, z.Origin) && len(z.Origin) > len(best.Origin) {
			best = z
		}
	}
	return best, best.Origin != "" && best.Holds(name)
}

// addZone puts one zone's fragment and the edits that include it into the
// stage.
func addZone(stage *state.Stage, in Input, p *part) {
	origin := strings.TrimSuffix(p.zone.Origin, ".")
	fragment := p.fragment()
	text := zonefile.Fragment(origin, p.ours)
	stamp := zonefile.Stamp(text)
	if p.keys {
		stamp = pendingStamp
	}
	stage.Files = append(stage.Files, state.File{
		Path: fragment, Mode: 0o644, Owner: bindReaders, Content: text,
		Why: "the records of " + origin + " that its zone lacks",
	})
	stage.Edits = append(stage.Edits, state.ZoneEdit{
		Path: p.zone.File, Origin: p.zone.Origin, Include: fragment, Stamp: stamp, New: p.make, Now: in.Now,
		Reason: "take the fragment in, with a higher serial",
	})
	if p.make != nil {
		stage.Edits = append(stage.Edits, state.NamedEdit{
			Path: namedConf, Origin: origin, File: p.zone.File, Reason: "serve the new zone " + origin,
		})
		stage.Validators = append(stage.Validators, state.Validator{
			Name: "named-checkconf",
			Argv: func(scratch func(state.Path) string) []string {
				return []string{"named-checkconf", scratch(namedConf)}
			},
		})
	}
	file := p.zone.File
	stage.Validators = append(stage.Validators, state.Validator{
		Name: "named-checkzone " + origin, Needs: []state.Path{file, fragment},
		Argv: func(scratch func(state.Path) string) []string {
			return []string{"named-checkzone", "-i", "local", "-w", "/var/cache/bind", origin, scratch(file)}
		},
	})
}

// add puts one record into the part, unless the zone has its RRset already: a
// second SPF or DMARC record would be a permanent error.
func (p *part) add(r state.Record) ([]state.Note, error) {
	there := p.having(r)
	for _, x := range p.zone.Records {
		if x.Type == "CNAME" && sameName(x.Name, r.Name) {
			return nil, refuse("remove the CNAME, or use another name",
				"zone %s: %s is a CNAME, so it cannot have %s", p.zone.Origin, x.Name, r.Type)
		}
	}
	switch {
	case len(there) == 0:
		r.TTL = p.ttl(r)
		p.ours = append(p.ours, r)
		p.want = append(p.want, r)
		p.keys = p.keys || strings.Contains(r.Value, keyring.Placeholder)
		return nil, nil
	case slices.ContainsFunc(there, func(x state.Record) bool { return sameValue(x, r) }):
		return nil, nil
	default:
		return []state.Note{differs(r, there)}, nil
	}
}

// having are the records of the zone that stand where r would.
func (p *part) having(r state.Record) []state.Record {
	var there []state.Record
	for _, x := range p.zone.Records {
		if sameName(x.Name, r.Name) && x.Type == r.Type && purpose(x) == purpose(r) {
			there = append(there, x)
		}
	}
	return there
}

// purpose tells the TXT records of one name apart by their version tag: an SPF
// record and a site verification may stand side by side.
func purpose(r state.Record) string {
	if r.Type != "TXT" {
		return ""
	}
	v, _, _ := strings.Cut(strings.ToLower(r.Value), " ")
	v, _, _ = strings.Cut(v, ";")
	return v
}

// ttl is that of the RRset which r joins (RFC 2181 section 5.2), else its own.
func (p *part) ttl(r state.Record) uint32 {
	for _, x := range p.zone.Records {
		if sameName(x.Name, r.Name) && x.Type == r.Type {
			return x.TTL
		}
	}
	return r.TTL
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// sameValue compares host names and addresses in any case, texts to the letter.
func sameValue(a, b state.Record) bool {
	return a.Value == b.Value || a.Type != "TXT" && strings.EqualFold(a.Value, b.Value)
}

func differs(r state.Record, there []state.Record) state.Note {
	have := make([]string, 0, len(there))
	for _, x := range there {
		have = append(have, x.Value)
	}
	return state.Note{
		Topic: "dns",
		Text: fmt.Sprintf("%s %s is yours and stays as it is: %s",
			strings.TrimSuffix(r.Name, "."), r.Type, strings.Join(have, " and ")),
		Do: fmt.Sprintf("consider %s", r.Value),
	}
}

func elsewhere(r state.Record) state.Note {
	return state.Note{
		Topic: "dns",
		Text:  fmt.Sprintf("no zone here holds %s: see that its DNS has", strings.TrimSuffix(r.Name, ".")),
		Do:    fmt.Sprintf("%s %s %s", r.Name, r.Type, zonefile.Rdata(r)),
	}
}
