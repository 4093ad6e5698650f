// Package dnscheck finds out whether every name server serves the records it
// should, and says what is wrong where one does not.
package dnscheck

import (
	"context"
	"slices"
	"sync"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// Expected is what the authoritative servers of a domain's names should serve.
type Expected struct {
	Domain  string // without final dot
	Records []state.Record
	Keys    map[string]string // the domain's public keys by selector
	// PublishedByUs: mailsetup publishes the records itself, so that its init puts back
	// what is missing.
	PublishedByUs bool
	// Copies are those of the records that a wildcard, the value, would answer if
	// their names did not exist.
	Copies map[state.Record]string
}

// ForDomain returns what name servers should serve for a domain with the keys. Ours
// says whether mailsetup publishes the records itself.
func ForDomain(domain string, records []state.Record, keys []keyring.Key, ours bool) Expected {
	e := Expected{Domain: domain, Records: records, Keys: make(map[string]string, len(keys)), PublishedByUs: ours}
	for _, k := range keys {
		e.Keys[k.Selector] = k.Public
	}
	return e
}

// ForKey returns what name servers should serve for one key of a domain.
func ForKey(domain string, ttl uint32, k keyring.Key) Expected {
	return ForDomain(domain, []state.Record{k.Record(domain, ttl)}, []keyring.Key{k}, false)
}

// Result is what the name servers of a domain serve.
type Result struct {
	Domain  string
	Servers []ServerResult
	// NoServer are records of which no server could be found.
	NoServer []RecordResult

	found map[string]dnsclient.Authority // by name of a record
}

// ServerResult is what one name server serves of one of its zones.
type ServerResult struct {
	dnsclient.NameServer
	Zone          string
	ServerProblem dnsclient.Finding // with the server as a whole
	Records       []RecordResult

	serial uint32
}

// RecordResult is one record as a name server has it.
type RecordResult struct {
	ExpectedRecord
	dnsclient.Finding
	Seen []state.Record

	answer Answer
}

// OK reports whether every server that can be queried from here serves every record,
// and each zone has such a server.
func (v Result) OK() bool {
	asked := map[string]bool{}
	for _, s := range v.Servers {
		asked[s.Zone] = asked[s.Zone] || s.ServerProblem.Fault != dnsclient.NotAsked
		if !s.OK() {
			return false
		}
	}
	for _, one := range asked {
		if !one {
			return false
		}
	}
	return len(v.NoServer) == 0 && len(v.Servers) > 0
}

// OK reports whether the server serves all that it should, or cannot be queried from
// here.
func (s ServerResult) OK() bool {
	wrong := func(r RecordResult) bool { return !r.OK() }
	return s.NotAsked() || s.ServerProblem.OK() && !slices.ContainsFunc(s.Records, wrong)
}

// NotAsked reports whether this machine has no way to the server's address.
func (s ServerResult) NotAsked() bool { return s.ServerProblem.Fault == dnsclient.NotAsked }

// Check queries every authoritative server for the records. It does not repeat queries
// whose answers in an earlier result were right.
func Check(ctx context.Context, c *dnsclient.Client, w Expected, before Result) Result {
	v := Result{Domain: w.Domain, found: map[string]dnsclient.Authority{}}
	lost := authorities(ctx, c, w, before, v.found)
	questions := map[int][]ExpectedRecord{}
	for _, r := range w.Records {
		a := v.found[r.Name]
		e := ExpectedRecord{Domain: w.Domain, Zone: a.Zone, Record: r, Keys: w.Keys, PublishedByUs: w.PublishedByUs, Wildcard: w.Copies[r]}
		if err := lost[r.Name]; err != nil {
			v.NoServer = append(v.NoServer, RecordResult{ExpectedRecord: e, Finding: finding(
				Missing, err.Error(), "see that the domain is registered and delegated to its name servers",
			)})
			continue
		}
		for _, n := range a.Servers {
			i := v.serverIndex(n, a.Zone)
			questions[i] = append(questions[i], e)
		}
	}
	var wg sync.WaitGroup
	for i := range v.Servers {
		wg.Go(func() { checkServer(ctx, c, &v.Servers[i], questions[i], before) })
	}
	wg.Wait()
	v.diagnose(ctx, c)
	return v
}

// serverIndex returns the index of a name server in the result, adding it if necessary.
func (v *Result) serverIndex(n dnsclient.NameServer, zone string) int {
	i := slices.IndexFunc(v.Servers, func(s ServerResult) bool { return s.NameServer == n && s.Zone == zone })
	if i < 0 {
		i = len(v.Servers)
		v.Servers = append(v.Servers, ServerResult{NameServer: n, Zone: zone})
	}
	return i
}

// authorities finds the authoritative servers of each name, or the error.
func authorities(ctx context.Context, c *dnsclient.Client, w Expected, before Result, found map[string]dnsclient.Authority) (lost map[string]error) {
	var unknown []string
	servers := map[string]dnsclient.Authority{}
	for _, r := range w.Records {
		if a, ok := before.found[r.Name]; ok && a.Complete() {
			found[r.Name], servers[a.Zone] = a, a
		} else if !slices.Contains(unknown, r.Name) {
			unknown = append(unknown, r.Name)
		}
	}
	lost = map[string]error{}
	in := map[string][]string{} // names, by their zone
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range unknown {
		wg.Go(func() {
			zone, err := c.ZoneOf(ctx, zoneQueryName(w, name))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				lost[name] = err
			} else {
				in[zone] = append(in[zone], name)
			}
		})
	}
	wg.Wait()
	for zone, names := range in {
		wg.Go(func() {
			mu.Lock()
			a, known := servers[zone]
			mu.Unlock()
			var err error
			if !known {
				a, err = c.Authority(ctx, zone)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, name := range names {
				if err != nil {
					lost[name] = err
				} else {
					found[name] = a
				}
			}
		})
	}
	wg.Wait()
	return lost
}

// checkServer queries one server for its records: for the first one, and if it answers
// for the others at once.
func checkServer(ctx context.Context, c *dnsclient.Client, s *ServerResult, want []ExpectedRecord, before Result) {
	records, problems := make([]RecordResult, len(want)), make([]dnsclient.Finding, len(want))
	look := func(i int) {
		known := false
		if records[i], known = before.knownGood(*s, want[i]); known {
			return
		}
		r := RecordResult{ExpectedRecord: want[i]}
		r.answer, problems[i] = ask(ctx, c, s.NameServer, want[i])
		r.Seen = r.answer.Records
		records[i] = r
	}
	first := slices.IndexFunc(want, func(e ExpectedRecord) bool { _, known := before.knownGood(*s, e); return !known })
	if first >= 0 {
		look(first)
	}
	if first < 0 || problems[first].OK() {
		var wg sync.WaitGroup
		for i := range want {
			if i != first {
				wg.Go(func() { look(i) })
			}
		}
		wg.Wait()
	}
	for _, p := range problems {
		if !p.OK() {
			s.ServerProblem = p
			return
		}
	}
	s.Records = records
}

// knownGood returns the answer about a record if it was right in the result.
func (v Result) knownGood(s ServerResult, e ExpectedRecord) (RecordResult, bool) {
	for _, old := range v.Servers {
		if old.NameServer != s.NameServer || old.Zone != s.Zone {
			continue
		}
		for _, r := range old.Records {
			if r.Fault == dnsclient.OK && r.Record == e.Record {
				return r, true
			}
		}
	}
	return RecordResult{}, false
}

// diagnose diagnoses every record, comparing the servers with each other. It queries
// them for the serials of their zones only if they differ.
func (v *Result) diagnose(ctx context.Context, c *dnsclient.Client) {
	if v.differ() {
		v.askSerials(ctx, c)
	}
	right := map[state.Record]ServerResult{}
	for _, s := range v.Servers {
		for _, r := range s.Records {
			has, known := right[r.Record]
			if diagnose(r.ExpectedRecord, r.answer).Fault == dnsclient.OK && (!known || zonefile.SerialBehind(has.serial, s.serial)) {
				right[r.Record] = s
			}
		}
	}
	for i, s := range v.Servers {
		for j := range s.Records {
			r := &v.Servers[i].Records[j]
			r.answer.Serial = s.serial
			if at, known := right[r.Record]; known {
				r.answer.CorrectServer, r.answer.CorrectSerial = at.Name, at.serial
			}
			r.Finding = Diagnose(r.ExpectedRecord, r.answer)
		}
	}
}

// differ reports whether one server has a record right that another one has not.
func (v *Result) differ() bool {
	right, wrong := map[state.Record]bool{}, map[state.Record]bool{}
	for _, s := range v.Servers {
		for _, r := range s.Records {
			if diagnose(r.ExpectedRecord, r.answer).Fault == dnsclient.OK {
				right[r.Record] = true
			} else {
				wrong[r.Record] = true
			}
			if right[r.Record] && wrong[r.Record] {
				return true
			}
		}
	}
	return false
}

// askSerials queries every server that answered for the serial of its zone.
func (v *Result) askSerials(ctx context.Context, c *dnsclient.Client) {
	var wg sync.WaitGroup
	for i := range v.Servers {
		if s := &v.Servers[i]; s.ServerProblem.OK() {
			wg.Go(func() { s.serial, _ = c.SerialAt(ctx, s.NameServer, s.Zone) })
		}
	}
	wg.Wait()
}
