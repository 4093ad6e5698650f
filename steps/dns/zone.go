// Package dns publishes records: in the zones of the BIND of this machine, by
// dynamic updates, or printed for whoever runs the DNS.
package dns

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/edits"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// FragmentDir holds the parts of zones that are ours. named may read all of
// /etc/bind, also under Debian's AppArmor profile.
const FragmentDir state.Path = "/etc/bind/mailsetup"

const namedConf state.Path = "/etc/bind/named.conf.local"

// FragmentStamp returns the stamp of a fragment in the $INCLUDE line. For a fragment
// with a placeholder key it is marked as provisional, and still differs between such
// fragments: a run may write two of them one after the other, and each changes the
// zone.
func FragmentStamp(text []byte) string {
	stamp := zonefile.Stamp(text)
	if bytes.Contains(text, []byte(keyring.Placeholder)) {
		stamp = "--" + stamp[2:]
	}
	return stamp
}

// Publish publishes the records: in files of the BIND of this machine, and by
// dynamic updates.
func Publish(in step.Input) (state.Stage, []state.Note, error) {
	stage, notes, err := zoneFiles(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	more, err := publishUpdates(in, &stage)
	if err != nil {
		return state.Stage{}, nil, err
	}
	return stage, slices.Concat(printedRecords(in), notes, more, removalNotes(in)), nil
}

// zoneFiles changes the zones of this machine's BIND: each gets a fragment of ours, one
// $INCLUDE line in the administrator's file, and a higher serial.
func zoneFiles(in step.Input) (state.Stage, []state.Note, error) {
	if !usesMode(in, spec.DNSBind) && !consentsToReports(in) && len(in.Leaving()) == 0 && len(in.Keys.Withdraw) == 0 {
		return state.Stage{}, leftoverFragments(in), nil
	}
	if !in.Scope.WholeHost() && usesMode(in, spec.DNSBind) && !in.Facts.Installed["bind9"] {
		return state.Stage{}, nil, step.Refuse("mailsetup init --dns bind installs it; --dns manual prints the records", "BIND is not installed here")
	}
	if err := records.OtherNameServer(in); err != nil && usesMode(in, spec.DNSBind) {
		return state.Stage{}, nil, err
	}
	others := notPublishedBy(in, spec.DNSBind)
	parts, notes, err := zoneChanges(in, others)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage, named := state.Stage{}, &namedStage{in: in, why: "serve the records"}
	var made, abandoned []state.NamedZone
	for _, origin := range slices.Sorted(maps.Keys(parts)) {
		p := parts[origin]
		if p.isAbandoned(in) {
			stage.Remove = append(stage.Remove, p.fragment())
			stage.Discard = append(stage.Discard, p.zone.File)
			abandoned = append(abandoned, p.statement())
			named.dropZone(p)
			continue
		}
		if addZone(&stage, in, p); p.create != nil {
			made = append(made, p.statement())
		}
		named.changeZone(p, p.want, p.notServed)
	}
	declareZones(&stage, made, abandoned)
	named.finish(&stage)
	return stage, append(notes, leftoverRecords(in, others)...), nil
}

// usesMode reports whether the records of some domain of this run get published in that
// mode.
func usesMode(in step.Input, mode spec.DNSMode) bool {
	for d := range in.Scope.Domains(in.Spec) {
		if in.Spec.DNSOf(d) == mode || mode == records.SlotMode(in.Spec) && records.UsesSlots(in, d) || mode == spec.DNSBind && records.Delegates(in.Spec, d) {
			return true
		}
	}
	return false
}

// consentsToReports reports whether zones here consent to reports about a domain of
// this run.
func consentsToReports(in step.Input) bool {
	for d := range in.Scope.Domains(in.Spec) {
		if len(records.ReportConsents(in, d)) > 0 {
			return true
		}
	}
	return false
}

// served returns the probe whether the name server serves some records of the zone, and
// others no longer.
func (p *zoneChange) served(in step.Input, want, gone []state.Record) state.Probe {
	probe := state.Probe{
		Kind: state.ProbeServed, Address: cmp.Or(in.Facts.DNSAddress, "127.0.0.1:53"), Origin: p.zone.Origin,
		Records: want, Gone: slices.DeleteFunc(slices.Clone(gone), p.wildcardAnswers), Within: 30 * time.Second,
	}
	if p.zone.View != "" {
		probe.View, probe.File = p.zone.View, p.zone.File
	}
	return probe
}

// wildcardAnswers reports whether a wildcard of the zone has the same data as a record,
// so that it is served under its name even without it.
func (p *zoneChange) wildcardAnswers(r state.Record) bool {
	return slices.ContainsFunc(p.zone.Records, func(w state.Record) bool {
		below, is := strings.CutPrefix(w.Name, "*.")
		w.Name = r.Name
		return is && dnsname.Within(r.Name, below) && state.Same(w, r)
	})
}

// addZone adds one zone's fragment, the edit that includes it and those of the zone's
// own records to the stage.
func addZone(stage *state.Stage, in step.Input, p *zoneChange) {
	origin, file := dnsname.TrimDot(p.zone.Origin), p.zone.File
	edit := state.ZoneEdit{
		Path: file, Origin: p.zone.Origin, New: p.create, Now: in.Now, Replace: p.replace, Reason: p.reason(),
	}
	switch {
	case len(p.ours) == 0 && p.included() && !in.Scope.WholeHost():
		edit.Include, edit.Drop = p.fragment(), true
		stage.Remove = append(stage.Remove, edit.Include)
	case len(p.ours) > 0 || p.included():
		content := zonefile.Fragment(origin, p.ours, p.copies...)
		edit.Include, edit.Stamp = p.fragment(), FragmentStamp(content)
		stage.Dirs = []state.Dir{{Path: FragmentDir, Mode: 0o755, Owner: bindReaders}}
		stage.Files = append(stage.Files, state.File{
			Path: edit.Include, Mode: 0o644, Owner: bindReaders, Content: content,
			Why: "the records of " + origin + " that its zone lacks",
		})
	}
	stage.Edits = append(stage.Edits, edit)
	stage.Questions = append(stage.Questions, in.Unanswered(p.questions...)...)
}

// declareZones changes which zones BIND has.
func declareZones(stage *state.Stage, made, abandoned []state.NamedZone) {
	if len(made)+len(abandoned) == 0 {
		return
	}
	if len(made) > 0 {
		why := "serve the new zone " + made[0].Origin
		if len(made) > 1 {
			why = "serve the new zones " + listed(made)
		}
		stage.Edits = append(stage.Edits, state.NamedEdit{Path: namedConf, Zones: made, Reason: why})
	}
	if len(abandoned) > 0 {
		why := "no longer serve " + abandoned[0].Origin + ", a zone that mailsetup made and nobody else filled"
		if len(abandoned) > 1 {
			why = "no longer serve " + listed(abandoned) + ", zones that mailsetup made and nobody else filled"
		}
		stage.Edits = append(stage.Edits, state.NamedEdit{Path: namedConf, Zones: abandoned, Drop: true, Reason: why})
	}
}

// listed returns the names of zones, of many the first ones.
func listed(zones []state.NamedZone) string {
	var names []string
	for _, z := range zones {
		names = append(names, z.Origin)
	}
	return text.List(names, 3)
}

// statement is that of the zone in named.conf.
func (p *zoneChange) statement() state.NamedZone {
	return state.NamedZone{Origin: dnsname.TrimDot(p.zone.Origin), File: p.zone.File}
}

// isAbandoned reports whether the zone was made on request for a leaving domain, and
// has nothing but what it was made with.
func (p *zoneChange) isAbandoned(in step.Input) bool {
	origin := dnsname.TrimDot(p.zone.Origin)
	statement := edits.ZoneStatement(p.statement())
	if len(p.ours) > 0 || in.Has(origin) || p.zone.File != FragmentDir.Join("db."+origin) ||
		!bytes.Contains(in.Facts.Files[namedConf], []byte(statement)) {
		return false
	}
	return !slices.ContainsFunc(p.zone.Records, func(r state.Record) bool {
		return r.Type != "SOA" && r.Type != "NS" || !dnsname.Same(r.Name, p.zone.Origin)
	})
}

// reason says what changes in the zone's own file.
func (p *zoneChange) reason() string {
	switch {
	case len(p.ours) == 0 && p.included() && len(p.replace) == 0:
		return "no longer take the fragment in; a higher serial"
	case len(p.replace) == 0:
		return "take the fragment in, with a higher serial"
	case len(p.ours) == 0:
		return "change records where they stand, with a higher serial"
	}
	return "change records where they stand and take the fragment in, with a higher serial"
}
