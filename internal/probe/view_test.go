package probe

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// soaServer answers for zone.example with one SOA record, with authority or
// not, and with nothing else.
func soaServer(t *testing.T, serial uint32, authority bool) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Authoritative = authority
		if q.Question[0].Qtype == dns.TypeSOA {
			m.Answer = []dns.RR{&dns.SOA{
				Hdr: dns.RR_Header{Name: "zone.example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET},
				Ns:  "ns.", Mbox: "h.", Serial: serial,
			}}
		}
		_ = w.WriteMsg(m)
	})}
	ready := make(chan struct{})
	server.NotifyStartedFunc = func() { close(ready) }
	go func() { _ = server.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = server.Shutdown() })
	return conn.LocalAddr().String()
}

// Before a run changes anything, one answer tells.
func TestServedInViewOnce(t *testing.T) {
	t.Parallel()
	no := system.Result{Code: 1, Stderr: []byte("rndc: 'zonestatus' failed: zone not loaded\n")}
	b := NewProber(nil, &runner{results: []system.Result{no}})
	start := time.Now()
	err := b.Probe(t.Context(), state.Probe{Kind: state.ProbeServed, Origin: "zone.example.", View: "out", Within: time.Minute, Once: true})
	if err == nil || time.Since(start) > 30*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestServedInView(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte("@ SOA ns h 12 1 1 1 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	status := func(serials string) system.Result {
		return system.Result{Stdout: []byte("name: zone.example\ntype: primary\nfiles: /x, /y\n" + serials + "nodes: 2\n")}
	}
	record := []state.Record{{Name: "zone.example.", Type: "TXT", Value: "v=spf1 -all"}}
	for _, c := range []struct {
		name      string
		seen      uint32
		authority bool
		status    system.Result
		want      string
	}{
		{"another view answers", 7, true, status("serial: 12\n"), ""},
		{"nobody answers for the zone", 12, false, status("serial: 12\n"), ""},
		{"signed, in another view", 7, true, status("serial: 12\nsigned serial: 20\n"), ""},
		{"not loaded", 7, true, status("serial: 11\n"), "zone zone.example. in view out: BIND has serial 11, should be 12"},
		{"this view, without the record", 12, true, status("serial: 12\n"), "zone.example. TXT: served nothing; should be"},
		{"this view, signed, without the record", 20, true, status("serial: 12\nsigned serial: 20\n"), "served nothing"},
		{
			"no such zone", 7, true,
			system.Result{Code: 1, Stderr: []byte("rndc: 'zonestatus' failed: zone not loaded\n")},
			"rndc zonestatus zone.example. IN out: exit 1: rndc: 'zonestatus' failed: zone not loaded",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := NewProber(nil, &runner{results: []system.Result{c.status}})
			wantError(t, probe(t, b, state.Probe{
				Kind: state.ProbeServed, Address: soaServer(t, c.seen, c.authority), Origin: "zone.example.",
				View: "out", File: state.Path(file), Records: record, Within: 300 * time.Millisecond,
			}), c.want)
		})
	}
}
