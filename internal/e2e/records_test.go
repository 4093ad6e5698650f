//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// busyZone is what a domain that has sent mail for years may have: other
// senders, without this server, and a strict policy with tags of its own.
const busyZone = `@	IN	MX	10 mail
@	IN	TXT	"site-verification=4a1f"
@	IN	TXT	( "v=spf1 include:_spf.vendor.example"	; newsletters
			" ip4:198.51.100.0/28 -all" ) ; the office
_dmarc	IN	TXT	"v=DMARC1; p=reject; fo=1; rua=mailto:post@lab.example"
www	IN	A	192.0.2.80`

const (
	busySPF   = "v=spf1 include:_spf.vendor.example ip4:198.51.100.0/28 -all"
	mergedSPF = "v=spf1 ip4:192.0.2.10 include:_spf.vendor.example ip4:198.51.100.0/28 -all"
	busyDMARC = "v=DMARC1; p=reject; fo=1; rua=mailto:post@lab.example"
	zoneFile  = "/etc/bind/db.lab.example"
)

// busy is a server with that zone, and with one of a vendor: a small record and
// one that leaves no room for others.
func busy(t *testing.T, release string) *lab.Box {
	t.Helper()
	b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example"})
	vendor := []string{`_spf IN TXT "v=spf1 a:out.vendor.example ~all"`, "out IN A 198.51.100.25"}
	big := `_big IN TXT "v=spf1`
	for i := range 8 {
		vendor = append(vendor, fmt.Sprintf("o%d IN A 198.51.100.%d", i, 100+i))
		big += fmt.Sprintf(" a:o%d.vendor.example", i)
	}
	b.Named(t, "vendor.example", append(vendor, big+` ~all"`)...)
	b.Named(t, "lab.example", busyZone)
	b.Install(t)
	return b
}

// spfOf insists on the result of an SPF check for a client.
func spfOf(t *testing.T, b *lab.Box, ip, want string) {
	t.Helper()
	if r := lab.SPF(t, b, ip, "mail.lab.example", "ann@lab.example"); r.Result != want {
		t.Errorf("SPF of %s: %+v, want %s", ip, r, want)
	}
}

// differs returns the lines that a text lost (-) and got (+), its serial and
// our $INCLUDE line aside.
func differs(before, after string) string {
	lines := func(text string) map[string]int {
		n := map[string]int{}
		for line := range strings.Lines(serial.ReplaceAllString(text, "${1}SERIAL")) {
			if !strings.HasPrefix(line, `$INCLUDE "/etc/bind/mailsetup/lab.example.zone" lab.example. ; mailsetup `) {
				n[line]++
			}
		}
		return n
	}
	was, is := lines(before), lines(after)
	var out strings.Builder
	for line := range strings.Lines(serial.ReplaceAllString(before, "${1}SERIAL")) {
		if was[line] > is[line] {
			out.WriteString("-" + line)
		}
	}
	for line := range strings.Lines(serial.ReplaceAllString(after, "${1}SERIAL")) {
		if is[line] > was[line] && !strings.HasPrefix(line, "$INCLUDE") {
			out.WriteString("+" + line)
		}
	}
	return out.String()
}

// TestRecordsThatMustChange: a record of the administrator's that does not do
// is shown and changed where it stands, with a consent of its own; without one
// nothing happens, and a no lets it stay. What is right, and what nobody asked
// to be otherwise, is neither changed nor spoken of.
func TestRecordsThatMustChange(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := busy(t, release)
		original := b.Read(t, zoneFile)
		spfOf(t, b, "192.0.2.10", "fail")

		was := look(t, b)
		_, stderr := product(t, b, 2, initArgs()...)
		flat := strings.Join(strings.Fields(stderr), " ")
		says(t, flat, "the SPF record of lab.example does not let 192.0.2.10 of this server pass",
			"it takes 2 of the 10 DNS look-ups that receivers make, before and after",
			zoneFile+":", `"v=spf1 ip4:192.0.2.10 + include:_spf.vendor.example ip4:198.51.100.0/28 -all"`, // in two lines, each of which is new
			"mail from 192.0.2.10 fails SPF as lab.example", "hint: --existing-records change")
		saysNot(t, stderr, "DMARC", "MX")
		out, _ := product(t, b, 0, initArgs("--dns", "manual", "--dry-run")...)
		says(t, strings.Join(strings.Fields(out), " "), "What is printed for lab.example replaces your record: "+busySPF)
		asBefore(t, b, was)

		var runs []string
		runs = append(runs, changing(t, b, "--existing-records", "keep"))
		if got := differs(original, b.Read(t, zoneFile)); got != "" {
			t.Errorf("kept, and yet:\n%s", got)
		}
		serves(t, b, "TXT", "_dmarc.lab.example", busyDMARC)
		spfOf(t, b, "192.0.2.10", "fail")
		nothingChanges(t, b, initArgs()...)

		runs = append(runs, merges(t, b, original), stricterAndTooMuch(t, b))
		for _, run := range slices.Backward(runs) {
			product(t, b, 0, "rollback", "--yes", run)
		}
		if got := serial.ReplaceAllString(b.Read(t, zoneFile), "${1}SERIAL"); got != serial.ReplaceAllString(original, "${1}SERIAL") {
			t.Errorf("after the rollbacks:\n%s\nbefore:\n%s", got, original)
		}
		serves(t, b, "TXT", "lab.example", "v=spf1")
		spfOf(t, b, "192.0.2.10", "fail")
		explained(t, b)
	})
}

