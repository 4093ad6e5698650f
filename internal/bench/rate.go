package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/probe"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

const (
	clients  = 2
	messages = 300 // of each client
	slowly   = 20  // of each client, where it takes long
	// tick is a unit of the times in proc(5) stat: USER_HZ is 100 on Linux.
	tick = 10 * time.Millisecond
	lab1 = "lab.example"
)

// pace is how fast OpenDKIM signs.
type pace struct {
	rate float64       // messages a second
	cpu  time.Duration // of OpenDKIM, for one message
	rss  int64
}

// rate has clients at the milter's socket get mail of the domains signed, each
// message by the next domain, and verifies every signature.
func (h *host) rate(domains ...string) pace { return h.rateOf(messages, domains) }

func (h *host) rateOf(times int, domains []string) pace {
	var signers []state.Signer
	for _, d := range domains {
		signers = append(signers, h.signer(d))
	}
	pid := strings.TrimSpace(h.Run(h.t, "cat", "/run/opendkim/opendkim.pid"))
	errs := make([]error, clients)
	used, began := h.used(pid), time.Now()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			p := state.Probe{Kind: state.ProbeSigns, Address: h.socket(), Within: 10 * time.Minute}
			for i := range times {
				p.Signers = append(p.Signers, signers[(i*clients+c)%len(signers)])
			}
			errs[c] = probe.NewProber(nil, nil).Probe(h.t.ctx, p)
		})
	}
	wg.Wait()
	took := time.Since(began)
	for _, err := range errs {
		if err != nil {
			h.t.Fatalf("sign: %v", err)
		}
	}
	n := times * clients
	return pace{rate: float64(n) / took.Seconds(), cpu: (h.used(pid) - used) / time.Duration(n), rss: h.resident(pid)}
}

// signer is the key that the ledger on the server names for a domain.
func (h *host) signer(domain string) state.Signer {
	keys, err := keyring.ParseDomain([]byte(h.Read(h.t, string(keyring.File(domain)))))
	if err != nil || len(keys) == 0 {
		h.t.Fatalf("ledger of %s: %d keys, %v", domain, len(keys), err)
	}
	return state.Signer{From: "postmaster@" + domain, Domain: domain, Selector: keys[0].Selector, Public: keygen.Record(keys[0].Public)}
}

// used is the processor time of a process on the server, proc(5).
func (h *host) used(pid string) time.Duration {
	text := h.Run(h.t, "cat", "/proc/"+pid+"/stat")
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	user, err := strconv.Atoi(f[11])
	system, serr := strconv.Atoi(f[12])
	if err != nil || serr != nil {
		h.t.Fatalf("proc stat: %q", text)
	}
	return time.Duration(user+system) * tick
}

func (h *host) resident(pid string) int64 {
	for line := range strings.Lines(h.Run(h.t, "cat", "/proc/"+pid+"/status")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// rates compares the signer with ten thousand domains, in our tables and in
// those of the tutorials, with the same one that has a single domain.
func (h *host) rates(one pace) {
	var spread []string
	for i := range 200 { // from all over the tables
		spread = append(spread, domain(i*7919%h.n))
	}
	ours := h.rate(spread...)
	h.refile()
	theirs := h.rateOf(slowly, spread)
	fmt.Fprintf(h.out, "\nOpenDKIM, %d clients, each signature verified\n", clients)
	for _, l := range []struct {
		what string
		pace
	}{{"1 domain", one}, {"10,000 domains, as rendered here", ours}, {"10,000 domains, refile: and *@", theirs}} {
		fmt.Fprintf(h.out, "  %-36s %7.2f of 1 domain %7.0f/s %10s CPU each %8s\n", l.what, l.rate/one.rate, l.rate, short(l.cpu), mb(l.rss))
	}
	h.v.atLeast("OpenDKIM's rate with 10,000 domains, beside with 1", ours.rate/one.rate, 0.6, " x")
}

// refile gives OpenDKIM the tables that tutorials tell to write.
func (h *host) refile() {
	text := h.Read(h.t, "/etc/opendkim/SigningTable")
	var rows strings.Builder
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] != "#" {
			fmt.Fprintf(&rows, "*@%s %s\n", f[0], f[1])
		}
	}
	h.Write(h.t, "/etc/opendkim/refile", rows.String(), 0o644)
	conf := filepath.Join(h.Root(), "etc/opendkim.conf")
	b, err := os.ReadFile(conf)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	h.Write(h.t, "/etc/opendkim.conf", strings.ReplaceAll(string(b), "file:/etc/opendkim/SigningTable", "refile:/etc/opendkim/refile"), 0o644)
	h.Run(h.t, "systemctl", "restart", "opendkim")
}
