package dns

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// UpdateRequest are the records that a domain publishes by dynamic updates (RFC 2136) or
// by a hook.
type UpdateRequest struct {
	Domain  string
	Update  spec.Update
	Records []state.Record
}

// UpdateRequests returns the update requests of the domains in the scope.
func UpdateRequests(in step.Input) []UpdateRequest {
	var list []UpdateRequest
	for d := range in.Scope.Domains(in.Spec) {
		update := in.Spec.UpdateOf(d)
		if !in.Spec.DNSOf(d).Updates() {
			update = in.Spec.Host.Update // of its slots
			update.Hook = ""
		}
		if rrs := records.By(in, d, spec.DNSUpdate); len(rrs) > 0 {
			list = append(list, UpdateRequest{d.Name, update, rrs})
		}
	}
	return list
}

// publishUpdates adds the changes of zones that take dynamic updates to the stage.
func publishUpdates(in step.Input, stage *state.Stage) ([]state.Note, error) {
	parts, notes, err := updateChanges(in)
	others := notPublishedBy(in, spec.DNSUpdate)
	for _, p := range parts {
		notes = append(notes, p.largeAnswers()...)
		more, lost := p.update(in, others, stage)
		notes, err = append(notes, more...), cmp.Or(err, lost)
	}
	return append(notes, leftoverUpdates(in)...), err
}

// updateChanges returns the change of every zone that takes updates.
func updateChanges(in step.Input) ([]*zoneChange, []state.Note, error) {
	parts := map[string]*zoneChange{}
	var list []*zoneChange
	for _, zone := range in.Facts.Updated {
		parts[zone.Origin] = &zoneChange{zone: zone}
		list = append(list, parts[zone.Origin])
	}
	var notes []state.Note
	failed, seen := state.DomainErrors{}, map[state.Record]bool{}
	for d := range in.Scope.Domains(in.Spec) {
		for _, r := range records.By(in, d, spec.DNSUpdate) {
			if seen[r] {
				continue
			}
			seen[r] = true
			more, err := addUpdate(in, d, r, parts)
			if err != nil {
				failed[d.Name] = err
				break
			}
			notes = append(notes, more...)
		}
	}
	return list, notes, failed.Err()
}

// addUpdate finds the zone for a record of a domain and compares it with what is there.
func addUpdate(in step.Input, d spec.Domain, r state.Record, parts map[string]*zoneChange) ([]state.Note, error) {
	zone, ok := in.Facts.Updated.Closest(r.Name)
	if !ok {
		origin := d.Name + "."
		if records.InSlot(d.Name, r) {
			return nil, step.Refuse("have the primary take updates for it with the key of [rfc2136] in host.toml",
				"no zone that takes updates holds %s", dnsname.TrimDot(r.Name))
		}
		if _, own := in.Facts.Updated.Closest(origin); own || !dnsname.Within(r.Name, origin) {
			if err := keyDelegated(d, r, zone); err != nil {
				return nil, err
			}
			return []state.Note{elsewhereNote(r)}, nil
		}
		if in.Spec.DNSOf(d) == spec.DNSHook {
			return nil, step.Refuse("let it change the zone; --dns manual prints the records",
				"the hook %s has no zone with %s", in.Spec.UpdateOf(d).Hook, dnsname.TrimDot(r.Name))
		}
		return nil, step.Refuse("--rfc2136-server names the primary; --dns manual prints the records",
			"the name server that was asked has no zone with %s", dnsname.TrimDot(r.Name))
	}
	return parts[zone.Origin].add(in, d, r)
}

