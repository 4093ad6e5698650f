//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// further are the domains that are added, in a list from another system.
const further = "# added in one run\r\nbücher.example\r\nshop.example\r\n\r\nblog.example\r\n"

// TestDomains: three further domains in one run, of which one is international,
// and which sign their subdomains, too; two with records of their own, which do
// not; one as host.toml says; and, on one release, eight in a terminal and hundreds.
func TestDomains(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := signing(t, release)
		b.NamedAll(t, "xn--bcher-kva.example", "shop.example", "blog.example", "lean.example", "full.example", "usual.example")
		b.Named(t, "vendor.example", `_spf IN TXT "v=spf1 ip4:198.51.100.25 -all"`)
		b.Write(t, "/root/domains", further, 0o644)
		was, pid := treeOf(t, b), mainPID(t, b)
		out, said := product(t, b, 0, "add-domain", "--yes", "--subdomains", "--from-file", "/root/domains")
		if n := strings.Count(said, "OpenDKIM: reload opendkim.service"); n != 1 || strings.Contains(said, "restart") {
			t.Errorf("%d reloads of OpenDKIM:\n%s", n, said)
		}
		if got := mainPID(t, b); got != pid {
			t.Errorf("OpenDKIM was started again: %s, was %s", got, pid)
		}
		saysNot(t, out, "of lab.example")
		for path, is := range treeOf(t, b) {
			if old, there := was[path]; there && old != is && strings.Contains(path, "lab.example") {
				t.Errorf("%s was %s, is %s", path, old, is)
			}
		}
		keys := map[string]bool{}
		for _, from := range []string{
			"ann@xn--bcher-kva.example", "ann@shop.example", "ann@blog.example", "ann@dept.shop.example", "ann@lab.example",
		} {
			_, domain, _ := strings.Cut(strings.Replace(from, "dept.", "", 1), "@")
			msg := sent(t, b, sink, from)
			signedBy(t, b, msg, domain)
			keys[b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", lab.VerifyDKIM(t, b, msg)[0].Selector+"._domainkey."+domain)] = true
		}
		if len(keys) != 4 {
			t.Errorf("%d keys for 4 domains", len(keys))
		}
		noProblem(t, b)
		nothingChanges(t, b, "add-domain", "--yes", "--from-file", "/root/domains")
		ownRecords(t, b, sink)
		asTheHostSays(t, b)
		nothingChanges(t, b, initArgs()...)
		if release == "trixie" { // no program of Debian has a say, and hundreds of keys take their time
			manyInATerminal(t, b)
			filesAreRemembered(t, b)
		}
	})
}

// filesAreRemembered has so many domains that their files are read only when they
// changed. An edit counts that leaves file, size and time as they were.
func filesAreRemembered(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `seq -f "r%03g.example" 210 >/root/many`)
	product(t, b, 0, "add-domain", "--yes", "--key-bits", "1024", "--dns", "manual", "--from-file", "/root/many")
	b.Sh(t, "sleep 3") // what changed just now is read again
	out, _ := product(t, b, 0, initArgs()...)
	says(t, out, "Nothing to do")
	if got := b.Sh(t, "cd /var/lib/mailsetup; stat -c '%n %a %U' cache cache/domains cache/ledgers; grep -c ^domain cache/domains"); got != "cache 700 root\ncache/domains 600 root\ncache/ledgers 600 root\n225\n" {
		t.Errorf("remembered: %s", got)
	}
	nothingChanges(t, b, initArgs()...)
	b.Sh(t, `f=/etc/mailsetup/domains.d/r007.example.toml
cp -p $f /root/before
sed 's/^subdomains = false/subdomains = true /' /root/before >/root/after
cat /root/after >$f
touch -r /root/before $f`)
	out, _ = product(t, b, 0, "init", "--domain", "lab.example", "--dry-run")
	says(t, out, "+.r007.example 202")
	saysNot(t, out, "r008.example 202")
}

