//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// dig is what BIND serves, one line for each record.
func dig(t *testing.T, b *lab.Box, kind, name string) []string {
	t.Helper()
	return strings.FieldsFunc(b.Run(t, "dig", "+short", "@127.0.0.1", kind, name), func(r rune) bool { return r == '\n' })
}

// serves insists on the one record of its kind that begins with a text.
func serves(t *testing.T, b *lab.Box, kind, name, begin string) {
	t.Helper()
	n := 0
	all := dig(t, b, kind, name)
	for _, line := range all {
		if strings.HasPrefix(strings.Trim(line, `"`), begin) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%s %s: %d records begin with %q, want 1: %q", name, kind, n, begin, all)
	}
}

// leavesSignedBy sends a message from an address of the domain and insists
// that one signature of the domain verifies.
func leavesSignedBy(t *testing.T, b *lab.Box, sink *lab.Sink, domain string) (selector string) {
	t.Helper()
	before := sink.Count()
	if said, taken := b.Send(t, lab.Letter{From: "ann@" + domain, To: "bob@remote.example", Subject: "by smtp", Body: "hello"}); !taken {
		t.Fatalf("SMTP on port 25: %s", said)
	}
	msg := sink.Wait(t, before+1, time.Minute)[before].Data
	found := lab.VerifyDKIM(t, b, msg)
	if len(found) != 1 || found[0].Err != "" || found[0].Domain != domain {
		t.Fatalf("want one good signature of %s: %+v\n%s", domain, found, msg)
	}
	return found[0].Selector
}

// TestManualDNS: what is printed, put into a zone as it stands, makes mail
// verify; BIND is not touched.
func TestManualDNS(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		bind := b.Snapshot(t, "/etc/bind", "/var/lib/bind")
		out, _ := product(t, b, 0, initArgs("--dns", "manual", "--ip", "198.51.100.99")...)
		same(t, bind, b.Snapshot(t, "/etc/bind", "/var/lib/bind"))
		says(t, out, "PTR record of 198.51.100.99", "198.51.100.99 -> mail.lab.example")
		if strings.Contains(out, "PTR record of 192.0.2.10") {
			t.Error("asks for a PTR record that is there")
		}
		zone, form := printed(t, b, out)
		for _, want := range []string{
			`(?m)^_dmarc +TXT +v=DMARC1; p=none; rua=mailto:ann@mail\.lab\.example$`,
			`(?m)^@ +TXT +v=spf1 ip4:192\.0\.2\.10 ip4:198\.51\.100\.99 mx ~all$`,
			`(?m)^@ +MX +10 +mail\.lab\.example\.$`,
			`(?m)^\d{6}\._domainkey +TXT +v=DKIM1; .*p=[A-Za-z0-9+/]{300,}=*$`,
		} {
			if !regexp.MustCompile(want).MatchString(form) {
				t.Errorf("no line %s for a web form in\n%s", want, form)
			}
		}
		b.Write(t, "/etc/bind/db.lab.example", "$TTL 300\n@ IN SOA mail hostmaster 2026010102 3600 900 604800 60\n@ IN NS mail\n"+zone, 0o644)
		b.Run(t, "named-checkzone", "lab.example", "/etc/bind/db.lab.example")
		b.Restart(t, "named")
		leavesSigned(t, b, sink)
		if spf := lab.SPF(t, b, b.Addr, "mail.lab.example", "ann@lab.example"); spf.Result != "pass" {
			t.Errorf("SPF %+v, want pass", spf)
		}
		noProblem(t, b, "addr.ptr", "addr.fcrdns") // of 198.51.100.99, which has none
		nothingChanges(t, b, initArgs("--dns", "manual", "--ip", "198.51.100.99")...)
		out, _ = product(t, b, 0, initArgs("--dns", "manual", "--ip", "198.51.100.99")...)
		saysNot(t, out, "publish these records", "mailsetup dns --wait")
		b.Sh(t, `sed -i -e 's/\(IN MX *10\) mail/\1 other/' -e s/2026010102/2026010103/ /etc/bind/db.lab.example; rndc reload lab.example`)
		becomes(t, b, "dig +short @127.0.0.1 MX lab.example | grep -q other")
		out, _ = product(t, b, 0, initArgs("--dns", "manual", "--ip", "198.51.100.99")...)
		says(t, strings.Join(strings.Fields(out), " "), "replace these records of lab.example", "name type priority value @ MX 10 mail.lab.example. in the place of name type priority value @ MX 10 other.lab.example.",
			"right already at lab.example: mail A, mail A, @ TXT, mail TXT,")
		saysNot(t, out, "publish these records")
		b.Run(t, "systemctl", "-q", "disable", "opendkim")
		out, _ = product(t, b, 0, initArgs("--dns", "manual", "--ip", "198.51.100.99")...)
		says(t, out, "> enable opendkim.service", "it is disabled: after a reboot no mail gets through")
		if is := b.Run(t, "systemctl", "is-enabled", "opendkim"); strings.TrimSpace(is) != "enabled" {
			t.Errorf("opendkim.service is %s after that", is)
		}
	})
}

