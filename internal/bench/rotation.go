package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/zonefile"
)

const (
	// shortBits are those of the successors: keys that are made five times as
	// fast let a measurement end.
	shortBits = 1024
	// shortTTL is the least that the program accepts, and how long a record has
	// to be seen before its key signs.
	shortTTL = time.Minute
)

// rotation replaces the keys of all domains at once, which are in a zone of the
// server's own BIND that this program writes as an administrator would.
func (h *host) rotation() {
	fmt.Fprintf(h.out, "\n%d keys due at once (successors of %d bits)\n", h.n+1, shortBits)
	h.Run(h.t, "mailsetup", "init", "--domain", lab1, "--yes", "--overwrite-drift") // without the tutorials' tables
	before := h.keys(shortBits, 10*samples) / (10 * samples)
	h.v.memory("rotate-dkim --now --all --dry-run", h.tick("a dry run of all", "--now", "--all", "--dry-run"))
	h.compress()
	made := h.tick("make keys", "--now", "--all")
	h.publish()
	seen := h.tick("see their records")
	time.Sleep(shortTTL)
	reloads := h.reloads()
	switched := h.tick("switch, prove")
	h.v.atMost("reloads of OpenDKIM to switch 10,000 keys", float64(h.reloads()-reloads), 1, "")
	h.v.atLeast("domains that their new key signs for", float64(h.rotated()), float64(h.n), "")
	idle := make([]cost, repeats)
	for i := range idle {
		idle[i] = h.cost("mailsetup", "rotate-dkim", "--yes")
	}
	fmt.Fprintf(h.out, "  %-30s %12s wall %12s CPU %9s\n", "nothing due", short(median(idle, wall)), short(median(idle, cpu)), mb(idle[0].rss))
	h.verdict(before, made, seen, switched)
	h.v.atMost("a tick with nothing due, 10,000 domains", median(idle, wall).Seconds(), 1, " s")
}

// verdict compares all that a rotation costs with the making of its keys. What
// it costs beside them does not depend on their size, so that is set beside the
// usual size.
func (h *host) verdict(key time.Duration, ticks ...cost) {
	all := time.Duration(0)
	for i, c := range ticks {
		all += c.cpu
		h.v.memory([]string{"10,000 keys are made", "their records are seen", "they begin to sign"}[i], c)
	}
	each := all / time.Duration(h.n+1)
	usual := h.keys(2048, 3*samples) / (3 * samples)
	fmt.Fprintf(h.out, "  %-30s %12s CPU, of which its key %s\n", "each domain", short(each), short(key))
	h.v.atMost("CPU of a rotation, beside that of a key of 2,048 bits", float64(each-key+usual)/float64(usual), 1.25, " x")
}

// compress lets a rotation last minutes.
func (h *host) compress() {
	h.Sh(h.t, fmt.Sprintf(`sed -i 's/^lag = .*/lag = "1s"/' /etc/mailsetup/host.toml
cd /etc/mailsetup/domains.d && ls | xargs sed -i -e 's/^ttl = .*/ttl = %.0f/' -e 's/^key_bits = .*/key_bits = %d/'`, shortTTL.Seconds(), shortBits))
}

// tick is a run of rotate-dkim.
func (h *host) tick(what string, more ...string) cost {
	c := h.cost(append([]string{"sh", "-c", `mailsetup rotate-dkim --yes "$@" >/root/out; test $? = 0 -o $? = 3`, "sh"}, more...)...)
	fmt.Fprintf(h.out, "  %-30s %12s wall %12s CPU %9s\n", what, short(c.wall), short(c.cpu), mb(c.rss))
	return c
}

func (h *host) reloads() int {
	return strings.Count(h.Run(h.t, "journalctl", "-u", "opendkim", "-o", "cat", "--no-pager"), "Reloaded ")
}

// ledgers calls f with the keys of every domain.
func (h *host) ledgers(f func(domain string, keys []keyring.Key)) {
	for i := range h.n {
		text, err := os.ReadFile(filepath.Join(h.Root(), string(keyring.File(domain(i)))))
		if err != nil {
			h.t.Fatalf("%v", err)
		}
		keys, err := keyring.ParseDomain(text)
		if err != nil {
			h.t.Fatalf("%v", err)
		}
		f(domain(i), keys)
	}
}

// publish puts the records of the keys into a zone of each domain.
func (h *host) publish() {
	const dir = "/etc/bind/bench"
	h.Run(h.t, "install", "-d", "-m", "755", dir)
	conf := h.Read(h.t, "/etc/bind/named.conf.local")
	h.ledgers(func(domain string, keys []keyring.Key) {
		text := "$TTL 60\n@ IN SOA mail.lab.example. hostmaster ( 2 3600 600 86400 60 )\n@ IN NS mail.lab.example.\n"
		for _, k := range keys {
			text += k.Selector + "._domainkey IN TXT " + zonefile.Rdata(state.Record{Type: "TXT", Value: keygen.Record(k.Public)}) + "\n"
		}
		file := dir + "/" + domain
		if err := os.WriteFile(filepath.Join(h.Root(), file), []byte(text), 0o644); err != nil {
			h.t.Fatalf("%v", err)
		}
		conf += fmt.Sprintf("zone %q { type primary; file %q; };\n", domain, file)
	})
	h.Write(h.t, "/etc/bind/named.conf.local", conf, 0o644)
	h.Run(h.t, "systemctl", "restart", "named")
	h.Sh(h.t, "for i in $(seq 300); do dig +short @127.0.0.1 "+domain(h.n-1)+" NS | grep -q mail && exit 0; sleep 0.2; done; exit 1")
}

// rotated is how many domains have their second key active.
func (h *host) rotated() int {
	n := 0
	h.ledgers(func(_ string, keys []keyring.Key) {
		if len(keys) == 2 && keys[0].Stage == keyring.Draining && keys[1].Stage == keyring.Active {
			n++
		}
	})
	return n
}
