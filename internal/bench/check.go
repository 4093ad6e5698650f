package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/zonefile"
)

const (
	// dnsChecks are the groups that ask DNS about each domain.
	dnsChecks = "spf,dkim,dmarc,mx,addr"
	checked   = 10_000 // domains
	// far is how much longer an answer takes from name servers elsewhere.
	far = 50 * time.Millisecond
)

// checks measures mailsetup check on a server with many domains, beside the only other
// tool that looks at the keys of a server in DNS.
func checks(ctx context.Context, out io.Writer, v *verdicts) error {
	t := &bencher{ctx: ctx}
	return t.run(func() {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Disk: true})
		h := &host{Box: b, t: t, out: out, v: v}
		b.Named(t, lab1)
		b.Zone(t, "example", `zone "example" { type primary; file "/etc/bind/db.example"; };`, parentZone(checked))
		b.Sink(t)
		b.Install(t)
		h.Run(t, append([]string{"mailsetup"}, append(lab.InitArgs(), "--receive", "yes")...)...)
		h.takeMail()
		one := h.check(3, "", "mailsetup check, one domain, mail included", lab1)
		v.atMost("mailsetup check of one domain, everything", one.wall.Seconds(), 5, " s")
		h.serveDomains(many)
		h.checkBesideTestkey()
		h.serveDomains(checked)
		h.checkAll()
	})
}

// takeMail has Postfix take the mail of all domains, as init leaves to the administrator.
func (h *host) takeMail() {
	var table strings.Builder
	fmt.Fprintf(&table, "%s x\n", lab1)
	for i := range checked {
		fmt.Fprintf(&table, "%s x\n", domain(i))
	}
	h.Write(h.t, "/etc/postfix/domains", table.String(), 0o644)
	h.Sh(h.t, "postmap hash:/etc/postfix/domains; postconf -e virtual_alias_domains=hash:/etc/postfix/domains; postfix reload")
}

// parentZone delegates the domains.
func parentZone(n int) string {
	var s strings.Builder
	s.WriteString("$TTL 3600\n@ IN SOA mail.lab hostmaster.lab ( 1 3600 600 86400 300 )\n@ IN NS mail.lab\nlab NS mail.lab\nmail.lab A 192.0.2.10\n")
	for i := range n {
		fmt.Fprintf(&s, "%s. NS mail.lab\n", domain(i))
	}
	return s.String()
}

// serveDomains furnishes the server with n domains in all that are right, each with its
// zone.
func (h *host) serveDomains(n int) {
	zones, list, err := furnishZones(h.Root(), h.n, n)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	h.n = n
	h.Write(h.t, "/etc/bind/named.conf.local", h.Read(h.t, "/etc/bind/named.conf.local")+zones, 0o644)
	h.Write(h.t, "/root/keys", list, 0o644)
	h.Sh(h.t, "chown -R opendkim:opendkim /etc/dkimkeys; cut -d ' ' -f 1 /root/keys >/root/domains; systemctl restart named")
	h.serves()
}

// serves waits until BIND has loaded the zones.
func (h *host) serves() {
	h.Sh(h.t, "for i in $(seq 300); do dig +short @127.0.0.1 "+domain(h.n-1)+" NS | grep -q mail && exit 0; sleep 0.2; done; exit 1")
}

// furnishZones writes what furnish does, for domains that receive, and a zone of each
// domain. It returns the statements of named.conf for them, and lines of domain, selector
// and key file.
func furnishZones(root string, from, to int) (zones, list string, err error) {
	if err := furnish(root, from, to); err != nil {
		return "", "", err
	}
	const dir = "/etc/bind/bench"
	if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
		return "", "", err
	}
	var statements, keyFiles strings.Builder
	for i := from; i < to; i++ {
		d := wished(domain(i))
		d.Receive = true
		text, err := os.ReadFile(filepath.Join(root, string(keyring.File(d.Name))))
		if err != nil {
			return "", "", err
		}
		keys, err := keyring.ParseDomain(text)
		if err != nil {
			return "", "", err
		}
		file := dir + "/" + d.Name
		zone := "$TTL 3600\n@ IN SOA mail.lab.example. hostmaster ( 2 3600 600 86400 60 )\n@ IN NS mail.lab.example.\n" +
			"@ IN MX 10 mail.lab.example.\n@ IN TXT \"v=spf1 ip4:192.0.2.10 mx ~all\"\n_dmarc IN TXT \"v=DMARC1; p=none\"\n" +
			keys[0].Selector + "._domainkey IN TXT " + zonefile.Rdata(state.Record{Type: "TXT", Value: keygen.Record(keys[0].Public)}) + "\n"
		for path, text := range map[string][]byte{string(spec.DomainFile(d.Name)): spec.MarshalDomain(d), file: []byte(zone)} {
			if err := os.WriteFile(filepath.Join(root, path), text, 0o644); err != nil {
				return "", "", err
			}
		}
		fmt.Fprintf(&statements, "zone %q { type primary; file %q; };\n", d.Name, file)
		fmt.Fprintln(&keyFiles, d.Name, keys[0].Selector, keys[0].File)
	}
	return statements.String(), keyFiles.String(), nil
}

