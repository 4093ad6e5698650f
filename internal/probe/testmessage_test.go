package probe

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-milter"

	"mailsetup/internal/state"
)

func TestMilter(t *testing.T) {
	t.Parallel()
	b := NewProber(nil, nil)
	up := milterServer(t, func() milter.Milter { return &signer{} })
	for _, address := range []string{up, "unix:" + up, "local:" + up} {
		wantError(t, probe(t, b, state.Probe{Kind: state.ProbeMilter, Address: address}), "")
	}
	short := 300 * time.Millisecond
	wantError(t, probe(t, b, state.Probe{Kind: state.ProbeMilter, Address: up + ".not", Within: short}), "no such file")
	wantError(t, probe(t, b, state.Probe{Kind: state.ProbeMilter, Address: "opendkim.sock", Within: short}), "neither an absolute path nor host:port")
	deaf := silentServer(t, "unix", up+".deaf")
	wantError(t, probe(t, b, state.Probe{Kind: state.ProbeMilter, Address: deaf, Within: short}), "milter "+deaf)
}

func TestMilterWaitsForTheSocket(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/late.sock"
	time.AfterFunc(200*time.Millisecond, func() {
		l, err := net.Listen("unix", path)
		if err != nil {
			return
		}
		server := &milter.Server{NewMilter: func() milter.Milter { return &signer{} }}
		t.Cleanup(func() { _ = server.Close() })
		_ = server.Serve(l)
	})
	wantError(t, probe(t, NewProber(nil, nil), state.Probe{Kind: state.ProbeMilter, Address: path, Within: 10 * time.Second}), "")
}

func TestEndpoint(t *testing.T) {
	for in, want := range map[string][2]string{
		"/run/o.sock":                 {"unix", "/run/o.sock"},
		"local:/run/o.sock":           {"unix", "/run/o.sock"},
		"inet:8891@localhost":         {"tcp", "localhost:8891"},
		"inet6:8891@[2001:db8::1]":    {"tcp", "[2001:db8::1]:8891"},
		"inet:127.0.0.1:8891":         {"tcp", "127.0.0.1:8891"},
		"127.0.0.1:8891":              {"tcp", "127.0.0.1:8891"},
		"[2001:db8::1]:8891":          {"tcp", "[2001:db8::1]:8891"},
		"unix:opendkim/opendkim.sock": {"", ""},
		"":                            {"", ""},
	} {
		network, target, err := endpoint(in)
		if network != want[0] || target != want[1] || (err == nil) != (want[0] != "") {
			t.Errorf("endpoint(%q) = %q, %q, %v", in, network, target, err)
		}
	}
}

func TestSigns(t *testing.T) {
	t.Parallel()
	key, public := newKey(t)
	_, foreign := newKey(t)
	good := func() *signer { return &signer{key: key, domain: "example.org", selector: "s1"} }
	want := state.Signer{From: "someone@example.org", Domain: "example.org", Selector: "s1", Public: public}
	for _, c := range []struct {
		name   string
		milter func() milter.Milter
		signer state.Signer
		want   string
	}{
		{"signed", func() milter.Milter { return good() }, want, ""},
		{"signed by the domain above", func() milter.Milter { return good() }, state.Signer{
			From: "root@mail.example.org", Domain: "example.org", Selector: "s1", Public: public,
		}, ""},
		{"name in another case", func() milter.Milter { return good() }, state.Signer{
			From: "a@example.org", Domain: "Example.ORG.", Selector: "S1", Public: public,
		}, ""},
		{"old selector", func() milter.Milter { s := good(); s.selector = "s0"; return s }, want, "signed by s0._domainkey.example.org; should be signed by s1._domainkey.example.org"},
		{"other domain", func() milter.Milter { s := good(); s.domain = "example.net"; return s }, want, "signed by s1._domainkey.example.net; should be"},
		{"key does not match the record", func() milter.Milter { return good() }, state.Signer{
			From: "a@example.org", Domain: "example.org", Selector: "s1", Public: foreign,
		}, "does not verify with the key s1._domainkey.example.org"},
		{"revoked record", func() milter.Milter { return good() }, state.Signer{
			From: "a@example.org", Domain: "example.org", Selector: "s1", Public: "v=DKIM1; p=",
		}, "does not verify"},
		{"spoilt", func() milter.Milter { s := good(); s.spoil = true; return s }, want, "does not verify"},
		{"unsigned", func() milter.Milter { s := good(); s.unsigned = true; return s }, want, "mail from someone@example.org: leaves without a signature; should be signed by s1._domainkey.example.org"},
		{"tempfail", func() milter.Milter { s := good(); s.refuse = milter.RespTempFail; return s }, want, "end of message: refused for now"},
		{"reply", func() milter.Milter {
			s := good()
			s.refuse = milter.NewResponseStr('y', "451 4.7.1 Service unavailable")
			return s
		}, want, "refused: 451 4.7.1 Service unavailable"},
		{"reject", func() milter.Milter { s := good(); s.refuse = milter.RespReject; return s }, want, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := state.Probe{
				Kind: state.ProbeSigns, Address: milterServer(t, c.milter),
				Signers: []state.Signer{c.signer}, Within: time.Second,
			}
			wantError(t, probe(t, NewProber(nil, nil), p), c.want)
		})
	}
}

