// Package zones finds the DNS zones of a machine, what they hold, and what keeps their files from being edited.
package zones

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	printed  = "--dns manual prints the records instead"
	orManual = "or --dns manual"
)

// Find lists the zones of the local BIND; of several with one name, the usable ones
// come first. If named.conf cannot be read, the list is one zone "." with a Problem: it
// is above every name.
func Find(ctx context.Context, s source.Source, o source.Options, f *state.Facts) error {
	if o.WithoutZones || !f.Installed["bind9"] || f.DNS != state.BIND && f.DNS != state.NoDNSServer {
		return nil
	}
	status, err := s.Status(ctx, NamedUnit)
	if err != nil {
		return fmt.Errorf("look at unit %s: %w", NamedUnit, err)
	}
	conf, started, problem, hint := readConfig(ctx, s, status, o.NamedConf)
	if problem != "" {
		f.Zones = []state.Zone{{Origin: ".", Problem: problem, Hint: hint}}
		return nil
	}
	f.NewZoneProblem = started.newZoneProblem()
	found := conf.zones()
	found = markConflicts(append(found, addedZones(ctx, s, conf, found, o.Origins)...))
	markStopped(s, status, found)
	matters := withAncestors(o.Origins)
	// A program reads each of them, on a processor of its own.
	err = parallel.Do(len(found), runtime.GOMAXPROCS(0), func(i int) error {
		z := &found[i]
		z.NotLoaded = z.Problem == "" && !isAtOrAbove(z.Origin, matters)
		if z.Problem != "" || z.NotLoaded {
			return nil
		}
		return load(ctx, s, o, conf.directory, z)
	})
	if err != nil {
		return err
	}
	list := make([]state.Zone, len(found))
	for i, z := range found {
		list[i] = z.Zone
	}
	f.Zones = state.SortZones(list)
	return nil
}

// markStopped marks the zones of a BIND that does not run or cannot answer: nobody could
// see that it serves new records.
func markStopped(r system.Reader, status system.UnitStatus, list []zoneConfig) {
	problem, hint := "", ""
	switch {
	case source.Suspended(r, status):
		problem = fmt.Sprintf("BIND does not answer: somebody stopped its process %d (SIGSTOP)", status.PID)
		hint = "systemctl kill -s CONT named; " + orManual
	case status.Load != "not-found" && (status.Active == "inactive" || status.Active == "failed"):
		problem = fmt.Sprintf("BIND does not run: %s is %s", NamedUnit, status.Active)
		hint = "journalctl -u named, then systemctl start named; " + orManual
	}
	for i := range list {
		if problem != "" && list[i].Problem == "" {
			list[i].Problem, list[i].Hint = problem, hint
		}
	}
}

// withoutWarnings removes lines FILE:LINE: TEXT, which named-checkconf mixes with the
// configuration on its standard output.
func withoutWarnings(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		file, rest, ok := strings.Cut(line, ":")
		number, _, more := strings.Cut(rest, ":")
		if ok && more && !strings.ContainsAny(file, " \t\"{};") && number != "" && strings.Trim(number, "0123456789") == "" {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// markConflicts marks zones that conflict with each other, and puts the usable ones
// first.
func markConflicts(list []zoneConfig) []zoneConfig {
	markSplitViews(list)
	markSharedFiles(list)
	usableFirst(list)
	return list
}

func usableFirst(list []zoneConfig) {
	slices.SortStableFunc(list, func(a, b zoneConfig) int {
		switch {
		case a.Problem == "" && b.Problem != "":
			return -1
		case a.Problem != "" && b.Problem == "":
			return 1
		}
		return 0
	})
}

// markSplitViews marks primary zones that several views have with different files:
// which one the world sees is not for us to guess. A view that forwards or transfers
// the zone does not count.
func markSplitViews(list []zoneConfig) {
	first, others := make(map[string]*zoneConfig, len(list)), map[string][]*zoneConfig{}
	for i := range list {
		z := &list[i]
		if z.Kind != "primary" || z.File == "" {
			continue
		}
		one := first[z.Origin]
		switch {
		case one == nil:
			first[z.Origin] = z
		case one.File != z.File && !slices.ContainsFunc(others[z.Origin], func(o *zoneConfig) bool { return o.File == z.File }):
			others[z.Origin] = append(others[z.Origin], z)
		}
	}
	if len(others) == 0 { // among ten thousand zones
		return
	}
	for i := range list {
		z := &list[i]
		if n := len(others[z.Origin]); n > 0 && z.Problem == "" {
			files := fmt.Sprintf("%s (view %s)", first[z.Origin].File, first[z.Origin].View)
			for _, o := range others[z.Origin] {
				files += fmt.Sprintf(", %s (view %s)", o.File, o.View)
			}
			z.Problem = fmt.Sprintf("%s views have it, each with a file of its own: %s", count(n+1), files)
			z.Hint = "--dns manual prints the records, to be put into each of them"
		}
	}
}

func count(n int) string {
	if n == 2 {
		return "two"
	}
	return fmt.Sprint(n)
}

// markSharedFiles marks zones whose file is also that of another zone: BIND would read
// what is added for one of them in the other.
func markSharedFiles(list []zoneConfig) {
	readers := map[state.Path][]string{} // two for a file: of any zone, there is another one
	for _, z := range list {
		if z.Kind == "primary" && z.File != "" && len(readers[z.File]) < 2 && !slices.Contains(readers[z.File], z.Origin) {
			readers[z.File] = append(readers[z.File], z.Origin)
		}
	}
	for i := range list {
		z := &list[i]
		for _, other := range readers[z.File] {
			if other == z.Origin || z.Problem != "" || z.Kind != "primary" {
				continue
			}
			name := dnsname.TrimDot(z.Origin)
			z.Problem = fmt.Sprintf("its file %s is also that of %s", z.File, dnsname.TrimDot(other))
			z.Hint = fmt.Sprintf("give it a file of its own: cp %s %s.%s, name that in named.conf, rndc reconfig; %s", z.File, z.File, name, orManual)
		}
	}
}

// isAtOrAbove reports whether the zone is at or above one of the names, or holds only
// the keys or policies of such a zone.
func isAtOrAbove(origin string, upward map[string]bool) bool {
	origin = parentDomain(origin)
	return upward[dnsname.TrimDot(origin)] || origin == "." && len(upward) > 0
}

// parentDomain returns the domain of a zone that is _domainkey or _dmarc below it; for
// any other zone, its origin.
func parentDomain(origin string) string {
	for _, label := range []string{"._domainkey.", "._dmarc."} {
		if _, domain, found := strings.Cut("."+origin, label); found {
			return domain
		}
	}
	return origin
}