// merges changes the SPF record: one line of the file, one record served, and
// everybody who passed still does.
func merges(t *testing.T, b *lab.Box, original string) (run string) {
	t.Helper()
	run = changing(t, b, "--existing-records", "change")
	const want = "-@\tIN\tTXT\t( \"v=spf1 include:_spf.vendor.example\"\t; newsletters\n" +
		"-\t\t\t\" ip4:198.51.100.0/28 -all\" ) ; the office\n" +
		"+@\tIN\tTXT\t( \"" + mergedSPF + "\"\t; newsletters\n+\t\t\t ) ; the office\n"
	if got := differs(original, b.Read(t, zoneFile)); got != want {
		t.Errorf("the file changes by\n%s\nwant\n%s", got, want)
	}
	serves(t, b, "TXT", "lab.example", "v=spf1")
	serves(t, b, "TXT", "lab.example", mergedSPF)
	serves(t, b, "TXT", "lab.example", "site-verification=4a1f")
	for ip, result := range map[string]string{"192.0.2.10": "pass", "198.51.100.25": "pass", "198.51.100.3": "pass", "203.0.113.9": "fail"} {
		spfOf(t, b, ip, result)
	}
	nothingChanges(t, b, initArgs()...)
	return run
}

// changing is a run of init that does something, and returns its name.
func changing(t *testing.T, b *lab.Box, more ...string) (run string) {
	t.Helper()
	out, _ := product(t, b, 0, initArgs(more...)...)
	return runOf(out)
}

// runOf is the name of a run that said how to take it back.
func runOf(out string) string {
	_, after, _ := strings.Cut(out, "To take it back: mailsetup rollback ")
	run, _, _ := strings.Cut(after, "\n")
	return run
}

// stricterAndTooMuch asks for another DMARC policy, which changes its tag, and
// for an include that the SPF record has no room for.
func stricterAndTooMuch(t *testing.T, b *lab.Box) (run string) {
	t.Helper()
	_, stderr := product(t, b, 2, initArgs("--dmarc", "quarantine")...)
	says(t, strings.Join(strings.Fields(stderr), " "), "the DMARC record of lab.example says p=reject, stricter than the p=quarantine you asked for")
	serves(t, b, "TXT", "_dmarc.lab.example", busyDMARC)
	before := b.Read(t, zoneFile)
	run = changing(t, b, "--dmarc", "quarantine", "--existing-records", "change")
	serves(t, b, "TXT", "_dmarc.lab.example", "v=DMARC1; p=quarantine; fo=1; rua=mailto:post@lab.example")
	if got := differs(before, b.Read(t, zoneFile)); strings.Count(got, "\n") != 2 || !strings.Contains(got, "+_dmarc\tIN\tTXT\t\"v=DMARC1; p=quarantine; fo=1;") {
		t.Errorf("the file changes by\n%s", got)
	}
	nothingChanges(t, b, initArgs("--dmarc", "quarantine")...)

	was := look(t, b)
	_, stderr = product(t, b, 2, initArgs("--dmarc", "reject")...)
	says(t, strings.Join(strings.Fields(stderr), " "), "the DMARC record of lab.example says p=quarantine, looser than the p=reject you asked for")
	_, stderr = product(t, b, 2, initArgs("--spf-include", "_big.vendor.example", "--existing-records", "change")...)
	says(t, strings.Join(strings.Fields(stderr), " "), "lacks include:_big.vendor.example, which you asked for",
		"merged it would take 11 DNS look-ups, and receivers stop after 10")
	asBefore(t, b, was)
	return run
}

