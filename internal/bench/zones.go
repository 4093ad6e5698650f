package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/dnsexport"
	"mailsetup/internal/e2e/lab"
	"mailsetup/keygen"
)

// newZone are the flags of add-domain by which each domain gets a zone here.
var newZone = []string{"--dns-new-zone", "--ns", "mail.lab.example"}

// zones measures a server whose BIND has a zone for each domain.
func zones(ctx context.Context, out io.Writer, v *verdicts) error {
	t := &bencher{ctx: ctx}
	return t.run(func() {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Disk: true})
		h := &host{Box: b, t: t, out: out, v: v}
		// The log of named tells which zones it has read, and must not lose any.
		h.Write(t, "/etc/systemd/journald.conf.d/bench.conf", "[Journal]\nRateLimitIntervalSec=0\n", 0o644)
		h.Run(t, "systemctl", "restart", "systemd-journald")
		b.Named(t, lab1)
		b.Sink(t)
		b.Install(t)
		h.parent()
		h.Run(t, "mailsetup", "init", "--domain", lab1, "--ip", b.Addr, "--dns", "bind", "--yes")
		h.newZones(zonesAtOnce())
		h.manyZones(10 * zonesAtOnce())
	})
}

// zonesAtOnce is how many zones are new in one run; there are ten times as many then.
// Fewer than usual tell nothing of what was promised, but let a change be tried.
func zonesAtOnce() int {
	if n, err := strconv.Atoi(os.Getenv("MAILSETUP_BENCH_ZONES")); err == nil && n > 0 {
		return n
	}
	return many
}

// newZones adds domains of printed records, and then as many with a zone each, on a
// server whose resolver says of them: they do not exist, SERVFAIL, and nothing for a
// while.
func (h *host) newZones(n int) {
	fmt.Fprintf(h.out, "\n%d domains by one add-domain --from-file (Debian %s)\n", n, release)
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("m%05d.example", i))
	}
	h.Write(h.t, "/root/domains", strings.Join(names, "\n")+"\n", 0o644)
	printed := h.added("records are printed", "--dns", "manual")
	here := h.added("a zone each", newZone...)
	h.delegate(parentAddr, names...)
	failing := h.added("a zone each, the resolver says SERVFAIL", newZone...)
	h.farAway()
	away := h.added(fmt.Sprintf("a zone each, name servers %v away", far), newZone...)
	h.nearby()
	h.v.atMost(fmt.Sprintf("%d new zones, beside as many domains of printed records", n), ratio(here, printed), 1.5, " x")
	h.v.atMost("the same with SERVFAIL, beside with NXDOMAIN", ratio(failing, here), 1.5, " x")
	h.v.atMost("the same with name servers 50 ms away, beside without", ratio(away, here), 1.5, " x")
}

func ratio(a, b cost) float64 { return float64(a.wall) / float64(b.wall) }

// added adds the domains of the list, and takes them back.
func (h *host) added(what string, flags ...string) cost {
	c := h.told(what, 1, append([]string{"mailsetup", "add-domain", "--from-file", "/root/domains", "--yes"}, flags...)...)
	h.told("  taken back", 1, "mailsetup", "rollback", "--yes")
	return c
}

// quietly runs a command, which may find something to do or to say.
const quietly = `"$@" >/root/out 2>/root/err; c=$?; test $c = 0 -o $c = 3 && exit 0; tail -n 30 /root/err >&2; exit $c`

// told runs a command several times and prints the middle of what it cost, and what named
// did meanwhile in all runs.
func (h *host) told(what string, times int, argv ...string) cost {
	read, named := h.zonesRead(), h.unitTime("named")
	costs, rss := make([]cost, times), int64(0)
	for i := range costs {
		costs[i] = h.cost(append([]string{"sh", "-c", quietly, "sh"}, argv...)...)
		rss = max(rss, costs[i].rss)
	}
	c := cost{median(costs, wall), median(costs, cpu), rss}
	fmt.Fprintf(h.out, "  %-44s %9s wall %9s CPU %7s", what, short(c.wall), short(c.cpu), mb(c.rss))
	if read = h.zonesRead() - read; read > 0 {
		fmt.Fprintf(h.out, "; named %s CPU, %d zones read", short(h.unitTime("named")-named), read)
	}
	fmt.Fprintln(h.out)
	return c
}

// zonesRead is how many zones named has read so far, one that it read twice counted twice.
func (h *host) zonesRead() int {
	h.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(h.Sh(h.t, "journalctl --sync; journalctl -u named -o cat --no-pager | grep -c '/IN: loaded serial' || true")))
	if err != nil {
		h.t.Fatalf("log of named: %v", err)
	}
	return n
}

