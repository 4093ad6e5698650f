//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/jsondoc/jsondoctest"
)

// checkFault is one thing that is wrong on a server which is right otherwise.
type checkFault struct {
	id   string // of the finding that it has to yield, and of no other problem
	name string // what is wrong, for docs/checks.md: "the PTR is missing"
	// severity of the finding; a problem if it is "".
	severity finding.Severity
	// inject breaks it: a script that runs with the functions of checkLab. All below
	// checkDirs and checkFiles is put back afterwards, and daemons whose files had
	// changed are told; mend comes before that and is for the rest: a unit that was
	// stopped, mail in the queue.
	inject, mend string
	// args are further ones of mailsetup check. Faults that no mail meets leave the
	// live path out, for the time: "--skip", "live".
	args []string
	// release has it, "" for both. Faults that only DNS sees are shared: no program
	// differs.
	release string
}

// checkDirs are put back after each fault, with modes, owners and times.
const checkDirs = "/etc/bind /etc/ns2 /etc/postfix /etc/opendkim /etc/dkimkeys /etc/mailsetup /etc/systemd/system /var/lib/mailsetup"

// checkFiles are single files that are put back, too.
const checkFiles = "/etc/opendkim.conf /etc/default/opendkim /etc/aliases /etc/aliases.db /etc/aliases.cdb /etc/hosts /etc/resolv.conf"

// checkLab is a small Internet around a server: the root, example. and the reverse
// zone are delegated by a name server elsewhere (192.0.2.53), which is also the
// second one of lab.example. Its files are in /etc/ns2.
const checkLab = `
zones() { # tells both name servers that files have changed
	find /etc/bind /etc/ns2 -type f -exec touch {} + # BIND reads what is newer than its copy
	rndc reload >/dev/null 2>&1 || systemctl restart named
	sleep 0.2
	rndc -s 192.0.2.53 reload >/dev/null 2>&1 || systemctl restart ns2
	rndc -s 192.0.2.53 retransfer lab.example >/dev/null 2>&1 || :
	sleep 0.3
}
signer() { # restarts OpenDKIM, which ends with the next connection, or after five seconds
	systemctl reset-failed opendkim 2>/dev/null || : # it may be started often
	systemctl restart opendkim &
	while kill -0 $! 2>/dev/null; do
		python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/var/spool/postfix/opendkim/opendkim.sock")' 2>/dev/null || :
		sleep .05
	done
	wait $! || :
}
zone=/etc/bind/db.lab.example                # ours includes $fragment
fragment=$(ls /etc/bind/mailsetup/*lab.example* | head -n 1)
reverse=/etc/bind/db.2.0.192.in-addr.arpa
add() { printf '%s\n' "$@" >>$zone; }        # lines of the zone
record() { # sed on the records that mailsetup publishes, each made one line before
	perl -0pi -e 's/\(\s*\n\s*/( /g; s/"\s*\n\s*"/" "/g' $fragment
	sed -i "$1" $fragment
}
`

