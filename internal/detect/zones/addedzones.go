package zones

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// addedWithin bounds all questions to rndc, which waits a minute for a named that does
// not answer. With ten domains they take a tenth of a second.
const addedWithin = 20 * time.Second

// addedZones finds zones at or above the names that named added at run time: by rndc
// addzone, or from a catalog (RFC 9432). They are not in named.conf, so named itself is
// asked; where it does not run there are none.
func addedZones(ctx context.Context, s source.Source, conf *namedConfig, known []zoneConfig, names []string) []zoneConfig {
	var found []zoneConfig
	ctx, cancel := context.WithTimeout(ctx, addedWithin)
	defer cancel()
	for _, sc := range conf.scopes() {
		catalog, _ := sc.option("catalog-zones")
		allow, catalogs := yes(sc.value("allow-new-zones")), len(catalog.Words) > 0
		if !allow && !catalogs {
			continue
		}
		asked := withAncestors(names)
		for _, z := range known {
			if z.View == sc.view {
				delete(asked, dnsname.TrimDot(z.Origin))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(asked)) {
			if ctx.Err() != nil {
				return found
			}
			if z, ok := sc.zoneStatus(ctx, s, name, allow, catalogs); ok {
				found = append(found, z)
			}
		}
	}
	return found
}

// withAncestors returns the names and those above them, without the final dot.
func withAncestors(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		name = strings.ToLower(dnsname.TrimDot(name))
		for more := name != ""; more && !all[name]; _, name, more = strings.Cut(name, ".") {
			all[name] = true
		}
	}
	return all
}

// zoneStatus asks named about one zone, rndc(8).
func (s scope) zoneStatus(ctx context.Context, r system.Runner, name string, addable, catalogs bool) (zoneConfig, bool) {
	ask := func(command string) (system.Result, bool) {
		argv := []string{"rndc", command, name}
		if s.view != "" {
			argv = append(argv, "IN", s.view)
		}
		res, err := r.Run(ctx, system.Command{Argv: argv})
		return res, err == nil
	}
	if addable {
		if res, ok := ask("showzone"); ok && res.Code == 0 {
			if list, err := namedconf.Parse(string(res.Stdout)); err == nil && len(list) == 1 && list[0].Word(0) == "zone" {
				return s.describe(list[0]), true
			}
		}
	}
	if catalogs {
		res, ok := ask("zonestatus")
		if ok && (res.Code == 0 || strings.Contains(string(res.Stderr), "zone not loaded")) {
			return zoneConfig{Zone: state.Zone{
				Origin: name + ".", Kind: "secondary", View: s.view,
				Problem: "BIND has it from a catalog zone and is a secondary server for it: its records are made on the primary",
				Hint:    "run mailsetup there, or here with --dns manual, which prints the records",
			}}, true
		}
	}
	return zoneConfig{}, false
}
