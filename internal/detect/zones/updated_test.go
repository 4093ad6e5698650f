package zones

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

const (
	tsigPath state.Path = "/root/update.key"
	tsigText string     = "key update { algorithm hmac-sha256; secret \"eHh4\"; };\n"
)

// primaries are name servers with the zones and the records of a test. Servers
// that are not named are found at the one of the zone.
type primaries struct {
	mu      sync.Mutex        // of what was asked
	zones   map[string]string // origin: server
	records []state.Record
	asked   []nsupdate.Question
	foreign string // a name about which nobody answers this key
	cover   dnsclient.Coverage
	covered []string // names that were asked about with their wildcards
}

func (p *primaries) Zone(_ context.Context, server string, _ nsupdate.Key, name string) (origin, primary string, err error) {
	if name == p.foreign {
		return "", "", errors.New("BADKEY")
	}
	for o, at := range p.zones {
		if (name == o || strings.HasSuffix(name, "."+o)) && len(o) > len(origin) && (server == "" || server == at) {
			origin, primary = o, at
		}
	}
	return origin, primary, nil
}

func (p *primaries) Records(_ context.Context, _ string, _ nsupdate.Key, list []nsupdate.Question) ([]state.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, list...)
	var found []state.Record
	for _, r := range p.records {
		if slices.Contains(list, nsupdate.Question{Name: r.Name, Type: r.Type}) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (p *primaries) Coverage(_ context.Context, _ string, _ nsupdate.Key, _ string, names []string, _ []state.Record) (dnsclient.Coverage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.covered = append(p.covered, names...)
	return p.cover, nil
}

func record(name, kind, value string) state.Record {
	return state.Record{Name: name, Type: kind, TTL: 60, Value: value}
}

func withKey(published ...state.Published) *systemtest.Mem {
	m := systemtest.NewMem()
	m.Put(tsigPath, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(tsigText)})
	for _, p := range published {
		m.PutFile(state.PublishedFile(p.Origin), string(p.Marshal()))
	}
	return m
}

func remembering(t *testing.T, m *systemtest.Mem) state.Facts {
	t.Helper()
	list, err := Published(m)
	if err != nil {
		t.Fatal(err)
	}
	return state.Facts{Published: list}
}

func someWish() UpdateRequest {
	return UpdateRequest{Domain: "example.org", KeyFile: tsigPath, Records: []state.Record{
		record("mail.example.net.", "A", ""), record("mail.example.org.", "A", ""), record("example.org.", "TXT", ""), record("_dmarc.example.org.", "TXT", ""),
	}}
}

