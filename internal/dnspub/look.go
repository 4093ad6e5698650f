package dnspub

import (
	"context"
	"maps"
	"slices"
	"sync"

	"mailsetup/internal/state"
)

// Wanted is what the name servers in charge of a domain's names should serve.
type Wanted struct {
	Domain  string // without final dot
	Records []state.Record
	Keys    map[string]string // the domain's public keys by selector
	// Ours: mailsetup publishes the records itself, so that its init puts back
	// what is missing.
	Ours bool
	// Copies are those of the records that a wildcard, the value, would answer if
	// their names did not exist.
	Copies map[state.Record]string
}

// View is what all these servers say.
type View struct {
	Domain  string
	Servers []ServerView
	// Lost are records of which no server could be found.
	Lost []RecordView

	found map[string]Authority // by name of a record
}

// ServerView is what one name server says of the records in one of its zones.
type ServerView struct {
	NameServer
	Zone    string
	Wrong   Finding // with the server as a whole
	Records []RecordView

	serial uint32
}

// RecordView is one record as a name server has it.
type RecordView struct {
	Expected
	Finding
	Seen []state.Record

	sight Sight
}

// OK reports whether every server that can be asked from here serves every
// record, and each zone has one that can.
func (v View) OK() bool {
	asked := map[string]bool{}
	for _, s := range v.Servers {
		asked[s.Zone] = asked[s.Zone] || s.Wrong.Fault != NotAsked
		if !s.OK() {
			return false
		}
	}
	for _, one := range asked {
		if !one {
			return false
		}
	}
	return len(v.Lost) == 0 && len(v.Servers) > 0
}

// OK reports whether the server serves all it should, or cannot be asked.
func (s ServerView) OK() bool {
	return s.Wrong.Fault == NotAsked || s.Wrong.Fault == OK && s.Bad() == 0
}

// Bad is how many records are not as they should be.
func (s ServerView) Bad() int {
	n := 0
	for _, r := range s.Records {
		if r.Fault != OK {
			n++
		}
	}
	return n
}

// Look asks every name server in charge for the records. What was right in an
// earlier look is not asked again.
func (c *Client) Look(ctx context.Context, w Wanted, before View) View {
	v := View{Domain: w.Domain, found: map[string]Authority{}}
	lost := c.authorities(ctx, w, before, v.found)
	questions := map[int][]Expected{}
	for _, r := range w.Records {
		a := v.found[r.Name]
		e := Expected{Domain: w.Domain, Zone: a.Zone, Record: r, Keys: w.Keys, Ours: w.Ours, Wildcard: w.Copies[r]}
		if err := lost[r.Name]; err != nil {
			v.Lost = append(v.Lost, RecordView{Expected: e, Finding: Finding{
				Missing, err.Error(), "see that the domain is registered and delegated to its name servers",
			}})
			continue
		}
		for _, n := range a.Servers {
			i := v.server(n, a.Zone)
			questions[i] = append(questions[i], e)
		}
	}
	var wg sync.WaitGroup
	for i := range v.Servers {
		wg.Go(func() { c.lookAt(ctx, &v.Servers[i], questions[i], before) })
	}
	wg.Wait()
	v.compare()
	return v
}

// server is the place of a name server in the view, which it gets if need be.
func (v *View) server(n NameServer, zone string) int {
	i := slices.IndexFunc(v.Servers, func(s ServerView) bool { return s.NameServer == n && s.Zone == zone })
	if i < 0 {
		i = len(v.Servers)
		v.Servers = append(v.Servers, ServerView{NameServer: n, Zone: zone})
	}
	return i
}

// authorities finds who is in charge of each name, or why nobody is.
func (c *Client) authorities(ctx context.Context, w Wanted, before View, found map[string]Authority) (lost map[string]error) {
	zones := map[string]string{}
	var unknown []string
	servers := map[string]Authority{}
	for _, r := range w.Records {
		if a, ok := before.found[r.Name]; ok && a.complete() {
			found[r.Name], servers[a.Zone] = a, a
		} else if !slices.Contains(unknown, r.Name) {
			unknown = append(unknown, r.Name)
		}
	}
	lost = map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range unknown {
		wg.Go(func() {
			zone, err := c.ZoneOf(ctx, asked(name))
			mu.Lock()
			defer mu.Unlock()
			zones[name], lost[name] = zone, err
		})
	}
	wg.Wait()
	for _, name := range unknown {
		a, known := servers[zones[name]]
		if lost[name] == nil && !known {
			a, lost[name] = c.serversFor(ctx, zones[name])
		}
		if lost[name] == nil {
			found[name], servers[a.Zone] = a, a
		}
	}
	maps.DeleteFunc(lost, func(_ string, err error) bool { return err == nil })
	return lost
}

// complete reports whether every name server has an address.
func (a Authority) complete() bool {
	return !slices.ContainsFunc(a.Servers, func(n NameServer) bool { return n.Address == "" })
}

// lookAt asks one server for its records, one after the other.
func (c *Client) lookAt(ctx context.Context, s *ServerView, want []Expected, before View) {
	if s.serial, s.Wrong = c.serial(ctx, s.NameServer, s.Zone); s.Wrong.Fault != OK {
		return
	}
	for _, e := range want {
		r, known := before.right(*s, e)
		if !known {
			r = RecordView{Expected: e}
			if r.sight, s.Wrong = c.sees(ctx, s.NameServer, e); s.Wrong.Fault != OK {
				s.Records = nil
				return
			}
			r.Seen = r.sight.Records
		}
		s.Records = append(s.Records, r)
	}
}

// right is a record that the server had as it should be.
func (v View) right(s ServerView, e Expected) (RecordView, bool) {
	for _, old := range v.Servers {
		if old.NameServer != s.NameServer || old.Zone != s.Zone {
			continue
		}
		for _, r := range old.Records {
			if r.Fault == OK && r.Record == e.Record {
				return r, true
			}
		}
	}
	return RecordView{}, false
}

// compare diagnoses every record, beside what the other servers have.
func (v *View) compare() {
	right := map[state.Record]ServerView{}
	for _, s := range v.Servers {
		for _, r := range s.Records {
			has, known := right[r.Record]
			if diagnose(r.Expected, r.sight).Fault == OK && (!known || serialBehind(has.serial, s.serial)) {
				right[r.Record] = s
			}
		}
	}
	for i, s := range v.Servers {
		for j := range s.Records {
			r := &v.Servers[i].Records[j]
			r.sight.Serial = s.serial
			if at, known := right[r.Record]; known {
				r.sight.Right, r.sight.RightSerial = at.Name, at.serial
			}
			r.Finding = Diagnose(r.Expected, r.sight)
		}
	}
}
