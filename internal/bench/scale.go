package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/e2e/lab"
	"mailsetup/keygen"
)

// The sizes of the servers on which one domain more is added.
var sizes = []int{1, 100, 1_000, 10_000}

const (
	many    = 1_000 // domains that one run adds
	samples = 20    // domains to tell what one more costs
	looped  = 100   // keys of opendkim-genkey
	repeats = 5
	release = "trixie"
)

// host is a booted Debian server with Postfix, OpenDKIM and this program.
type host struct {
	*lab.Box
	t   *bencher
	out io.Writer
	v   *verdicts
	n   int // domains it has been furnished with
}

// scale measures servers with many domains, on a real one.
func scale(ctx context.Context, out io.Writer, v *verdicts) error {
	t := &bencher{ctx: ctx}
	return t.run(func() {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Disk: true})
		b.Named(t, lab1)
		// The names of the domains do not exist, and their DNS says so.
		b.Zone(t, "example", `zone "example" { type primary; file "/etc/bind/db.example"; };`,
			"$TTL 3600\n@ IN SOA ns hostmaster ( 1 3600 600 86400 300 )\n@ IN NS ns\nns IN A 192.0.2.10\n")
		b.Sink(t)
		b.Install(t)
		h := &host{Box: b, t: t, out: out, v: v}
		h.Run(t, "mailsetup", "init", "--domain", lab1, "--ip", b.Addr, "--dns", "manual", "--yes")
		one := h.rate(lab1)
		h.addMany()
		h.grow()
		h.again()
		h.rates(one)
		h.rotation()
	})
}

// timer runs a command and says, on the last line of stderr, what it took:
// wall clock and processor time in seconds, the most memory in KiB. Asked from
// here, the kernel would count the memory of this program as the command's.
const timer = `import resource, subprocess, sys, time
began = time.time()
run = subprocess.run(sys.argv[1:])
wall, used = time.time() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.write("\n%f %f %d\n" % (wall, used.ru_utime + used.ru_stime, used.ru_maxrss))
sys.exit(run.returncode)`