const checkWorld = `
mkdir -p /etc/ns2 /var/cache/ns2; chown bind: /var/cache/ns2
cp /etc/bind/rndc.key /etc/ns2/rndc.key; chown root:bind /etc/ns2/rndc.key
cat >/etc/ns2/named.conf <<'END'
include "/etc/ns2/rndc.key";
controls { inet 192.0.2.53 port 953 allow { any; } keys { rndc-key; }; };
options {
	directory "/var/cache/ns2"; pid-file none; session-keyfile none; listen-on { 192.0.2.53; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; allow-transfer { any; }; minimal-responses no;
};
zone "." { type primary; file "/etc/ns2/db.root"; };
zone "example" { type primary; file "/etc/ns2/db.example"; };
zone "in-addr.arpa" { type primary; file "/etc/ns2/db.in-addr.arpa"; };
zone "lab.example" { type secondary; primaries { 192.0.2.10; }; file "db.lab.example"; masterfile-format text; };
END
head='$TTL 300
@ IN SOA ns.root-servers.example. hostmaster.root-servers.example. 1 3600 900 604800 60
@ IN NS ns.root-servers.example.'
printf '%s\n' "$head" 'example. NS ns.root-servers.example.' 'in-addr.arpa. NS ns.root-servers.example.' 'ns.root-servers.example. A 192.0.2.53' >/etc/ns2/db.root
printf '%s\n' "$head" 'ns.root-servers A 192.0.2.53' 'lab NS mail.lab' 'lab NS ns2.lab' 'mail.lab A 192.0.2.10' 'ns2.lab A 192.0.2.53' \
	'remote NS ns.remote' 'ns.remote A 192.0.2.10' >/etc/ns2/db.example
printf '%s\n' "$head" '2.0.192 NS mail.lab.example.' >/etc/ns2/db.in-addr.arpa
cat >/etc/systemd/system/ns2.service <<'END'
[Service]
NetworkNamespacePath=/run/netns/world
ExecStart=/usr/sbin/named -f -u bind -c /etc/ns2/named.conf
END
if [ -d /etc/apparmor.d ]; then rm -f /etc/apparmor.d/usr.sbin.named; fi
ip -n world addr add 192.0.2.53/32 dev eth0
printf '%s\n' '. 3600000 NS ns.root-servers.example.' 'ns.root-servers.example. 3600000 A 192.0.2.53' >/etc/bind/db.labroot
sed -i 's,/usr/share/dns/root.hints,/etc/bind/db.labroot,' $(grep -rl share/dns/root.hints /etc/bind)
sed -i 's/recursion yes;/recursion yes; allow-transfer { any; }; notify-delay 0;/' /etc/bind/named.conf.options
sed -i 's/^ns IN A .*/ns IN A 192.0.2.10/' /etc/bind/db.remote.example
sed -i 's/^@ IN NS mail$/&\n@ IN NS ns2\nns2 IN A 192.0.2.53/' /etc/bind/db.lab.example
postconf -e 'mydestination = $myhostname, lab.example, localhost.lab.example, localhost'
systemctl daemon-reload; systemctl restart named; systemctl start ns2; systemctl reload postfix
`

const checkSave = `
mkdir -p /root/healthy
for d in ` + checkDirs + `; do mkdir -p $d /root/healthy$d; cp -a $d/. /root/healthy$d/; (cd $d; (find . -printf '%p %m %u %g %l\n'; find . -type f -exec md5sum {} +) | sort | md5sum) >/root/healthy$d.sum; done
for f in ` + checkFiles + `; do mkdir -p /root/healthy${f%/*}; [ ! -e $f ] || cp -a $f /root/healthy$f; done
`

// checkRestore puts back what differs, and has the daemons read it.
const checkRestore = `
changed=
for d in ` + checkDirs + `; do
	if [ "$(cd $d; (find . -printf '%p %m %u %g %l\n'; find . -type f -exec md5sum {} +) | sort | md5sum)" != "$(cat /root/healthy$d.sum)" ]; then
		changed="$changed $d"
		find $d -mindepth 1 -delete; cp -a /root/healthy$d/. $d/
	fi
done
for f in ` + checkFiles + `; do
	if [ -e /root/healthy$f ]; then cmp -s $f /root/healthy$f || { changed="$changed $f"; cp -a /root/healthy$f $f; }; else rm -f $f; fi
done
case "$changed" in *systemd*) systemctl daemon-reload;; esac
case "$changed" in *opendkim*|*dkimkeys*|*systemd*) signer;; esac
case "$changed" in *postfix*|*systemd*) systemctl restart postfix;; esac
case "$changed" in */etc/bind*|*/etc/ns2*) zones;; esac
`

// checkedServer boots a server on which nothing is wrong, in the small Internet.
func checkedServer(t *testing.T, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b, sink := signing(t, release)
	b.Sh(t, checkWorld)
	becomes(t, b, "dig +short +time=1 @192.0.2.53 lab.example SOA | grep -q mail.lab.example")
	product(t, b, 0, "init", "--yes", "--receive", "yes")
	b.Sh(t, checkLab+"zones\n"+checkSave)
	return b, sink
}

// checkReport is what mailsetup check --json prints.
type checkReport struct {
	Schema   int
	Summary  struct{ Problems, Warnings, Unknown int }
	Findings []finding.Finding
}