// manyZones gives the server many zones, and looks at runs about few of them, about none,
// and about all.
func (h *host) manyZones(n int) {
	fmt.Fprintf(h.out, "\nA server with %d zones\n", n)
	h.Sh(h.t, `sed -i 's/^lag = .*/lag = "1s"/' /etc/mailsetup/host.toml`)
	h.delegate(parentAddr, allDomains(n)...)
	h.v.memory(fmt.Sprintf("init, which sees %d zones for the first time", n), h.told("init, which sees them for the first time", 1, h.furnishServed(n)...))
	idle := h.told("init, nothing to do", repeats, "mailsetup", "init", "--domain", lab1, "--yes")
	h.v.atMost(fmt.Sprintf("init with nothing to do, %d zones", n), idle.wall.Seconds(), 0.5, " s")
	parse := h.told("named-checkconf -p", repeats, "named-checkconf", "-p")
	reconfig := h.told("rndc reconfig", repeats, "rndc", "reconfig")
	ones, read := make([]cost, repeats), 0
	for i := range ones {
		before := h.zonesRead()
		ones[i] = h.told("one domain more", 1, append([]string{"mailsetup", "add-domain", "--yes", fmt.Sprintf("one-%d.example", i)}, newZone...)...)
		read = max(read, h.zonesRead()-before)
		h.told("  taken back", 1, "mailsetup", "rollback", "--yes")
	}
	allowed := max(0.7, 1.5*(parse.wall+reconfig.wall).Seconds())
	h.v.atMost(fmt.Sprintf("one domain more with %d zones", n), median(ones, wall).Seconds(), allowed, " s")
	h.v.atMost("zones that named reads for it", float64(read), 1, "")
	h.commands()
	h.rotateServed(n)
}

// allDomains are the first n.
func allDomains(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = domain(i)
	}
	return names
}

// ageKey is a recipient of a backup. One with a passphrase takes 256 MB to make the key of it,
// however many domains there are: that is what scrypt is for.
const ageKey = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// commands runs each command that there is with all domains.
func (h *host) commands() {
	fmt.Fprintln(h.out, "\nEvery command, and the most memory that it had")
	lines := []string{
		"init --domain lab.example --dry-run", "list", "list --json", "status", "status --json", "history", "history --json",
		"dns", "dns --json", "dns --wait --timeout 0", "rotate-dkim --yes", "rotate-dkim --now --all --dry-run",
		"backup --recipient " + ageKey + " --overwrite /root/mail.backup", "adopt --dry-run", "inbound --dry-run --yes", "check --offline", "check", "check --json",
		"remove-domain " + domain(1) + " --yes", "rollback --dry-run", "rollback --yes",
	}
	for _, form := range dnsexport.Forms() {
		lines = append(lines, "dns --format "+form)
	}
	for _, line := range lines {
		h.v.memory(line, h.told(line, 1, append([]string{"mailsetup"}, strings.Fields(line)...)...))
	}
}

// rotateServed replaces the keys of all domains, whose zones the program writes itself.
func (h *host) rotateServed(n int) {
	fmt.Fprintf(h.out, "\n%d keys in as many zones due at once (successors of %d bits)\n", n+1, shortBits)
	brief, usual := h.keysWall(shortBits, n), h.keysWall(2048, n)
	before := h.zonesRead()
	made := h.told("make and publish", 1, "mailsetup", "rotate-dkim", "--yes", "--now", "--all")
	read := h.zonesRead() - before
	time.Sleep(shortTTL + 2*time.Second)
	before, reloads := h.zonesRead(), h.reloads()
	switched := h.told("switch, prove", 1, "mailsetup", "rotate-dkim", "--yes")
	again := h.zonesRead() - before
	// What a rotation costs beside its keys does not depend on their size, so that is set
	// beside the usual size.
	all := made.wall + switched.wall - brief + usual
	fmt.Fprintf(h.out, "  the keys alone %s, of 2,048 bits %s\n", short(brief), short(usual))
	h.v.atMost(fmt.Sprintf("a rotation of %d keys in as many zones, beside the keys", n), float64(all)/float64(usual), 1.3, " x")
	h.v.atMost("the tick of it that switches them, beside the keys", float64(switched.wall)/float64(usual), 1.3, " x")
	h.v.atLeast("domains that their new key signs for", float64(h.rotated()), float64(n), "")
	h.v.atMost("reloads of OpenDKIM to switch them", float64(h.reloads()-reloads), 1, "")
	h.v.atMost("zones that named reads for that", float64(again), 0, "")
	h.v.atMost("zones that named reads to publish them", float64(read), float64(n+1), "")
	h.v.memory(fmt.Sprintf("%d keys and their zones are made", n), made)
	h.v.memory(fmt.Sprintf("%d keys begin to sign", n), switched)
}

// keysWall is how long n keys take, made on all processors: some of them, scaled.
func (h *host) keysWall(bits, n int) time.Duration {
	some := make([]int, 10*samples)
	for i := range some {
		some[i] = bits
	}
	began := time.Now()
	if err := keygen.GenerateAll(h.t.ctx, some, func(int, *keygen.Key) {}); err != nil {
		h.t.Fatalf("keys: %v", err)
	}
	return time.Since(began) * time.Duration(n) / time.Duration(len(some))
}