// cost runs a command on the server.
func (h *host) cost(argv ...string) cost {
	_, said, code := h.Exec(h.t.ctx, nil, append([]string{"python3", "-c", timer}, argv...)...)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	var wall, used float64
	var kib int64
	if _, err := fmt.Sscan(lines[len(lines)-1], &wall, &used, &kib); err != nil || code != 0 {
		h.t.Fatalf("%s: exit status %d, %v\n%s", strings.Join(argv, " "), code, err, said)
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return cost{seconds(wall), seconds(used), kib << 10}
}

// addMany adds a thousand domains in one run, and compares that with the mere
// making of their keys, here and by opendkim-genkey. Half of those are made
// before and half after it: a processor does not always run at the same speed.
//
// A run can beat the loop by no more than a key here is cheaper than one there,
// times the processors, since the loop uses one of them: that is the ceiling.
func (h *host) addMany() {
	fmt.Fprintf(h.out, "\n%d domains by one add-domain (Debian %s)\n", many, release)
	names := make([]string, 0, many)
	for i := range many {
		names = append(names, fmt.Sprintf("m%05d.example", i))
	}
	h.Write(h.t, "/root/domains", strings.Join(names, "\n")+"\n", 0o644)
	before, loop := h.keys(2048, many/2), h.genkey(looped/2)
	all := h.cost("mailsetup", "add-domain", "--from-file", "/root/domains", "--yes")
	after, again := h.keys(2048, many/2), h.genkey(looped/2)
	pure := before + after
	loop = (loop + again) * many / looped
	ratio, ceiling := float64(loop)/float64(all.wall), float64(runtime.GOMAXPROCS(0))*float64(loop)/float64(pure)
	fmt.Fprintf(h.out, "  %-46s %12s CPU  %9s  %s\n", "mailsetup add-domain --from-file", short(all.cpu), short(all.wall), mb(all.rss))
	fmt.Fprintf(h.out, "  %-46s %12s CPU\n", "the keys alone, half before, half after", short(pure))
	fmt.Fprintf(h.out, "  %-46s %12s CPU, %s\n", "", short(before), short(after))
	fmt.Fprintf(h.out, "  %-46s %16s  %9s\n", fmt.Sprintf("opendkim-genkey in a loop (%d, scaled)", looped), "", short(loop))
	fmt.Fprintf(h.out, "  %-46s %16s  %8.2fx\n", fmt.Sprintf("the same beside ours; %d processors allow %.2fx", runtime.GOMAXPROCS(0), ceiling), "", ratio)
	h.v.atMost("CPU of 1,000 added domains, beside that of their keys", float64(all.cpu)/float64(pure), 1.10, " x")
	h.v.atLeastIn("a loop of opendkim-genkey, beside 1,000 added domains", ratio, 5, ceiling, " x")
	h.v.memory("1,000 domains are added", all)
	h.Run(h.t, "mailsetup", "rollback", "--yes")
}

// genkey is how long a loop of opendkim-genkey takes for n keys.
func (h *host) genkey(n int) time.Duration {
	return h.cost("sh", "-c", fmt.Sprintf("cd /tmp; for i in $(seq %d); do opendkim-genkey -b 2048 -s s$i -d lab.example; done", n)).wall
}

// keys is the processor time that n keys take, made as the program makes them.
func (h *host) keys(bits, n int) time.Duration {
	all := make([]int, n)
	for i := range all {
		all[i] = bits
	}
	began, err := ownCPU()
	if err == nil {
		err = keygen.GenerateAll(h.t.ctx, all, func(int, *keygen.Key) {})
	}
	ended, cerr := ownCPU()
	if err != nil || cerr != nil {
		h.t.Fatalf("keys: %v, %v", err, cerr)
	}
	return ended - began
}

// grow adds domains to servers of each size: one as people do, and for the cost of
// each of many some with small keys, since making keys would hide it.
func (h *host) grow() {
	fmt.Fprint(h.out, "\nOne domain more (of 2,048 bits; 20 more of 1,024)\n"+
		"     present   run for one: wall         CPU    memory    each of 20 more: CPU\n")
	var first, last time.Duration
	for _, n := range sizes {
		h.furnish(n)
		ones, small, twenties := make([]cost, repeats), make([]cost, repeats), make([]cost, repeats)
		rss := int64(0)
		for i := range repeats {
			ones[i] = h.add(fmt.Sprintf("one-%d-%d", n, i), 1, 2048)
			small[i] = h.add(fmt.Sprintf("small-%d-%d", n, i), 1, 1024)
			twenties[i] = h.add(fmt.Sprintf("twenty-%d-%d", n, i), 1+samples, 1024)
			rss = max(rss, ones[i].rss, twenties[i].rss)
		}
		each := (median(twenties, cpu) - median(small, cpu)) / samples
		fmt.Fprintf(h.out, "  %10d %19s %11s %9s %23s\n", n, short(median(ones, wall)), short(median(ones, cpu)), mb(rss), short(each))
		if n == sizes[0] {
			first = each
		}
		last = each
		if n == sizes[len(sizes)-1] {
			h.v.atMost("adding one to 10,000 domains, wall clock", median(ones, wall).Seconds(), 1, " s")
			h.v.memory("one to 20 domains more than 10,000", cost{rss: rss})
		}
	}
	h.v.atMost("cost of each further domain with 10,000, beside with 1", float64(last)/float64(first), 1.5, " x")
}

// add adds domains whose names begin with a word of their own, and takes them
// back, so that there are no more than before.
func (h *host) add(word string, domains, bits int) cost {
	argv := []string{"mailsetup", "add-domain", "--yes", "--key-bits", strconv.Itoa(bits)}
	for i := range domains {
		argv = append(argv, fmt.Sprintf("%s-%d.example", word, i))
	}
	c := h.cost(argv...)
	h.Run(h.t, "mailsetup", "rollback", "--yes")
	return c
}

// furnish gives the server n domains in all, as earlier runs would have left
// them, and lets the program take note of them.
func (h *host) furnish(n int) {
	if n > h.n+1 {
		if err := furnish(h.Root(), h.n, n-1); err != nil {
			h.t.Fatalf("%v", err)
		}
		h.n = n - 1
		h.Sh(h.t, "chown -R opendkim:opendkim /etc/dkimkeys")
	}
	c := h.cost("mailsetup", "init", "--domain", lab1, "--yes")
	if n == sizes[len(sizes)-1] {
		h.v.memory("init, which sees 10,000 domains for the first time", c)
	}
}

// again is a run that finds nothing to do.
func (h *host) again() {
	fmt.Fprintln(h.out, "\nNothing to do, with 10,000 domains")
	for _, argv := range [][]string{
		{"mailsetup", "init", "--domain", lab1, "--yes"},
		{"mailsetup", "add-domain", domain(0), "--yes"},
	} {
		runs := make([]cost, repeats)
		rss := int64(0)
		for i := range runs {
			runs[i] = h.cost(argv...)
			rss = max(rss, runs[i].rss)
		}
		name := strings.Join(argv[:2], " ")
		fmt.Fprintf(h.out, "  %-30s %12s wall %12s CPU %9s\n", name, short(median(runs, wall)), short(median(runs, cpu)), mb(rss))
		h.v.atMost("nothing to do with 10,000 domains: "+name, median(runs, wall).Seconds(), 1, " s")
		h.v.memory(strings.Join(argv[:2], " ")+", nothing to do", cost{rss: rss})
	}
}

// socket is the signer's, as this machine sees it.
func (h *host) socket() string {
	return filepath.Join(h.Root(), "var/spool/postfix/opendkim/opendkim.sock")
}

// cannot says why no server can be booted here, "" if one can.
func cannot() string {
	if os.Geteuid() != 0 {
		return "not root"
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return "not a Debian-like machine"
	}
	return ""
}
