package zones

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Primaries are name servers that are queried with TSIG, by several callers at a time;
// nsupdate.Session implements it.
type Primaries interface {
	Zone(ctx context.Context, server string, key nsupdate.Key, name string) (origin, primary string, err error)
	Records(ctx context.Context, server string, key nsupdate.Key, list []nsupdate.Question) ([]state.Record, error)
	Coverage(ctx context.Context, server string, key nsupdate.Key, origin string, names []string, ours []state.Record) (dnsclient.Coverage, error)
}

// UpdateRequest is a domain whose records go to a primary by dynamic updates (RFC
// 2136), or to a hook.
type UpdateRequest struct {
	Domain  string
	Server  string         // or a program (state.Hook); "" for the one that the zone names
	KeyFile state.Path     // of the TSIG key, "" for a program
	Records []state.Record // whose names and types matter
}

// Updated returns the zones that take the records of requests, with the records at the
// names and types in question as their primaries have them; nothing is changed. For
// leaving domains it returns the zones in which records of theirs were published
// (Facts.Published). A zone of the local BIND is asked there, unless a server is named.
// Errors are a state.DomainErrors.
func Updated(ctx context.Context, ask Primaries, r system.Reader, wishes []UpdateRequest, leaving []string, here state.Facts) (state.Zones, error) {
	u := &updateSurvey{ask: ask, files: r, here: here, zones: map[string]*updatedZone{}, keys: map[state.Path]nsupdate.Key{}}
	failed := state.DomainErrors{}
	// Each is a few questions; how many of them a primary gets at a time, its session bounds.
	located := make([]places, len(wishes))
	_ = parallel.Do(len(wishes), domainsAtOnce, func(i int) error {
		located[i] = u.locate(ctx, wishes[i])
		return nil
	})
	for i, w := range wishes {
		if err := u.find(w, located[i]); err != nil {
			failed[w.Domain] = fmt.Errorf("%s: %w", w.Domain, err)
		}
	}
	u.addPublished(leaving)
	unread := make([]error, len(u.order))
	_ = parallel.Do(len(u.order), domainsAtOnce, func(i int) error {
		unread[i] = u.read(ctx, u.order[i])
		return nil
	})
	var list []state.Zone
	for i, z := range u.order {
		if err := unread[i]; err != nil {
			for _, domain := range z.domains {
				failed[domain] = fmt.Errorf("zone %s: %w", dnsname.TrimDot(z.Origin), err)
			}
			continue
		}
		list = append(list, z.Zone)
	}
	return state.SortZones(list), failed.Err()
}

type updateSurvey struct {
	ask   Primaries
	files system.Reader
	here  state.Facts
	zones map[string]*updatedZone // by origin
	order []*updatedZone
	mu    sync.Mutex // of keys
	keys  map[state.Path]nsupdate.Key
}

type updatedZone struct {
	state.Zone
	questions []nsupdate.Question
	published []state.Record // by earlier runs
	copies    []state.Record // those of them that are copies of wildcards
	domains   []string       // that need it
}

func (z *updatedZone) addQuestion(r state.Record) {
	if q := (nsupdate.Question{Name: r.Name, Type: r.Type}); !slices.Contains(z.questions, q) {
		z.questions = append(z.questions, q)
	}
}

// addDomain notes that a domain needs the zone; its records come one after the other.
func (z *updatedZone) addDomain(domain string) {
	if n := len(z.domains); n == 0 || z.domains[n-1] != domain {
		z.domains = append(z.domains, domain)
	}
}

func (u *updateSurvey) key(p state.Path) (nsupdate.Key, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if k, ok := u.keys[p]; ok || p == "" { // a program has its own
		return k, nil
	}
	k, err := nsupdate.ReadKey(u.files, p)
	if err == nil {
		u.keys[p] = k
	}
	return k, err
}

// places are the zones of the names of a request, by name.
type places map[string]spot

// spot is the zone that holds a name, and its primary.
type spot struct {
	origin, primary string
	err             error
}

// domainsAtOnce is the number of domains and zones that are asked about at a time.
const domainsAtOnce = 64

// locate finds the zones of a request's names.
func (u *updateSurvey) locate(ctx context.Context, w UpdateRequest) places {
	own := w.Domain + "."
	key, err := u.key(w.KeyFile)
	if err != nil {
		return places{own: {err: err}}
	}
	ask := func(name string) (at spot) {
		server := w.Server
		if server == "" {
			server = u.local(name)
		}
		at.origin, at.primary, at.err = u.ask.Zone(ctx, server, key, name)
		return at
	}
	found := places{own: ask(own)}
	for _, r := range w.Records {
		if found[own].err != nil {
			break
		}
		if _, seen := found[r.Name]; !seen {
			found[r.Name] = ask(r.Name)
		}
	}
	return found
}