// check runs mailsetup check and returns the findings, those that are consequences
// of others left out.
func check(t *testing.T, b *lab.Box, args ...string) (found []finding.Finding, took time.Duration) {
	t.Helper()
	begun := time.Now()
	out, errs, code := b.Exec(t.Context(), nil, append([]string{"mailsetup", "check", "--json"}, args...)...)
	took = time.Since(begun)
	var r checkReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Schema != 1 {
		t.Fatalf("mailsetup check --json %v: exit %d, %v\n%.2000s\n%s", args, code, err, out, errs)
	}
	if err := jsondoctest.Validate(out); err != nil {
		t.Errorf("mailsetup check --json %v: %v", args, err)
	}
	if want := 3 * min(r.Summary.Problems, 1); code != want {
		t.Errorf("mailsetup check %v: exit %d with %d problems", args, code, r.Summary.Problems)
	}
	findingtest.Remedies(t, r.Findings)
	for _, f := range r.Findings {
		if f.CausedBy == "" {
			found = append(found, f)
		}
	}
	return found, took
}

// wrong are the findings of some severities, as lines.
func wrong(list []finding.Finding, severities ...finding.Severity) string {
	var s strings.Builder
	for _, f := range list {
		if slices.Contains(severities, f.Severity) {
			s.WriteString("  " + strings.Join([]string{string(f.Severity), f.ID, f.Domain, f.Subject}, " ") + ": " + f.Seen + "\n")
		}
	}
	return s.String()
}

// checkFaults are all faults, by the group that is about them.
func checkFaults() []checkFault {
	return slices.Concat(hostsFaults, shared(zoneFaults), shared(spfFaults), shared(dkimFaults), shared(dmarcFaults), liveFaults, transportFaults, shared(reputationFaults), operationFaults)
}

// shared gives each release half of the faults that only name servers see: no program of
// the releases differs there.
func shared(faults []checkFault) []checkFault {
	faults = slices.Clone(faults)
	for i := range faults {
		if faults[i].release == "" {
			faults[i].release = lab.Releases()[i%len(lab.Releases())]
		}
	}
	return faults
}

// TestCheck: on a server as init makes it nothing is wrong and nothing unknown; each
// single fault yields its own finding and no other problem.
func TestCheck(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, _ := checkedServer(t, release)
		healthy := func() {
			t.Helper()
			found, took := check(t, b)
			t.Logf("%d findings in %v", len(found), took.Round(10*time.Millisecond))
			if is := wrong(found, finding.Problem, finding.Warning, finding.Unknown); is != "" {
				t.Errorf("on a healthy server:\n%s", is)
			}
		}
		healthy()
		t.Run("forms", func(t *testing.T) { checkForms(t, b) })
		for i, f := range checkFaults() {
			elsewhere := f.release != "" && f.release != release && slices.Contains(lab.Releases(), f.release)
			if elsewhere || f.release == "" && !lab.TakesTurn(i, release) {
				continue
			}
			t.Run(f.id, func(t *testing.T) { f.try(t, b) })
			if i%25 == 24 {
				healthy()
			}
		}
		healthy()
		t.Run("quiet", func(t *testing.T) { quiet(t, b) })
		wishes(t, b)
		healthy()
		t.Run("after", func(t *testing.T) { runsEndWithCheck(t, b) })
	})
}

// runsEndWithCheck: init, add-domain and rotate-dkim end with what is wrong.
func runsEndWithCheck(t *testing.T, b *lab.Box) {
	b.Sh(t, "postconf -e smtp_tls_security_level=none; postfix reload")
	for _, run := range [][]string{
		{"init", "--yes", "--dmarc", "quarantine"},
		{"add-domain", "--yes", "after.example", "--dns", "manual"},
		{"rotate-dkim", "--yes", "--now", "wish0.example"},
	} {
		out, said := product(t, b, 0, run...)
		says(t, out+said, "tls.out", "mailsetup check says what mends this:")
	}
	b.Sh(t, "postconf -e smtp_tls_security_level=may; postfix reload")
	if out, said := product(t, b, 0, "add-domain", "--yes", "before.example", "--dns", "manual"); strings.Contains(out+said, "mailsetup check says") {
		t.Errorf("nothing is wrong:\n%s%s", out, said)
	}
}