// manyInATerminal adds eight domains after one question, while a line tells how
// many keys there are; a no, and Ctrl-C at that line, change nothing.
func manyInATerminal(t *testing.T, b *lab.Box) {
	t.Helper()
	command := "mailsetup add-domain --dns manual"
	for c := 'a'; c <= 'h'; c++ {
		command += " " + string(c) + ".example"
	}
	term, was := openTerminal(t, b), treeOf(t, b)
	for i, c := range []struct{ bits, answer, end string }{
		{"2048", "n", "exit=1\n"},
		{"4096", "y", "exit=130\n"},
		{"3072", "y", "exit=0\n"}, // long enough to be looked at
	} {
		term.begins(t, command+" --key-bits "+c.bits)
		term.sees(t, confirmQuestion, "ctrl+c")
		term.types(t, c.answer)
		if c.answer == "y" {
			term.sees(t, "making 8 keys, on all processors\n[", "] keys made: ", " of 8")
		}
		if c.end == "exit=130\n" {
			term.types(t, "C-c")
		}
		term.sees(t, c.end)
		if n := strings.Count(term.scrolled(t), confirmQuestion); n != i+1 {
			t.Errorf("%d questions in %d runs:\n%s", n, i+1, term.scrolled(t))
		}
		if c.end != "exit=0\n" {
			same(t, was, treeOf(t, b))
		}
	}
	if keys := b.Sh(t, "ls /etc/dkimkeys/?.example/*.private | wc -l"); keys != "8\n" {
		t.Errorf("keys of eight domains: %s", keys)
	}
}

func mainPID(t *testing.T, b *lab.Box) string {
	t.Helper()
	return b.Run(t, "systemctl", "show", "-p", "MainPID", "opendkim.service")
}

// sent is a message as it arrives.
func sent(t *testing.T, b *lab.Box, sink *lab.Sink, from string) []byte {
	t.Helper()
	before := sink.Count()
	if said, taken := b.Send(t, lab.Letter{From: from, To: "bob@remote.example", Subject: "from " + from, Body: "hello"}); !taken {
		t.Fatalf("SMTP on port 25: %s", said)
	}
	return sink.Wait(t, before+1, 90*time.Second)[before].Data
}

// removal boots a server with two further domains, one of them in a zone that
// the product made.
func removal(t *testing.T, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b, sink := signing(t, release)
	b.Named(t, "shop.example", "www IN A 192.0.2.80")
	b.Named(t, "new.example")
	out, _ := product(t, b, 0, "add-domain", "--yes", "--receive", "yes", "shop.example")
	says(t, strings.Join(strings.Fields(out), " "), `Postfix does not take mail for shop.example yet: others are told "Relay access denied"`)
	if said, taken := b.Send(t, lab.Letter{From: "ann@remote.example", To: "ann@shop.example", Client: "198.51.100.7", Subject: "from outside"}); taken || !strings.Contains(said, "Relay access denied") {
		t.Errorf("mail to shop.example from outside: %s", said)
	}
	product(t, b, 0, "add-domain", "--yes", "--receive", "yes", "--dns", "bind", "--dns-new-zone", "--ns", "mail.lab.example", "blog.example")
	return b, sink
}

// TestRemoveDomain: rows at once, the record once nobody needs it, then the key.
func TestRemoveDomain(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := removal(t, release)
		msg := sent(t, b, sink, "ann@shop.example")
		signedBy(t, b, msg, "shop.example")
		added, zone := withoutMade(look(t, b)), serialOf(t, b, "shop.example")
		if mx := b.Run(t, "dig", "+short", "@127.0.0.1", "MX", "shop.example"); mx != "10 mail.lab.example.\n" {
			t.Errorf("MX of shop.example: %s", mx)
		}
		_, said := product(t, b, 0, "remove-domain", "--yes", "shop.example", "blog.example")
		if n := strings.Count(said, "OpenDKIM: reload opendkim.service"); n != 1 || strings.Contains(said, "restart") {
			t.Errorf("%d reloads of OpenDKIM:\n%s", n, said)
		}
		for _, table := range []string{"/etc/opendkim/KeyTable", "/etc/opendkim/SigningTable"} {
			saysNot(t, b.Read(t, table), "shop.example", "blog.example")
		}
		if found := lab.VerifyDKIM(t, b, sent(t, b, sink, "ann@shop.example")); len(found) != 0 {
			t.Errorf("still signs: %+v", found)
		}
		signedBy(t, b, sent(t, b, sink, "ann@lab.example"), "lab.example")
		signedBy(t, b, msg, "shop.example") // under way while the key drains
		for _, q := range []string{"TXT shop.example", "TXT _dmarc.shop.example", "MX shop.example", "MX blog.example"} {
			kind, name, _ := strings.Cut(q, " ")
			if out := strings.TrimSpace(b.Run(t, "dig", "+short", "@127.0.0.1", kind, name)); out != "" {
				t.Errorf("%s is still served: %s", q, out)
			}
		}
		listedWhileItDrains(t, b, "shop.example")
		if now := serialOf(t, b, "shop.example"); now <= zone {
			t.Errorf("serial %s, was %s", now, zone)
		}
		if out, said := product(t, b, 0, "rotate-dkim", "--yes"); out+said != "" {
			t.Errorf("nothing is due, but:\n%s%s", out, said)
		}

		product(t, b, 0, "rollback", "--yes")
		unchanged(t, added, withoutMade(look(t, b)))
		signedBy(t, b, sent(t, b, sink, "ann@shop.example"), "shop.example")
		signedBy(t, b, sent(t, b, sink, "ann@blog.example"), "blog.example")

		product(t, b, 0, "remove-domain", "--yes", "shop.example", "blog.example")
		drained(t, b, msg)
	})
}