// find sorts the names of a request into their zones. A name that the zone delegates is
// queried there all the same, which returns the delegation.
func (u *updateSurvey) find(w UpdateRequest, at places) error {
	own, err := u.zone(w, at[w.Domain+"."])
	if err != nil {
		return err
	}
	found := map[string]*updatedZone{w.Domain + ".": own}
	for _, r := range w.Records {
		z, seen := found[r.Name]
		if !seen {
			inside := strings.HasSuffix(r.Name, "."+w.Domain+".")
			// Whoever has a name outside of the domain need not know our key.
			if z, err = u.zone(w, at[r.Name]); err != nil && inside {
				return err
			}
			if z == nil && inside {
				z = own
			}
			found[r.Name] = z
		}
		if z != nil {
			z.addQuestion(r)
			z.addDomain(w.Domain)
		}
	}
	return nil
}

// zone returns the zone at a place, nil for none.
func (u *updateSurvey) zone(w UpdateRequest, at spot) (*updatedZone, error) {
	if at.err != nil || at.origin == "" {
		return nil, at.err
	}
	return u.add(at.origin, at.primary, w.KeyFile), nil
}

func (u *updateSurvey) add(origin, primary string, key state.Path) *updatedZone {
	z := u.zones[origin]
	if z == nil {
		z = &updatedZone{Zone: state.Zone{
			Origin: origin, Kind: "primary", Dynamic: true, Update: &state.UpdateTarget{Server: primary, KeyFile: key},
		}}
		u.zones[origin] = z
		u.order = append(u.order, z)
	}
	return z
}

// local returns the address of this machine's BIND, if it has a zone for the name that
// takes updates, else "".
func (u *updateSurvey) local(name string) string {
	for z := range u.here.Zones.Above(name) {
		if z.Dynamic && z.Kind == "primary" {
			return "127.0.0.1:53"
		}
	}
	return ""
}

// addPublished adds the zones and records of earlier runs.
func (u *updateSurvey) addPublished(leaving []string) {
	for _, p := range u.here.Published {
		z := u.zones[p.Origin]
		for _, domain := range leaving {
			if publishedFor(p, domain) {
				z = u.add(p.Origin, p.Server, p.KeyFile)
				z.addDomain(domain)
			}
		}
		if z == nil {
			continue
		}
		z.published, z.copies = p.Records, p.Copies
		for _, r := range p.Records {
			z.addQuestion(r)
		}
	}
}

// Published returns the records that earlier runs published by updates.
func Published(r system.Reader) ([]state.Published, error) {
	names, err := r.List(state.PublishedDir)
	if err != nil {
		return nil, err
	}
	var list []state.Published
	for _, name := range names {
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		text, err := system.ReadFile(r, state.PublishedDir.Join(name))
		if err != nil {
			return nil, err
		}
		p, err := state.ParsePublished(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", state.PublishedDir.Join(name), err)
		}
		list = append(list, p)
	}
	return list, nil
}

// publishedFor reports whether records of the domain were published.
func publishedFor(p state.Published, domain string) bool {
	return slices.ContainsFunc(p.Records, func(r state.Record) bool {
		return r.Name == domain+"." || strings.HasSuffix(r.Name, "."+domain+".")
	})
}

// read queries the primary, and separates our records from the others.
func (u *updateSurvey) read(ctx context.Context, z *updatedZone) error {
	key, err := u.key(z.Update.KeyFile)
	if err != nil {
		return err
	}
	list, err := u.ask.Records(ctx, z.Update.Server, key, z.questions)
	if err != nil {
		return err
	}
	var names []string
	for _, q := range z.questions {
		if !slices.Contains(names, q.Name) {
			names = append(names, q.Name)
		}
	}
	cover, err := u.ask.Coverage(ctx, z.Update.Server, key, z.Origin, names, z.published)
	if err != nil {
		return err
	}
	has := func(list []state.Record, r state.Record) bool {
		return slices.ContainsFunc(list, func(p state.Record) bool { return state.Same(p, r) })
	}
	for _, r := range list {
		switch {
		case has(z.published, r):
			z.Update.OurRecords = append(z.Update.OurRecords, r)
			if has(z.copies, r) {
				z.Copies = append(z.Copies, r)
			}
		case !covered(cover, r):
			z.Records = append(z.Records, r)
		}
	}
	z.Names = cover.Names
	for _, r := range cover.Records {
		if !has(z.Records, r) && !has(z.published, r) {
			z.Records = append(z.Records, r)
		}
	}
	return nil
}

// covered reports whether a wildcard answers with a record for its name.
func covered(c dnsclient.Coverage, r state.Record) bool {
	if r.Name == c.Origin || slices.Contains(c.Names, strings.ToLower(r.Name)) {
		return false
	}
	return slices.ContainsFunc(c.Records, func(w state.Record) bool {
		below, is := strings.CutPrefix(w.Name, "*.")
		w.Name = r.Name
		return is && strings.HasSuffix(strings.ToLower(r.Name), "."+below) && state.Same(w, r)
	})
}