// wishes: whatever is wished for, what add-domain makes is right in the eyes of check.
func wishes(t *testing.T, b *lab.Box) {
	t.Helper()
	var day uint64
	if os.Getenv("MAILSETUP_TURNS") == "" { // others each day, but in make test, which judges a change
		day = uint64(time.Now().Unix() / 86400)
	}
	r := rand.New(rand.NewPCG(seed, day))
	pick := func(flag string, values ...string) []string {
		if v := values[r.IntN(len(values))]; v != "" {
			return []string{flag, v}
		}
		return nil
	}
	var origins []string
	for i := range 8 {
		origins = append(origins, fmt.Sprintf("wish%d.example", i))
	}
	b.NamedAll(t, origins...)
	b.Sh(t, "postconf -e 'mydestination = $myhostname, lab.example, localhost, "+strings.Join(origins, ", ")+"'; systemctl reload postfix")
	for _, o := range origins {
		b.Sh(t, checkLab+"printf '%s\n' '"+o+". NS mail."+o+".' 'mail."+o+". A 192.0.2.10' >>/etc/ns2/db.example")
	}
	b.Sh(t, checkLab+"zones")
	for _, o := range origins {
		args := slices.Concat([]string{"add-domain", "--yes", o}, pick("--selector", "", "s1", "mail-2026", "a.b"),
			pick("--key-bits", "", "1024", "3072", "4096"), pick("--ttl", "60", "3600", "86400"), pick("--receive", "yes", "no"),
			pick("--spf-all", "", "softfail", "fail", "neutral"), pick("--dmarc", "", "none", "quarantine", "reject"),
			pick("--dmarc-sp", "", "none", "quarantine", "reject"), pick("--adkim", "", "relaxed", "strict"), pick("--aspf", "", "relaxed", "strict"),
			pick("--rua", "", "mailto:ann@mail.lab.example", "mailto:postmaster@"+o), pick("--ruf", "", "mailto:ann@mail.lab.example"))
		product(t, b, 0, args...)
		if found, _ := check(t, b, "--skip", "live", o); wrong(found, finding.Problem, finding.Warning, finding.Unknown) != "" {
			t.Errorf("mailsetup %s\n%s", strings.Join(args, " "), wrong(found, finding.Problem, finding.Warning, finding.Unknown))
		}
	}
}

// noProblem: on a server where mail works, check has nothing to complain about. Known
// are IDs of what is really wrong there.
func noProblem(t *testing.T, b *lab.Box, known ...string) {
	t.Helper()
	found, took := check(t, b)
	t.Logf("check: %v\n%s", took.Round(10*time.Millisecond), wrong(found, finding.Warning, finding.Unknown))
	others := slices.DeleteFunc(found, func(f finding.Finding) bool {
		// That is true: whoever sets these servers up leaves mydestination to others.
		refused := f.ID == "mx.ours" && strings.Contains(f.Seen, "Relay access denied")
		return refused || slices.Contains(known, f.ID)
	})
	if is := wrong(others, finding.Problem); is != "" {
		t.Errorf("on a server where mail works:\n%s", is)
	}
}

func (f checkFault) try(t *testing.T, b *lab.Box) {
	b.Sh(t, checkLab+f.inject)
	found, took := check(t, b, f.args...)
	severity := f.severity
	if severity == "" {
		severity = finding.Problem
	}
	t.Logf("%s: %v\n%s", f.name, took.Round(10*time.Millisecond), wrong(found, finding.Problem, finding.Warning, finding.Unknown))
	if !slices.ContainsFunc(found, func(g finding.Finding) bool { return g.ID == f.id && g.Severity == severity }) {
		t.Errorf("%s: no %s %s", f.name, severity, f.id)
	}
	others := slices.DeleteFunc(slices.Clone(found), func(g finding.Finding) bool { return g.ID == f.id })
	if is := wrong(others, finding.Problem); is != "" {
		t.Errorf("%s: other problems:\n%s", f.name, is)
	}
	b.Sh(t, checkLab+f.mend+"\n"+checkRestore)
}