// printed takes the lines for a web form out of the output, and the zone text from the
// command that it names.
func printed(t *testing.T, b *lab.Box, out string) (zone, form string) {
	t.Helper()
	_, form, more := strings.Cut(out, "\nname ")
	form, _, end := strings.Cut(form, "\n\n")
	if !more || !end || !strings.Contains(out, "mailsetup dns lab.example") {
		t.Fatalf("no lines for a web form:\n%s", out)
	}
	return b.Run(t, "mailsetup", "dns", "lab.example"), form
}

// TestNewZone: a zone is made where nobody serves the domain, and goes again;
// it is refused where somebody else does. The same server then takes a domain
// outside ASCII, and thirty new zones at once.
func TestNewZone(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.fresh.example"})
		b.Named(t, "lab.example")
		b.Named(t, "parent.example", append([]string{"taken IN NS ns.taken", "ns.taken IN A 198.51.100.53"}, moved("IN NS mail.xn--bcher-kva.example.")...)...)
		b.Named(t, "xn--bcher-kva.example")
		b.Install(t)
		sink := b.Sink(t)
		was := look(t, b)

		newZone := func(domain string) []string {
			return []string{
				"init", "--yes", "--domain", domain, "--ip", "192.0.2.10", "--dns-new-zone",
				"--ns", "mail.fresh.example", "--ns", "mail.lab.example",
			}
		}
		_, said := product(t, b, 2, newZone("taken.parent.example")...)
		says(t, said, "taken.parent.example is served by ns.taken.parent.example", "hint:")
		asBefore(t, b, was)

		product(t, b, 0, newZone("fresh.example")...)
		if ns := dig(t, b, "NS", "fresh.example"); len(ns) != 2 {
			t.Errorf("name servers %q, want the two asked for", ns)
		}
		serves(t, b, "A", "mail.fresh.example", "192.0.2.10")
		serves(t, b, "TXT", "fresh.example", "v=spf1")
		leavesSignedBy(t, b, sink, "fresh.example")
		nothingChanges(t, b, newZone("fresh.example")...)

		product(t, b, 0, "rollback", "--yes")
		if is := withoutLedger(look(t, b)); is.running != was.running {
			t.Errorf("runs now:\n%s\nbefore:\n%s", is.running, was.running)
		} else {
			same(t, was.tree, is.tree)
		}
		if soa := dig(t, b, "SOA", "fresh.example"); len(soa) != 0 {
			t.Errorf("fresh.example is still served: %q", soa)
		}

		idn := []string{"init", "--yes", "--domain", "Bücher.example", "--hostname", "mail.bücher.example", "--ip", "192.0.2.10"}
		product(t, b, 0, idn...)
		serves(t, b, "TXT", "_dmarc.xn--bcher-kva.example", "v=DMARC1")
		leavesSignedBy(t, b, sink, "xn--bcher-kva.example")
		nothingChanges(t, b, idn...)
		manyNewZones(t, b)
	})
}