// listedWhileItDrains looks at how a domain is listed that was removed just now:
// with the day on which the fortnight of its key ends.
func listedWhileItDrains(t *testing.T, b *lab.Box, domain string) {
	t.Helper()
	const drain = 14 * 24 * time.Hour
	day := time.Now().UTC().Add(drain)
	l := lists(t, b, domain, "draining "+day.Format(time.DateOnly)+" - seen \\dm")
	if !l.Removed || l.Primary || l.DNS != "" || l.Checked != nil || l.Keys[0].Stage != "draining" {
		t.Errorf("listed: %+v", l)
	}
	if until := l.Keys[0].Next; until.After(day.Add(time.Minute)) || until.Before(day.Add(-time.Minute)) {
		t.Errorf("its record is needed until %s, want %s", until, day)
	}
}

// withoutMade leaves out the zone that the product made: its serial grew.
func withoutMade(c condition) condition {
	delete(c.tree, "/etc/bind/mailsetup/db.blog.example")
	return c
}

func serialOf(t *testing.T, b *lab.Box, zone string) string {
	t.Helper()
	return strings.Fields(b.Run(t, "dig", "+short", "@127.0.0.1", "SOA", zone))[2]
}

// drained ends the drain of what was removed, takes that back, and ends it for
// good.
func drained(t *testing.T, b *lab.Box, msg []byte) {
	t.Helper()
	b.Sh(t, `sed -i 's/^drain = .*/drain = "2s"/' /etc/mailsetup/host.toml`)
	laterBy(t, b, 3*time.Second)
	draining, pid := withoutMade(look(t, b)), mainPID(t, b)
	out, _ := product(t, b, 0, "rotate-dkim", "--yes")
	says(t, out, "/etc/dkimkeys/shop.example/", "private key, not shown", `-zone "blog.example"`)
	gone := func() {
		t.Helper()
		if found := lab.VerifyDKIM(t, b, msg); len(found) != 1 || found[0].Err == "" {
			t.Errorf("the record is still served: %+v", found)
		}
		b.Sh(t, `test ! -e /etc/dkimkeys/shop.example && test ! -e /etc/dkimkeys/blog.example && test ! -e /etc/bind/mailsetup/shop.example.zone`)
		saysNot(t, b.Read(t, "/etc/bind/db.shop.example"), "mailsetup")
		saysNot(t, b.Read(t, "/etc/bind/named.conf.local"), "blog.example")
		b.Sh(t, `test "$(ls /etc/bind/mailsetup)" = lab.example.zone; named-checkconf -z >/dev/null`)
		says(t, b.Run(t, "dig", "+short", "@127.0.0.1", "A", "www.shop.example"), "192.0.2.80")
	}
	gone()
	if got := mainPID(t, b); got != pid {
		t.Errorf("OpenDKIM was started again: %s, was %s", got, pid)
	}
	product(t, b, 0, "rollback", "--yes")
	unchanged(t, draining, withoutMade(look(t, b)))
	signedBy(t, b, msg, "shop.example")
	product(t, b, 0, "rotate-dkim", "--yes") // another stay in DNS begins
	laterBy(t, b, 3*time.Second)
	product(t, b, 0, "rotate-dkim", "--yes")
	gone()
	if out, said := product(t, b, 0, "rotate-dkim", "--yes"); out+said != "" {
		t.Errorf("nothing is due any more, but:\n%s%s", out, said)
	}
	nothingChanges(t, b, initArgs()...)
	noLeak(t, b)
}