// explained shows zones that no edit of ours makes right.
func explained(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Named(t, "lab.example", "@ IN TXT \"v=spf1 mx -all\"\n@ IN TXT \"v=spf1 include:_spf.vendor.example ~all\"")
	was := look(t, b)
	for _, more := range [][]string{nil, {"--existing-records", "change"}} {
		_, stderr := product(t, b, 2, initArgs(more...)...)
		says(t, strings.Join(strings.Fields(stderr), " "), "lab.example has 2 SPF records where one is allowed",
			"v=spf1 mx -all and v=spf1 include:_spf.vendor.example ~all", "such as: v=spf1 include:_spf.vendor.example mx ~all")
	}
	out, _ := product(t, b, 0, initArgs("--existing-records", "keep", "--dry-run")...)
	says(t, strings.Join(strings.Fields(out), " "), "lab.example has 2 SPF records", "it stays, as you decided")
	asBefore(t, b, was)

	b.Named(t, "lab.example", "@ IN TXT \"v=spf1 a mx ptr +all\"\n_dmarc IN CNAME lab._dmarc.vendor.example.\nmail IN TXT \"v=spf1 ipv4:192.0.2.10 -all\"")
	_, stderr := product(t, b, 2, initArgs("--dry-run")...)
	says(t, strings.Join(strings.Fields(stderr), " "), `the SPF record of mail.lab.example has a mistake, and receivers take it for a permanent error: "ipv4:192.0.2.10": SPF has no such mechanism`)
	b.Sh(t, `sed -i '/ipv4/d' /etc/bind/db.lab.example; printf 'lab._dmarc IN TXT "v=DMARC1; p=reject"\n' >>/etc/bind/db.vendor.example`)
	b.Restart(t, "named")
	becomes(t, b, "dig +short @127.0.0.1 TXT _dmarc.lab.example | grep -q DMARC1")
	was = look(t, b)
	out, _ = product(t, b, 0, initArgs("--dry-run")...)
	says(t, strings.Join(strings.Fields(out), " "), "ANYONE MAY SEND AS lab.example", "mailsetup init --spf-all softfail --existing-records change",
		"the SPF record of lab.example uses ptr",
		"_dmarc.lab.example is an alias of lab._dmarc.vendor.example: the DMARC policy of lab.example is made there, and stays; it says v=DMARC1; p=reject")
	asBefore(t, b, was)
	product(t, b, 0, initArgs()...)
	serves(t, b, "TXT", "lab.example", "v=spf1 a mx ptr +all")
	product(t, b, 0, "init", "--yes", "--spf-all", "softfail", "--existing-records", "change")
	serves(t, b, "TXT", "lab.example", "v=spf1 a mx ptr ~all")
	nothingChanges(t, b, "init", "--yes")
	explainedSizes(t, b)
	explainedAlias(t, b)
}

// explainedSizes shows an SPF record of ours that receivers would give up on,
// and texts too long for one answer.
func explainedSizes(t *testing.T, b *lab.Box) {
	t.Helper()
	long := strings.Repeat("x", 250)
	b.Named(t, "lab.example", `@ IN TXT "old=`+strings.Repeat(long+`" "`, 5)+`"`)
	was := look(t, b)
	for _, mode := range []string{"bind", "manual"} {
		out, _ := product(t, b, 0, initArgs("--dry-run", "--dns", mode)...)
		says(t, strings.Join(strings.Fields(out), " "), "the TXT records of lab.example make an answer of 1",
			"and 1232 are sure to get through")
	}
	tooMuch := []string{"--spf-include", "_big.vendor.example", "--spf-include", "_spf.vendor.example"}
	_, stderr := product(t, b, 2, initArgs(tooMuch...)...)
	says(t, strings.Join(strings.Fields(stderr), " "), "the SPF record of lab.example would take 12 DNS look-ups, and receivers stop after 10",
		"hint: include fewer senders")
	asBefore(t, b, was)
}

// explainedAlias puts a CNAME where the key is, and where one is asked for.
func explainedAlias(t *testing.T, b *lab.Box) {
	t.Helper()
	selector := strings.TrimSpace(b.Sh(t, `sed -n 's/^selector = "\(.*\)"/\1/p' /etc/mailsetup/domains.d/lab.example.toml`))
	b.Named(t, "lab.example", selector+"._domainkey IN CNAME key.vendor.example.")
	b.Named(t, "shop.example", "Theirs._domainkey IN CNAME key.vendor.example.")
	was := look(t, b)
	_, stderr := product(t, b, 2, initArgs()...)
	says(t, strings.Join(strings.Fields(stderr), " "),
		selector+"._domainkey.lab.example is a CNAME of key.vendor.example: the key of this server cannot stand there",
		"hint: take the CNAME out of "+zoneFile)
	_, stderr = product(t, b, 2, "add-domain", "--yes", "--selector", "theirs", "shop.example")
	says(t, strings.Join(strings.Fields(stderr), " "), "selector theirs of shop.example is a CNAME of key.vendor.example in DNS")
	asBefore(t, b, was)
}
