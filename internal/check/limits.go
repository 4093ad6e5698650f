package check

import (
	"context"
	"slices"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/hint"
	"mailsetup/internal/text"
)

const (
	// lookTime bounds reading what a check looks at: 10,000 domains take two seconds.
	lookTime = 2 * time.Minute
	// groupTime bounds the checks of one domain, and each group of checks of the server,
	// which has more where there are many domains.
	groupTime = time.Minute
	// domainsTime and domainTime bound the checks of all domains: a resolver that is dead
	// must not cost each of thousands its time-outs.
	domainsTime, domainTime = 2 * time.Minute, 20 * time.Millisecond
	// patience is how long is waited beyond that for a group to take back what it has
	// begun. One that still reads then, as from a network file system that is gone, is left
	// behind.
	patience = 10 * time.Second
)

// sideBySide runs n pieces of work at the same time, and returns what they found. Those
// that do not end in time are late.
func sideBySide[T any](ctx context.Context, n int, work func(i int) T) (found []T, late []int) {
	type piece struct {
		i     int
		found T
	}
	ended := make(chan piece, n) // one that is late finds nobody waiting
	for i := range n {
		go func() { ended <- piece{i, work(i)} }()
		late = append(late, i)
	}
	hung := make(chan struct{})
	defer context.AfterFunc(ctx, func() { time.AfterFunc(patience, func() { close(hung) }) })()
	found = make([]T, n)
	for len(late) > 0 {
		select {
		case p := <-ended:
			found[p.i] = p.found
			late = slices.DeleteFunc(late, func(i int) bool { return i == p.i })
		case <-hung:
			return found, late
		}
	}
	return found, nil
}

// lookInTime is look, which is an error where it takes too long.
func (o Options) lookInTime(ctx context.Context, look func(ctx context.Context) (seen, error)) (seen, error) {
	limited, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	type looked struct {
		seen
		err error
	}
	found, late := sideBySide(limited, 1, func(int) looked { l, err := look(limited); return looked{l, err} })
	switch {
	case ctx.Err() != nil:
		return seen{}, ctx.Err()
	case len(late) > 0 || limited.Err() != nil:
		return seen{}, hint.New("look for a file system of another machine that does not answer: findmnt -t nfs4,nfs,cifs", "what is configured here could not be read within %v", lookTime)
	}
	return found[0].seen, found[0].err
}

// canLook reports whether a kind of finding of a group is asked for, and can be looked at.
func (o Options) canLook(g group, k finding.Kind, s subject.Server) bool {
	needs := k.Needs | g.needs
	return o.Wants(k.ID) && !(needs&finding.Resolver != 0 && o.Offline || needs&finding.Outside != 0 && !o.Online ||
		needs&finding.Root != 0 && s.Unprivileged || needs&finding.Setup != 0 && !s.SetUp)
}

// maxTyped is how many domains are named in a command.
const maxTyped = 5

// unlooked are the findings about what no time was left for: one for each kind that a
// group would have looked at, of the server, or of some of all domains.
func (o Options) unlooked(g group, kinds []finding.Kind, s subject.Server, domains []string) []finding.Finding {
	slices.Sort(domains)
	var list []finding.Finding
	for _, k := range kinds {
		if !o.canLook(g, k, s) {
			continue
		}
		f := finding.Finding{ID: k.ID, Severity: finding.Unknown, Seen: "there was no time left to look"}
		switch n := len(domains); {
		case n == 1:
			f.Domain = domains[0]
		case n > 1:
			f.Seen += " at " + text.Count(n, "domain") + ": " + text.List(domains, maxTyped)
		}
		words := []string{k.Group()}
		if len(domains) <= maxTyped {
			words = append(words, domains...)
		}
		f.Remedy = finding.Command("mailsetup check --only %s", words...)
		list = append(list, f)
	}
	return list
}