// TestPurgeDomain: everything goes in one run, and comes back in one.
func TestPurgeDomain(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := removal(t, release)
		msg := sent(t, b, sink, "ann@shop.example")
		was := withoutMade(look(t, b))
		out, said := product(t, b, 0, "remove-domain", "--purge", "--yes", "shop.example", "blog.example")
		says(t, out, "mail of shop.example that is under way will no longer verify")
		if reload, withdraw := strings.Index(said, "OpenDKIM: reload"), strings.Index(said, "OldKeys: reload named"); reload < 0 || withdraw < reload {
			t.Errorf("the record went before the row:\n%s", said)
		}
		if found := lab.VerifyDKIM(t, b, msg); len(found) != 1 || found[0].Err == "" {
			t.Errorf("the record is still served: %+v", found)
		}
		b.Sh(t, `test ! -e /etc/dkimkeys/shop.example && test ! -e /etc/dkimkeys/blog.example`)
		noLeak(t, b)
		nothingChanges(t, b, initArgs()...)
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, was, withoutMade(look(t, b)))
		signedBy(t, b, msg, "shop.example")
		signedBy(t, b, sent(t, b, sink, "ann@blog.example"), "blog.example")
		noLeak(t, b)
	})
}

// TestDomainsInterrupted: Ctrl-C and SIGKILL leave no domain half added, half
// removed or half withdrawn.
func TestDomainsInterrupted(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := removal(t, release)
		add := []string{"add-domain", "--yes", "new.example", "other.example"}
		remove := []string{"remove-domain", "--purge", "--yes", "shop.example", "blog.example"}
		was := withoutMade(look(t, b))
		for _, c := range []struct {
			at   string
			args []string
		}{
			{"making 2 keys", add},
			{"DNS: reload named.service", add},
			{"OpenDKIM: reload opendkim.service", add},
			{"OpenDKIM: reload opendkim.service", remove},
			{"OldKeys: reload named.service", remove},
		} {
			stderr, code := interrupted(t, b, c.at, 2, c.args...)
			for tries := 0; code == 0 && tries < 5; tries++ { // it had ended before the key was down
				product(t, b, 0, "rollback", "--yes")
				stderr, code = interrupted(t, b, c.at, 2, c.args...)
			}
			if code != 130 {
				t.Errorf("Ctrl-C at %q: exit %d, want 130\n%s", c.at, code, stderr)
			}
			unchanged(t, was, withoutMade(look(t, b)))
			if t.Failed() {
				t.Fatalf("Ctrl-C at %q of %v:\n%s", c.at, c.args, stderr)
			}
		}
		const signer, message = "OpenDKIM: reload opendkim.service", "OpenDKIM: does a message come out signed"
		killDomains(t, b, add, "making 2 keys", changes, "DNS: does the name server serve new.example", signer, message)
		killDomains(t, b, remove, changes, signer, message, "OldKeys: reload named.service")
		for _, from := range []string{"ann@shop.example", "ann@blog.example"} {
			signedBy(t, b, sent(t, b, sink, from), strings.TrimPrefix(from, "ann@"))
		}
		product(t, b, 0, add...)
		product(t, b, 0, remove...)
		signedBy(t, b, sent(t, b, sink, "ann@new.example"), "new.example")
	})
}

// lastRun is the line of the history about the latest run.
func lastRun(t *testing.T, b *lab.Box) string {
	t.Helper()
	if runs := historyOf(t, b); len(runs) > 0 {
		return runs[0]
	}
	return ""
}

// historyOf are the lines of the history, the newest run first.
func historyOf(t *testing.T, b *lab.Box) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(b.Run(t, "mailsetup", "history")), "\n")[1:]
}

// killDomains kills a run at each line that it prints, and insists that recover finds the way
// back.
func killDomains(t *testing.T, b *lab.Box, args []string, lines ...string) {
	t.Helper()
	before := withoutLedger(withoutMade(look(t, b)))
	product(t, b, 0, args...)
	product(t, b, 0, "rollback", "--yes")
	unchanged(t, before, withoutLedger(withoutMade(look(t, b))))
	half := 0
	for _, at := range lines {
		was, ran := withoutMade(look(t, b)), lastRun(t, b)
		out, code := killedAt(t, b, at, args...)
		if code == 0 {
			product(t, b, 0, "rollback", "--yes")
			continue
		}
		said, _ := product(t, b, 0, "recover")
		if !strings.Contains(said, "No interrupted run") {
			half++
		} else if last := lastRun(t, b); last != ran { // it had just been completed
			says(t, last, args[0], "done")
			product(t, b, 0, "rollback", "--yes")
			continue
		}
		unchanged(t, was, withoutMade(look(t, b)))
		if t.Failed() {
			t.Fatalf("killed at %q:\n%s\n%s", at, out, said)
		}
	}
	t.Logf("%s: %d of %d kills in the middle of changes", args[0], half, len(lines))
	if half == 0 {
		t.Error("no run was killed while it changed something")
	}
}