// check runs mailsetup check several times, which has to find no problem, and returns the
// middle one of the runs.
func (h *host) check(times int, flags, what string, domains ...string) cost {
	runs := make([]cost, times)
	rss := int64(0)
	for i := range runs {
		runs[i] = h.cost("sh", "-c", "mailsetup check "+flags+" "+strings.Join(domains, " ")+" >/root/out || { head -40 /root/out >&2; exit 1; }")
		rss = max(rss, runs[i].rss)
	}
	c := cost{median(runs, wall), median(runs, cpu), rss}
	fmt.Fprintf(h.out, "  %-46s %12s CPU  %9s  %s\n", what, short(c.cpu), short(c.wall), mb(c.rss))
	return c
}

// looked fails unless the last check found so many things right, and nothing unknown.
func (h *host) looked(n int) {
	h.Run(h.t, "python3", "-c", `import re, sys
found = re.search(r"(\d+) unknown, \d+ notes?, (\d+) ok", open("/root/out").read())
sys.exit(0 if found and found[1] == "0" and int(found[2]) >= int(sys.argv[1]) else "not all was found: %s" % found)`, fmt.Sprint(n))
}

// checkBesideTestkey compares checks of a thousand domains with a loop of
// opendkim-testkey, which looks at keys alone.
func (h *host) checkBesideTestkey() {
	fmt.Fprintf(h.out, "\nmailsetup check of %d domains, beside opendkim-testkey\n", many)
	// Without Nameservers it would ask the root servers of the Internet.
	h.Write(h.t, "/root/testkey.conf", "Nameservers 127.0.0.1\n", 0o644)
	loop := h.cost("sh", "-c", "while read d s k; do opendkim-testkey -x /root/testkey.conf -d $d -s $s -k $k || exit 1; done </root/keys")
	keys := h.check(3, "--only dkim", "mailsetup check --only dkim", "$(cat /root/domains)")
	h.looked(4 * many) // dkim.record, .match, .one, .bits
	all := h.check(3, "--only "+dnsChecks, "mailsetup check --only "+dnsChecks, "$(cat /root/domains)")
	h.looked(20 * many)
	fmt.Fprintf(h.out, "  %-46s %12s CPU  %9s\n", "opendkim-testkey -d -s -k in a loop", short(loop.cpu), short(loop.wall))
	h.v.atLeast("a loop of opendkim-testkey, beside check --only dkim", float64(loop.wall)/float64(keys.wall), 20, " x")
	h.v.atLeast("the same, beside all that asks DNS", float64(loop.wall)/float64(all.wall), 5, " x")
}

// checkAll checks all domains, with name servers here and far away.
func (h *host) checkAll() {
	fmt.Fprintf(h.out, "\nmailsetup check of %d domains\n", checked)
	here := h.check(1, "--only "+dnsChecks, "name servers on this machine")
	h.looked(20 * checked)
	h.v.atMost("check of 10,000 domains", here.wall.Seconds(), 30, " s")
	h.v.atMost("peak memory of that", float64(here.rss)/1e6, 100, " MB")
	// The answers of every address of the name server come late.
	h.Sh(h.t, `sed -i 's/^options {/&\n\tlisten-on { 127.0.0.1; };/' /etc/bind/named.conf.options; systemctl restart named`)
	h.serves()
	h.Delay(h.t, "192.0.2.10:53", "127.0.0.1:53", far)
	away := h.check(1, "--only "+dnsChecks+" --resolver 192.0.2.10", fmt.Sprintf("name servers %v away", far))
	h.looked(20 * checked)
	h.v.atMost("the same with name servers 50 ms away, beside that", float64(away.wall)/float64(here.wall), 2, " x")
	h.v.atMost("peak memory of that", float64(away.rss)/1e6, 100, " MB")
}
