package dns

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// namedStage makes the unit and the validators of a stage that changes zones of BIND.
// What BIND reads, what checks it and what proves it is about the zones that change.
type namedStage struct {
	in    step.Input
	why   string
	zones []stageZone
}

// stageZone is one zone of the stage.
type stageZone struct {
	*zoneChange
	gone         bool           // BIND loses it
	serves, lost []state.Record // what BIND serves after the change, and no longer
}

// changeZone adds a zone whose file changes, with what BIND serves then, and no longer.
func (s *namedStage) changeZone(p *zoneChange, serves, lost []state.Record) {
	s.zones = append(s.zones, stageZone{p, false, serves, lost})
}

// dropZone adds a zone that BIND loses.
func (s *namedStage) dropZone(p *zoneChange) {
	s.zones = append(s.zones, stageZone{zoneChange: p, gone: true})
}

// finish sets the unit and the validators.
func (s *namedStage) finish(stage *state.Stage) {
	if len(s.zones) == 0 {
		return
	}
	stage.Units, stage.Validators = s.of(func(state.Path) bool { return true })
	stage.Only = s.of
}

// of returns the unit and the validators for the paths that change.
func (s *namedStage) of(changes func(state.Path) bool) ([]state.Unit, []state.Validator) {
	unit := state.Unit{Name: "named.service", Action: state.Reload, Why: s.why}
	var changed []stageZone
	list := false
	for _, z := range s.zones {
		listed := (z.create != nil || z.gone) && changes(namedConf)
		if list = list || listed; listed || changes(z.zone.File) || changes(z.fragment()) {
			changed = append(changed, z)
		}
	}
	unit.Probes, unit.UndoProbes = make([]state.Probe, 0, len(changed)), make([]state.Probe, 0, len(changed))
	for _, z := range changed {
		if !z.gone {
			unit.Probes = append(unit.Probes, z.served(s.in, z.serves, z.lost))
			unit.UndoProbes = append(unit.UndoProbes, z.served(s.in, z.lost, z.serves))
		}
	}
	if !slices.ContainsFunc(unit.Probes, func(p state.Probe) bool { return len(p.Records)+len(p.Gone) > 0 }) { // no answer will tell
		unit.Probes = append([]state.Probe{{Kind: state.ProbeActive, Unit: unit.Name}}, unit.Probes...)
	}
	unit.Zones = s.reload(changed, list)
	validators := checkZones(changed)
	if list {
		validators = append(validators, state.Validator{
			Name: "named-checkconf",
			Argv: func(scratch func(state.Path) string) []string {
				return []string{"named-checkconf", scratch(namedConf)}
			},
		})
	}
	return []state.Unit{unit}, validators
}

// reload returns the zones that BIND is told of, nil where it takes less to have it look
// at all of them: rndc(8) takes 15 ms of a processor for each command, and BIND 10 ms and
// 0.03 ms for each of its zones to read its configuration, while it answers nobody.
// Measured with BIND 9.18 and 9.20 and 10 to 10,000 zones.
func (s *namedStage) reload(changed []stageZone, list bool) *state.ZoneReload {
	reload := &state.ZoneReload{List: list}
	for _, z := range changed {
		for _, x := range s.in.Facts.Zones.Named(z.zone.Origin) {
			if !z.gone && x.Kind == "primary" {
				reload.Zones = append(reload.Zones, state.ZoneInView{Origin: x.Origin, View: x.View})
			}
		}
	}
	if len(reload.Zones) > 2+len(s.in.Facts.Zones)/500 {
		return nil
	}
	return reload
}

// checkZones returns the validators of zones: for several of them one program that looks
// at all, since to start one takes two hundred times as long as to check a zone.
func checkZones(zones []stageZone) []state.Validator {
	var each []state.Validator
	var needs []state.Path
	files, text := map[string]*strings.Builder{}, true
	for _, z := range zones {
		if z.gone {
			continue
		}
		v := z.validator()
		each, needs = append(each, v), append(needs, v.Needs...)
		dir, origin := z.directory(), dnsname.TrimDot(z.zone.Origin)
		if files[dir] == nil {
			files[dir] = &strings.Builder{}
			fmt.Fprintf(files[dir], "options {\n\tdirectory \"%s\";\n\tdnssec-validation no;\n};\n", dir)
		}
		fmt.Fprintf(files[dir], "zone \"%s\" {\n\ttype primary;\n\tfile \"%s\";\n\tcheck-names %s;\n};\n", origin, z.zone.File, z.checkNames())
		text = text && !strings.ContainsAny(dir+origin+string(z.zone.File), "\"\\\n")
	}
	if len(each) < 2 || !text || len(files) > 1 {
		return each
	}
	dir := slices.Collect(maps.Keys(files))[0]
	conf := FragmentDir.Join(".check.conf")
	return []state.Validator{{
		Name: "named-checkconf -z", Needs: needs, Each: each, Input: map[state.Path][]byte{conf: []byte(files[dir].String())},
		Argv: func(scratch func(state.Path) string) []string {
			return []string{"named-checkconf", "-z", scratch(conf)}
		},
	}}
}

// directory is where relative names of files in the zone start from.
func (p *zoneChange) directory() string { return string(cmp.Or(p.zone.Dir, "/var/cache/bind")) } // Debian's

// checkNames is what becomes of names that are none of a host. named itself refuses them in
// a primary zone; an administrator may allow them for a zone, and a zone that is made here has none.
func (p *zoneChange) checkNames() string {
	if p.create != nil {
		return "fail"
	}
	return "ignore"
}

// validator checks the zone alone.
func (p *zoneChange) validator() state.Validator {
	origin, file, needs := dnsname.TrimDot(p.zone.Origin), p.zone.File, []state.Path{p.zone.File}
	if len(p.ours) > 0 || p.included() {
		needs = append(needs, p.fragment())
	}
	return state.Validator{
		Name: "named-checkzone " + origin, Needs: needs,
		Argv: func(scratch func(state.Path) string) []string {
			return []string{"named-checkzone", "-i", "local", "-k", p.checkNames(), "-w", p.directory(), origin, scratch(file)}
		},
	}
}
