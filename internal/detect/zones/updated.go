package zones

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Primaries are name servers that are queried with TSIG; nsupdate.Session implements
// it.
type Primaries interface {
	Zone(ctx context.Context, server string, key nsupdate.Key, name string) (origin, primary string, err error)
	Records(ctx context.Context, server string, key nsupdate.Key, list []nsupdate.Question) ([]state.Record, error)
	Coverage(ctx context.Context, server string, key nsupdate.Key, origin string, names []string, ours []state.Record) (dnsclient.Coverage, error)
}

// UpdateRequest is a domain whose records go to a primary by dynamic updates (RFC
// 2136).
type UpdateRequest struct {
	Domain  string
	Server  string         // "" for the one that the zone names
	KeyFile state.Path     // of the TSIG key
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
	for _, w := range wishes {
		if err := u.find(ctx, w); err != nil {
			failed[w.Domain] = fmt.Errorf("%s: %w", w.Domain, err)
		}
	}
	u.addPublished(leaving)
	var list []state.Zone
	for _, z := range u.order {
		if err := u.read(ctx, z); err != nil {
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
	if k, ok := u.keys[p]; ok {
		return k, nil
	}
	k, err := nsupdate.ReadKey(u.files, p)
	if err == nil {
		u.keys[p] = k
	}
	return k, err
}

// find sorts the names of a request into their zones. A name that the zone delegates is
// queried there all the same, which returns the delegation.
func (u *updateSurvey) find(ctx context.Context, w UpdateRequest) error {
	key, err := u.key(w.KeyFile)
	if err != nil {
		return err
	}
	own, err := u.zone(ctx, w, key, w.Domain+".")
	if err != nil {
		return err
	}
	found := map[string]*updatedZone{w.Domain + ".": own}
	for _, r := range w.Records {
		z, seen := found[r.Name]
		if !seen {
			inside := strings.HasSuffix(r.Name, "."+w.Domain+".")
			// Whoever has a name outside of the domain need not know our key.
			if z, err = u.zone(ctx, w, key, r.Name); err != nil && inside {
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

func (u *updateSurvey) zone(ctx context.Context, w UpdateRequest, key nsupdate.Key, name string) (*updatedZone, error) {
	server := w.Server
	if server == "" {
		server = u.local(name)
	}
	origin, primary, err := u.ask.Zone(ctx, server, key, name)
	if err != nil || origin == "" {
		return nil, err
	}
	return u.add(origin, primary, w.KeyFile), nil
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