func TestUpdatedZones(t *testing.T) {
	spf, old, policy := record("example.org.", "TXT", "v=spf1 -all"), record("old.example.org.", "TXT", "v=DKIM1; p="), record("_dmarc.example.org.", "TXT", "v=DMARC1")
	ask := &primaries{
		zones: map[string]string{"example.org.": "192.0.2.53:53", "example.net.": "192.0.2.54:53"},
		records: []state.Record{
			spf, old, policy, record("unasked.example.org.", "TXT", "x"), record("mail.example.net.", "A", "192.0.2.1"),
		},
	}
	m := withKey(state.Published{Origin: "example.org.", Records: []state.Record{old, policy, record("example.org.", "MX", "10 gone.example.org.")}},
		state.Published{Origin: "other.example.", Records: []state.Record{record("other.example.", "TXT", "v=spf1 -all")}})
	got, err := Updated(t.Context(), ask, m, []UpdateRequest{someWish()}, nil, remembering(t, m))
	if err != nil {
		t.Fatal(err)
	}
	want := state.Zones{
		{
			Origin: "example.net.", Kind: "primary", Dynamic: true, Records: []state.Record{record("mail.example.net.", "A", "192.0.2.1")},
			Update: &state.UpdateTarget{Server: "192.0.2.54:53", KeyFile: tsigPath},
		},
		{
			Origin: "example.org.", Kind: "primary", Dynamic: true, Records: []state.Record{spf},
			Update: &state.UpdateTarget{Server: "192.0.2.53:53", KeyFile: tsigPath, OurRecords: []state.Record{old, policy}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whoever has the host's name need not know the key of the domain.
func TestUpdatedHostElsewhere(t *testing.T) {
	ask := &primaries{zones: map[string]string{"example.org.": "192.0.2.53:53"}, foreign: "mail.example.net."}
	got, err := Updated(t.Context(), ask, withKey(), []UpdateRequest{someWish()}, nil, state.Facts{})
	if err != nil || len(got) != 1 || got[0].Origin != "example.org." {
		t.Errorf("%+v, %v", got, err)
	}
	ask.foreign = "_dmarc.example.org."
	if _, err := Updated(t.Context(), ask, withKey(), []UpdateRequest{someWish()}, nil, state.Facts{}); err == nil || err.Error() != "example.org: BADKEY" {
		t.Errorf("a name of the domain: %v", err)
	}
}

// A zone of this machine that takes updates is asked here.
func TestUpdatedHere(t *testing.T) {
	here := state.Facts{Zones: []state.Zone{{Origin: "example.org.", Kind: "primary", Dynamic: true, Problem: "dynamic"}}}
	ask := &primaries{zones: map[string]string{"example.org.": "127.0.0.1:53", "example.net.": "192.0.2.54:53"}}
	got, err := Updated(t.Context(), ask, withKey(), []UpdateRequest{someWish()}, nil, here)
	if err != nil || len(got) != 2 || got[1].Update.Server != "127.0.0.1:53" || got[0].Update.Server != "192.0.2.54:53" {
		t.Errorf("%+v, %v", got, err)
	}
	named := someWish()
	named.Server = "192.0.2.54:53"
	got, err = Updated(t.Context(), ask, withKey(), []UpdateRequest{named}, nil, here)
	if err != nil || len(got) != 1 || got[0].Origin != "example.net." {
		t.Errorf("where a server is named: %+v, %v", got, err)
	}
}

// Of a domain that leaves come the zones where something of it was published.
func TestUpdatedOfADomainThatLeaves(t *testing.T) {
	key := record("s._domainkey.b.example.", "TXT", "v=DKIM1; p=AA")
	ask := &primaries{records: []state.Record{key}}
	m := withKey(
		state.Published{Origin: "b.example.", Server: "192.0.2.53:53", KeyFile: tsigPath, Records: []state.Record{key}},
		state.Published{Origin: "bb.example.", Server: "192.0.2.53:53", KeyFile: tsigPath, Records: []state.Record{record("bb.example.", "TXT", "x")}},
	)
	got, err := Updated(t.Context(), ask, m, nil, []string{"b.example"}, remembering(t, m))
	if err != nil || len(got) != 1 || got[0].Origin != "b.example." || len(got[0].Update.OurRecords) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUpdatedWithoutAKey(t *testing.T) {
	_, err := Updated(t.Context(), &primaries{}, systemtest.NewMem(), []UpdateRequest{someWish()}, nil, state.Facts{})
	if err == nil || err.Error() != "example.org: /root/update.key: the key file does not exist" {
		t.Error(err)
	}
}

// One primary that cannot be asked fails its own domains only.
func TestUpdatedWithoutOneOfThem(t *testing.T) {
	ask := &primaries{zones: map[string]string{"example.org.": "192.0.2.53:53", "example.net.": "192.0.2.54:53"}, foreign: "example.org."}
	other := UpdateRequest{Domain: "example.net", KeyFile: tsigPath, Records: []state.Record{record("example.net.", "TXT", "")}}
	got, err := Updated(t.Context(), ask, withKey(), []UpdateRequest{someWish(), other}, nil, state.Facts{})
	failed := state.DomainErrors{}
	if !errors.As(err, &failed) || len(failed) != 1 || failed["example.org"].Error() != "example.org: BADKEY" {
		t.Errorf("failed: %v", err)
	}
	if len(got) != 1 || got[0].Origin != "example.net." {
		t.Errorf("%+v", got)
	}
}

// Of what a primary answers, that which its wildcards made up does not stand
// there; what earlier runs copied is known.
func TestUpdatedUnderWildcard(t *testing.T) {
	wild, made := record("*.example.org.", "TXT", "v=spf1 -all"), record("_dmarc.example.org.", "TXT", "v=spf1 -all")
	copied, apex := record("mail.example.org.", "A", "192.0.2.80"), record("example.org.", "TXT", "v=spf1 -all")
	ask := &primaries{
		zones: map[string]string{"example.org.": "192.0.2.53:53"}, records: []state.Record{made, copied, apex},
		cover: dnsclient.Coverage{Origin: "example.org.", Records: []state.Record{wild}, Names: []string{"_domainkey.example.org."}},
	}
	m := withKey(state.Published{Origin: "example.org.", Records: []state.Record{copied}, Copies: []state.Record{copied}})
	got, err := Updated(t.Context(), ask, m, []UpdateRequest{someWish()}, nil, remembering(t, m))
	if err != nil {
		t.Fatal(err)
	}
	want := state.Zones{{
		Origin: "example.org.", Kind: "primary", Dynamic: true, Records: []state.Record{apex, wild}, Names: []string{"_domainkey.example.org."},
		Copies: []state.Record{copied}, Update: &state.UpdateTarget{Server: "192.0.2.53:53", KeyFile: tsigPath, OurRecords: []state.Record{copied}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if names := []string{"mail.example.org.", "example.org.", "_dmarc.example.org."}; !slices.Equal(ask.covered, names) {
		t.Errorf("asked about %q, want %q", ask.covered, names)
	}
}

// distant are primaries whose answers take a while.
type distant struct {
	*primaries
	wait func()
}

func (d distant) Zone(ctx context.Context, server string, key nsupdate.Key, name string) (origin, primary string, err error) {
	d.wait()
	return d.primaries.Zone(ctx, server, key, name)
}

func (d distant) Records(ctx context.Context, server string, key nsupdate.Key, list []nsupdate.Question) ([]state.Record, error) {
	d.wait()
	return d.primaries.Records(ctx, server, key, list)
}

// Domains, and zones, are asked about side by side: a hundred take as long as two. The order of
// what is found is that of the zones.
func TestUpdatedZonesSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := systemtest.NewMem()
		m.Put(tsigPath, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(tsigText)})
		p := &primaries{zones: map[string]string{}}
		var wishes []UpdateRequest
		for i := range 100 {
			domain := fmt.Sprintf("d%02d.example", i)
			p.zones[domain+"."] = "192.0.2.53:53"
			wishes = append(wishes, UpdateRequest{Domain: domain, KeyFile: tsigPath, Records: []state.Record{{Name: domain + ".", Type: "TXT"}}})
		}
		began := time.Now()
		list, err := Updated(t.Context(), distant{p, func() { time.Sleep(time.Second) }}, m, wishes, nil, state.Facts{})
		if err != nil || len(list) != 100 || list[99].Origin != "d99.example." {
			t.Errorf("%d zones, %v", len(list), err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