// update adds what the zone lacks of our records, and removes those that are no longer
// wanted, together with what a consent replaces. It saves which records are ours now,
// since the zone does not tell.
func (p *zoneChange) update(in step.Input, others publishedElsewhere, stage *state.Stage) ([]state.Note, error) {
	z := p.zone
	ours := append(slices.Clone(p.ours), notCompared(in, z, others)...)
	notes, err := p.copyWildcards(in, ours)
	if err != nil {
		return nil, err
	}
	ours = append(ours, p.copies...)
	u := state.Update{
		Origin: z.Origin, Server: z.Update.Server, KeyFile: z.Update.KeyFile,
		Add: missingFrom(ours, z.Update.OurRecords), Remove: missingFrom(z.Update.OurRecords, ours),
	}
	if z.Update.KeyFile != "" {
		u.Why = "signed with the key in " + string(z.Update.KeyFile)
	}
	for _, r := range p.replace {
		u.Add, u.Remove = append(u.Add, r.New), append(u.Remove, r.Old)
	}
	for _, x := range slices.Concat(z.Records, z.Update.OurRecords) {
		if slices.ContainsFunc(slices.Concat(u.Add, u.Remove), func(r state.Record) bool { return state.SameSet(r, x) }) {
			u.Expected = append(u.Expected, x)
		}
	}
	stage.Updates = append(stage.Updates, u)
	stage.Questions = append(stage.Questions, in.Unanswered(p.questions...)...)
	p.saveOurRecords(stage, ours)
	return notes, nil
}

// saveOurRecords saves which records of the zone are ours.
func (p *zoneChange) saveOurRecords(stage *state.Stage, ours []state.Record) {
	z, file := p.zone, state.PublishedFile(p.zone.Origin)
	if len(ours) == 0 {
		stage.Remove = append(stage.Remove, file)
		return
	}
	if !slices.ContainsFunc(stage.Dirs, func(d state.Dir) bool { return d.Path == file.Dir() }) {
		stage.Dirs = append(stage.Dirs, state.Dir{Path: file.Dir(), Mode: 0o700, Owner: state.Root})
	}
	memory := state.Published{Origin: z.Origin, Server: z.Update.Server, KeyFile: z.Update.KeyFile, Records: sorted(ours), Copies: sorted(p.copies)}
	stage.Files = append(stage.Files, state.File{
		Path: file, Mode: 0o600, Owner: state.Root, Content: memory.Marshal(), Why: "which records of " + dnsname.TrimDot(z.Origin) + " are ours",
	})
}

// leftoverUpdates returns notes about records from when a domain was published by
// updates. Nothing removes them here: mail that a key of theirs signed may still be in
// a queue, so the administrator chooses the moment.
func leftoverUpdates(in step.Input) []state.Note {
	var notes []state.Note
	for _, p := range in.Facts.Published {
		for d := range in.Scope.Domains(in.Spec) {
			list := slices.DeleteFunc(slices.Clone(p.Records), func(r state.Record) bool { return !dnsname.Within(r.Name, d.Name+".") })
			if len(list) == 0 || in.Spec.DNSOf(d).Updates() {
				continue
			}
			note := state.Note{
				Topic: "dns",
				Text: fmt.Sprintf("the zone %s on %s still has %d records of %s that were put there by updates and are no longer kept up to date",
					dnsname.TrimDot(p.Origin), strings.TrimSuffix(p.Server, ":53"), len(list), d.Name),
				Action: "once the records are elsewhere: take them out with nsupdate -k " + string(p.KeyFile),
			}
			if _, is := state.Hook(p.Server); is {
				note.Action = "once the records are elsewhere: take them out at the provider"
			}
			notes = append(notes, note)
		}
	}
	return notes
}

// missingFrom returns the records of list that other does not have, TTL included.
func missingFrom(list, other []state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(list), func(r state.Record) bool {
		return slices.ContainsFunc(other, func(x state.Record) bool { return state.Same(x, r) && x.TTL == r.TTL })
	})
}

func sorted(list []state.Record) []state.Record {
	list = slices.SortedFunc(slices.Values(list), func(a, b state.Record) int {
		return strings.Compare(a.Name+" "+a.Type+" "+a.Value, b.Name+" "+b.Type+" "+b.Value)
	})
	return slices.Compact(list)
}

// asLine returns a record as a line of a zone file.
func asLine(r state.Record) string {
	return fmt.Sprintf("%s %d IN %s %s", r.Name, r.TTL, r.Type, strings.Join(strings.Fields(zonefile.Rdata(r)), " "))
}

// location names the zone's file, or its primary, for messages.
func location(z state.Zone) string {
	if z.Update != nil {
		return fmt.Sprintf("the zone %s on %s", dnsname.TrimDot(z.Origin), strings.TrimSuffix(z.Update.Server, ":53"))
	}
	return string(z.File)
}