// moved are thirty names of parent.example, each with the rest of a line.
func moved(rest string) []string {
	lines := make([]string, 30)
	for i := range lines {
		lines[i] = strings.TrimSpace(fmt.Sprintf("m%02d %s", i, rest))
	}
	return lines
}

// manyNewZones adds domains whose parent delegates them to this server already, as when
// they move here: its resolver says SERVFAIL. Named's log of queries tells that none is put
// twice, and that one each is enough to see that a zone is not there yet.
func manyNewZones(t *testing.T, b *lab.Box) {
	t.Helper()
	command := []string{"add-domain", "--yes", "--key-bits", "1024", "--receive", "yes", "--dns-new-zone", "--ns", "mail.xn--bcher-kva.example"}
	for _, name := range moved("") {
		command = append(command, name+".parent.example")
	}
	if out := b.Sh(t, "dig @127.0.0.1 m07.parent.example MX | grep -c SERVFAIL"); out != "1\n" {
		t.Fatalf("the resolver does not say SERVFAIL: %s", out)
	}
	b.Sh(t, "rndc querylog on")
	product(t, b, 0, command...)
	b.Sh(t, "rndc querylog off")
	log := b.Sh(t, "journalctl --sync; journalctl -u named -o cat --no-pager | sed -n '/query logging is now on/,$p'")
	before, _, reloaded := strings.Cut(log, "received control channel command 're")
	if !reloaded {
		t.Fatalf("named was not told to load the zones:\n%s", log)
	}
	asked, recursive := map[string]int{}, 0
	for line := range strings.Lines(before) {
		m := queryLine.FindStringSubmatch(line)
		if m == nil || !strings.HasSuffix(m[1], "parent.example") {
			continue
		}
		asked[m[3]+strings.ToLower(m[1])+" "+m[2]]++
		if m[3] == "+" {
			recursive++
		}
	}
	direct := 0
	for q, n := range asked {
		if n > 1 {
			t.Errorf("put %d times: %s", n, q)
		}
		if strings.HasPrefix(q, "-") {
			direct++
		}
	}
	// MX, A, AAAA and TXT, the policy, the zone of the key, and the key; the delegation, and
	// a look at what is served.
	if most := 8*30 + 10; recursive < 5*30 || recursive > most {
		t.Errorf("%d questions to the resolver, at most %d are needed", recursive, most)
	}
	if most := 2*30 + 10; direct > most {
		t.Errorf("%d questions to the name server before it has the zones, at most %d are needed", direct, most)
	}
	serves(t, b, "TXT", "m29.parent.example", "v=spf1")
}

// queryLine is a query of this machine's own in the log of named: the name, + for one that
// wants recursion, and the type.
var queryLine = regexp.MustCompile(`client \S+ 127\.0\.0\.1#\d+ \(\S+\): query: (\S+) IN (\S+) ([+-])`)

// TestZoneHasRecords: what is right in the zone stays as it is, is not said
// twice and not spoken of, however strict it is; and a selector that DNS knows
// is not used again.
func TestZoneHasRecords(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		month := time.Now().UTC().Format("200601")
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example"})
		b.Named(t, "lab.example",
			`@ IN TXT "v=spf1 a:mail.lab.example -all"`,
			`_dmarc IN TXT "v=DMARC1; p=reject"`,
			`mail 120 IN TXT "a remark"`,
			month+`._domainkey IN TXT "v=DKIM1; p="`)
		b.Install(t)
		sink := b.Sink(t)
		out, _ := product(t, b, 0, initArgs()...)
		saysNot(t, out, "is yours and stays", "consider")
		serves(t, b, "TXT", "lab.example", "v=spf1")
		serves(t, b, "TXT", "lab.example", "v=spf1 a:mail.lab.example -all")
		serves(t, b, "TXT", "_dmarc.lab.example", "v=DMARC1; p=reject")
		serves(t, b, "A", "mail.lab.example", "192.0.2.10")
		serves(t, b, "TXT", "mail.lab.example", "v=spf1 ip4:192.0.2.10")
		if ttl := b.Run(t, "dig", "+noall", "+answer", "@127.0.0.1", "TXT", "mail.lab.example"); strings.Count(ttl, "\t120\t") != 2 {
			t.Errorf("want both with the TTL of the RRset that was there, 120:\n%s", ttl)
		}
		selector := leavesSignedBy(t, b, sink, "lab.example")
		if !regexp.MustCompile(`^` + month + `-[a-z0-9]{4,}$`).MatchString(selector) {
			t.Errorf("selector %q, want %s with a tail", selector, month)
		}
		says(t, b.Read(t, "/etc/mailsetup/domains.d/lab.example.toml"), `all = "fail"`, `policy = "reject"`)
		nothingChanges(t, b, initArgs()...)
	})
}