func TestSignsWaitsForTheReload(t *testing.T) {
	t.Parallel()
	key, public := newKey(t)
	var connections atomic.Int32
	address := countingServer(t, &connections, func() milter.Milter {
		s := &signer{key: key, domain: "example.org", selector: "old"}
		if connections.Load() > 2 { // the first two still see the old tables
			s.selector = "new"
		}
		return s
	})
	p := state.Probe{Kind: state.ProbeSigns, Address: address, Within: 20 * time.Second, Signers: []state.Signer{
		{From: "a@example.org", Domain: "example.org", Selector: "new", Public: public},
		{From: "b@example.org", Domain: "example.org", Selector: "new", Public: public},
	}}
	wantError(t, probe(t, NewProber(nil, nil), p), "")
	if n := connections.Load(); n != 3 {
		t.Errorf("%d connections, want 3: signers that pass share one", n)
	}
}

func TestSignsNamesTheSignerThatFails(t *testing.T) {
	t.Parallel()
	key, public := newKey(t)
	address := milterServer(t, func() milter.Milter { return &signer{key: key, domain: "example.org", selector: "s1"} })
	p := state.Probe{Kind: state.ProbeSigns, Address: address, Within: time.Second, Signers: []state.Signer{
		{From: "a@example.org", Domain: "example.org", Selector: "s1", Public: public},
		{From: "b@example.net", Domain: "example.net", Selector: "s1", Public: public},
	}}
	wantError(t, probe(t, NewProber(nil, nil), p), "mail from b@example.net: signed by s1._domainkey.example.org")
	p.Signers = nil
	wantError(t, probe(t, NewProber(nil, nil), p), "no signer is named")
}

// Many are proven over several connections, and what failed is proven again alone.
func TestManySigners(t *testing.T) {
	t.Parallel()
	key, public := newKey(t)
	var connections atomic.Int32
	address := countingServer(t, &connections, func() milter.Milter {
		return &signer{key: key, domain: "example.org", selector: "s1"}
	})
	p := state.Probe{Kind: state.ProbeSigns, Address: address, Within: time.Minute} // 120 signatures on a busy machine
	for i := range 120 {
		p.Signers = append(p.Signers, state.Signer{
			From: fmt.Sprintf("u%d@example.org", i), Domain: "example.org", Selector: "s1", Public: public,
		})
	}
	wantError(t, probe(t, NewProber(nil, nil), p), "")
	if n, want := connections.Load(), int32(min(4*runtime.GOMAXPROCS(0), 5)); n != want {
		t.Errorf("%d connections, want %d", n, want)
	}
}

// What a message of some domains says is told of those, whatever stands behind them, and
// what was proven is not asked for again. A bar counts what was proven.
func TestTheSignersThatFailAreNamed(t *testing.T) {
	t.Parallel()
	key, public := newKey(t)
	var messages atomic.Int32
	address := milterServer(t, func() milter.Milter {
		return &signer{key: key, domain: "example.org", selector: "s1", asked: &messages}
	})
	p := state.Probe{Kind: state.ProbeSigns, Address: address, Within: 8 * time.Second}
	for i := range 120 {
		p.Signers = append(p.Signers, state.Signer{From: fmt.Sprintf("u%d@example.org", i), Domain: "example.org", Selector: "s1", Public: public})
	}
	bad := []string{}
	for i := 40; i < 52; i++ { // more in a row than a connection is given up for
		d := fmt.Sprintf("d%d.example", i)
		p.Signers[i], bad = state.Signer{From: "a@" + d, Domain: d, Selector: "s1", Public: public}, append(bad, d)
	}
	counted := 0
	b := NewProber(nil, nil)
	b.Bar = func(what string, total int) (step, end func()) {
		if what != "signatures proven" || total != 120 {
			t.Errorf("a bar of %d %s", total, what)
		}
		return func() { counted++ }, func() {}
	}
	err := probe(t, b, p)
	named, ok := errors.AsType[state.DomainErrors](err)
	if !ok || !slices.Equal(slices.Sorted(maps.Keys(named)), bad) || counted != 108 {
		t.Fatalf("%v names %v, %d are proven", err, slices.Sorted(maps.Keys(named)), counted)
	}
	wantError(t, named["d47.example"], "mail from a@d47.example: signed by s1._domainkey.example.org")
	if n := messages.Load(); n > 108+12*90 {
		t.Errorf("%d messages", n)
	}
	for i := range p.Signers {
		p.Signers[i].Selector = "s2"
	}
	p.Within = time.Second
	if err := probe(t, b, p); errors.As(err, new(state.DomainErrors)) {
		t.Errorf("where all fail, domains are named: %v", err)
	}
}

func TestApply(t *testing.T) {
	m := message{fields: []field{{"A", "1"}, {"B", "2"}, {"a", "3"}}, body: []byte("old")}
	for _, c := range []milter.ModifyAction{
		{Code: milter.ActInsertHeader, HeaderIndex: 0, HeaderName: "First", HeaderValue: "x\n\ty"},
		{Code: milter.ActInsertHeader, HeaderIndex: 99, HeaderName: "Last", HeaderValue: "z"},
		{Code: milter.ActChangeHeader, HeaderIndex: 2, HeaderName: "A", HeaderValue: "changed"},
		{Code: milter.ActChangeHeader, HeaderIndex: 1, HeaderName: "B"},
		{Code: milter.ActAddHeader, HeaderName: "Added", HeaderValue: "v"},
		{Code: milter.ActReplBody, Body: []byte("new")},
	} {
		m.apply(c)
	}
	want := "First: x\r\n\ty\r\nA: 1\r\na: changed\r\nLast: z\r\nAdded: v\r\n\r\nnew"
	if got := string(m.bytes()); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