// TestZoneGrows: a server that only sends gets no MX and keeps no mail of the
// domain; the administrator's edits of the zone stay, in a rollback as well, and
// serials only grow.
func TestZoneGrows(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Bare)
		sink := b.Sink(t)
		original := b.Read(t, "/etc/bind/db.lab.example")
		runs := []string{changing(t, b, "--receive", "no")}
		if mx := dig(t, b, "MX", "lab.example"); len(mx) != 0 {
			t.Errorf("MX %q where nothing is received", mx)
		}
		serves(t, b, "TXT", "lab.example", "v=spf1 ip4:192.0.2.10 ~all")
		for _, local := range strings.FieldsFunc(b.Run(t, "postconf", "-xh", "mydestination"), func(r rune) bool { return strings.ContainsRune(", \n", r) }) {
			if local == "lab.example" {
				t.Error("mail to colleagues stays here")
			}
		}
		before := sink.Count()
		b.Sh(t, `printf 'From: ann@lab.example\nTo: bob@remote.example\nSubject: by sendmail\n\nhello\n' | /usr/sbin/sendmail -t -i`)
		signed(t, b, sink.Wait(t, before+1, time.Minute)[before].Data)

		first := soaSerial(t, b)
		b.Sh(t, `cd /etc/bind; printf '; by hand\nwww IN A 192.0.2.80\n' >>db.lab.example
sed -i 's/2026[0-9]\{6\}/`+strconv.Itoa(first+41)+`/' db.lab.example`)
		reload(t, b, "lab.example")
		runs = append(runs, changing(t, b, "--receive", "no", "--spf-all", "fail"))
		if second := soaSerial(t, b); second <= first+41 {
			t.Errorf("serial %d after %d", second, first+41)
		}
		serves(t, b, "A", "www.lab.example", "192.0.2.80")
		serves(t, b, "TXT", "lab.example", "v=spf1 ip4:192.0.2.10 -all")
		says(t, b.Read(t, "/etc/bind/db.lab.example"), "; by hand\n")
		nothingChanges(t, b, initArgs("--receive", "no", "--spf-all", "fail")...)

		last := soaSerial(t, b)
		b.Sh(t, "printf 'ftp IN A 192.0.2.81\n' >>/etc/bind/db.lab.example")
		for _, run := range slices.Backward(runs) {
			out, _ := product(t, b, 0, "rollback", "--yes", run)
			says(t, out, "/etc/bind/db.lab.example was edited since: those lines stay")
		}
		want := original + "; by hand\nwww IN A 192.0.2.80\nftp IN A 192.0.2.81\n"
		if got := b.Read(t, "/etc/bind/db.lab.example"); serial.ReplaceAllString(got, "$1") != serial.ReplaceAllString(want, "$1") {
			t.Errorf("after the rollbacks:\n%s\nwant\n%s", got, want)
		}
		notServed(t, b)
		serves(t, b, "A", "ftp.lab.example", "192.0.2.81")
		if now := soaSerial(t, b); now <= last {
			t.Errorf("serial %d after %d", now, last)
		}
	})
}

func soaSerial(t *testing.T, b *lab.Box) int {
	t.Helper()
	f := strings.Fields(b.Run(t, "dig", "+short", "@127.0.0.1", "SOA", "lab.example"))
	if len(f) < 3 {
		t.Fatalf("no SOA: %q", f)
	}
	n, err := strconv.Atoi(f[2])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
