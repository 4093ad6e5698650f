//go:build e2e

package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// remote is a mail server whose domains are on a name server elsewhere, which
// takes signed updates.
type remote struct {
	*lab.Box
	ns *lab.Box
}

const updateKey = "/root/update.key"

// newRemote boots both. The zones are dynamic; the resolver of the mail server
// asks the name server for them. Negative answers have a TTL of 0: BIND keeps
// such a one to the end of its second.
func newRemote(t *testing.T, release string, zones map[string]string, policy string) remote {
	t.Helper()
	r := remote{
		server(t, release, lab.Mail),
		lab.Boot(t, lab.Options{Release: release, Hostname: "ns.lab.example", Addresses: []string{secondary + "/32"}}),
	}
	lab.Connect(t, r.Box, r.ns)
	conf := map[string]string{"/etc/bind/named.conf.options": `options {
	directory "/var/cache/bind"; recursion no; dnssec-validation no;
};
include "/etc/bind/update.key";
`}
	r.ns.Sh(t, "umask 027; tsig-keygen mailsetup >/etc/bind/update.key; chgrp bind /etc/bind/update.key")
	for origin, records := range zones {
		file := "/var/lib/bind/db." + origin
		conf[file] = "$TTL 5\n@ IN SOA ns.lab.example. hostmaster 2026010101 3600 900 604800 0\n@ IN NS ns.lab.example.\n" + records
		conf["/etc/bind/named.conf.local"] += "zone \"" + origin + "\" { type primary; file \"" + file + "\"; update-policy { " + policy + " }; };\n"
	}
	r.ns.NamedConf(t, conf)
	for origin := range zones {
		r.Zone(t, origin, "zone \""+origin+"\" { type forward; forward only; forwarders { "+secondary+"; }; };", "")
	}
	r.Write(t, updateKey, r.ns.Read(t, "/etc/bind/update.key"), 0o600)
	return r
}

// forget makes the resolver ask again: in the second in which a key was
// published it may still say that there is none, to the run that asked first.
func (r remote) forget(t *testing.T) {
	t.Helper()
	r.Run(t, "rndc", "flush")
}

const (
	updatePolicy = "grant mailsetup zonesub A AAAA MX TXT;"
	nsRecord     = "ns IN A " + secondary + "\n"
)

func updateArgs(more ...string) []string {
	return initArgs(append([]string{"--dns", "rfc2136", "--rfc2136-key", updateKey}, more...)...)
}

// zone is all that the name server has of one, without what it changes itself.
func (r remote) zone(t *testing.T, origin string) string {
	t.Helper()
	all := r.ns.Run(t, "named-compilezone", "-q", "-j", "-s", "full", "-o", "-", origin, "/var/lib/bind/db."+origin)
	var lines []string
	for line := range strings.Lines(all) {
		if line = strings.Join(strings.Fields(line), " "); !strings.Contains(line, " IN SOA ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// secretStays insists that the secret of the key is where it was put only.
func (r remote) secretStays(t *testing.T) {
	t.Helper()
	_, secret, _ := strings.Cut(r.Read(t, updateKey), "secret \"")
	secret, _, _ = strings.Cut(secret, "\"")
	if len(secret) < 20 {
		t.Fatalf("secret %q", secret)
	}
	found := r.Sh(t, "grep -rlsaDskip -F '"+secret+"' /etc /var /run /tmp /root || true; journalctl --no-pager | grep -F '"+secret+"' || true")
	if strings.TrimSpace(found) != updateKey {
		t.Errorf("the secret of the key is in:\n%s", found)
	}
}

// TestUpdate: the records go to a name server elsewhere, found by the SOA
// record, and mail verifies against them; a second run changes nothing, what
// somebody took out comes back, and a rollback takes all of it out again.
func TestUpdate(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{"lab.example": nsRecord + "@ IN TXT \"site=1\"\n"}, updatePolicy)
		sink := r.Sink(t)
		was, zone := look(t, r.Box), r.zone(t, "lab.example")

		out, _ := product(t, r.Box, 0, updateArgs()...)
		says(t, out, "update lab.example. on ns.lab.example:53", `+ _dmarc.lab.example. 3600 TXT "v=DMARC1; p=none`)
		for _, want := range []string{
			`lab.example. 3600 IN MX 10 mail.lab.example.`, `lab.example. 5 IN TXT "site=1"`, `lab.example. 5 IN TXT "v=spf1 `,
			`_dmarc.lab.example. 3600 IN TXT "v=DMARC1; p=none`, `mail.lab.example. 3600 IN A 192.0.2.10`, `._domainkey.lab.example. 3600 IN TXT "v=DKIM1; `,
		} {
			if n := strings.Count(r.zone(t, "lab.example"), want); n != 1 {
				t.Errorf("%d times %q in the zone:\n%s", n, want, r.zone(t, "lab.example"))
			}
		}
		leavesSigned(t, r.Box, sink)
		product(t, r.Box, 0, "dns", "--wait", "--timeout", "30s")
		nothingChanges(t, r.Box, updateArgs()...)
		nothingChanges(t, r.Box, "init", "--yes")

		full := r.zone(t, "lab.example")
		r.ns.Sh(t, "printf 'server 127.0.0.1\\nzone lab.example\\nupdate delete _dmarc.lab.example TXT\\nsend\\n' | nsupdate -k /etc/bind/update.key")
		if r.zone(t, "lab.example") == full {
			t.Fatal("the record was not taken out")
		}
		out, _ = product(t, r.Box, 3, "dns", "--wait", "--timeout", "0")
		says(t, out, "lab.example: 1 problem\n  _dmarc.lab.example TXT at ns.lab.example ("+secondary+"):\n    missing\n")
		product(t, r.Box, 0, updateArgs()...)
		if is := r.zone(t, "lab.example"); is != full {
			t.Errorf("what was taken out is not back:\n%s\nwant\n%s", is, full)
		}
		out, _ = product(t, r.Box, 0, "init", "--dry-run", "--dns", "manual")
		says(t, out, "still has 6 records of")
		product(t, r.Box, 0, updateArgs("--dmarc", "quarantine", "--ttl", "600")...)
		if is := r.zone(t, "lab.example"); strings.Count(is, "_dmarc.lab.example. 600 IN TXT \"v=DMARC1; p=quarantine") != 1 || strings.Contains(is, "p=none") {
			t.Errorf("another policy and TTL are not there:\n%s", is)
		}
		r.secretStays(t)

		runs := historyOf(t, r.Box)
		for _, run := range runs {
			id, _, _ := strings.Cut(run, " ")
			product(t, r.Box, 0, "rollback", "--yes", id)
		}
		if len(runs) != 3 {
			t.Errorf("want three runs:\n%s", strings.Join(runs, "\n"))
		}
		if is := r.zone(t, "lab.example"); is != zone {
			t.Errorf("after the rollback:\n%s\nwant\n%s", is, zone)
		}
		unchanged(t, was, withoutLedger(look(t, r.Box)))
	})
}

// TestUpdateRefused: with a key that does not fit, or that others can read,
// nothing is changed here or there; nor with one that may not change all that
// has to be changed.
func TestUpdateRefused(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{"lab.example": nsRecord}, "grant mailsetup wildcard *._domainkey.lab.example. TXT;")
		was, zone := look(t, r.Box), r.zone(t, "lab.example")
		good := r.Read(t, updateKey)
		for name, tc := range map[string]struct {
			text string
			mode uint32
			code int
			says []string
		}{
			"others can read it": {good, 0o644, 2, []string{updateKey + ": the key can be read by others than root (mode 0644)", "hint: chown root " + updateKey + " && chmod 600 " + updateKey}},
			"another secret": {"key mailsetup { algorithm hmac-sha256; secret \"bm90IGl0\"; };\n", 0o600, 1, []string{
				"has another secret under the name mailsetup (BADSIG)", "hint: copy the key statement",
			}},
			"another name": {strings.Replace(good, "mailsetup", "other", 1), 0o600, 1, []string{"does not know the key other (BADKEY)", "hint: "}},
			"no key":       {"# nothing\n", 0o600, 2, []string{updateKey + ": is not a key statement", "hint: tsig-keygen"}},
			"not allowed": {good, 0o600, 1, []string{
				"does not let the key mailsetup do this (REFUSED)", "grant mailsetup zonesub", "everything was put back as it was",
			}},
		} {
			r.Write(t, updateKey, tc.text, 0o600)
			if tc.mode != 0o600 {
				r.Run(t, "chmod", "644", updateKey)
			}
			_, said := product(t, r.Box, tc.code, updateArgs("--rfc2136-server", secondary)...)
			says(t, said, tc.says...)
			if is := r.zone(t, "lab.example"); is != zone {
				t.Errorf("%s: the zone is\n%s\nwas\n%s", name, is, zone)
			}
			r.Run(t, "chmod", "600", updateKey)
			asBefore(t, r.Box, was)
		}
		r.Write(t, updateKey, good, 0o600)
		r.ns.Run(t, "systemctl", "stop", "named")
		_, said := product(t, r.Box, 1, updateArgs("--rfc2136-server", secondary)...)
		says(t, said, "name server "+secondary+":53: cannot be reached", "hint: see that it runs and takes TCP on its port")
		asBefore(t, r.Box, was)
	})
}

// TestUpdateOfExisting: an SPF record of the administrator's is changed on a
// consent of its own, in one message with the rest, and comes back.
func TestUpdateOfExisting(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{"lab.example": nsRecord + "@ 60 IN TXT \"v=spf1 ip4:198.51.100.1 \" \"-all\"\n@ 60 IN TXT \"site=1\"\n"}, "grant mailsetup zonesub A AAAA CNAME MX TXT;")
		zone := r.zone(t, "lab.example")
		_, said := product(t, r.Box, 2, updateArgs()...)
		says(t, said, `lab.example. 60 IN TXT "v=spf1 ip4:198.51.100.1 -all"`, "hint: --existing-records change allows it")
		if is := r.zone(t, "lab.example"); is != zone {
			t.Fatalf("changed without consent:\n%s", is)
		}
		product(t, r.Box, 0, updateArgs("--existing-records", "change")...)
		is := r.zone(t, "lab.example")
		if strings.Count(is, "v=spf1") != 2 || strings.Count(is, `lab.example. 60 IN TXT "v=spf1 ip4:192.0.2.10 ip4:198.51.100.1 `) != 1 {
			t.Errorf("want one SPF record of the domain, merged, and one of the host:\n%s", is)
		}
		nothingChanges(t, r.Box, updateArgs()...)
		product(t, r.Box, 0, "rollback", "--yes")
		if is := r.zone(t, "lab.example"); strings.ReplaceAll(is, `" "`, "") != strings.ReplaceAll(zone, `" "`, "") {
			t.Errorf("after the rollback:\n%s\nwant\n%s", is, zone)
		}

		out, _ := product(t, r.Box, 0, updateArgs("--existing-records", "change")...)
		key := regexp.MustCompile(`[^ /]+\._domainkey\.lab\.example`).FindString(out)
		r.ns.Sh(t, `printf 'server 127.0.0.1\nzone lab.example\nupdate delete `+key+` TXT\nupdate add `+key+
			` 60 CNAME key.vendor.example.\nsend\n' | nsupdate -k /etc/bind/update.key`)
		zone = r.zone(t, "lab.example")
		_, said = product(t, r.Box, 2, updateArgs()...)
		says(t, strings.Join(strings.Fields(said), " "), key+" is a CNAME of key.vendor.example: the key of this server cannot stand there",
			"hint: take the CNAME out of the zone lab.example on")
		if is := r.zone(t, "lab.example"); is != zone {
			t.Errorf("a CNAME in the way, and yet:\n%s", is)
		}
	})
}

// TestPrimaryDies: whatever a primary does half-way, nothing is left half
// published: one that no longer takes updates costs the run, and the other zone
// gets back what it had; one that is dead when the run has to be taken back
// keeps it open until it is there again. And so it is when the run is killed.
func TestPrimaryDies(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{"lab.example": nsRecord, "zwei.example": ""}, updatePolicy)
		was, zone := look(t, r.Box), r.zone(t, "lab.example")
		second := append(updateArgs("--rfc2136-server", secondary), "--hostname", "mail.zwei.example")

		r.ns.Run(t, "rndc", "freeze", "zwei.example")
		_, said := product(t, r.Box, 1, second...)
		says(t, said, "update zwei.example.: name server "+secondary+":53: ", "everything was put back as it was")
		r.ns.Run(t, "rndc", "thaw", "zwei.example")
		if is := r.zone(t, "lab.example"); is != zone {
			t.Errorf("half published:\n%s\nwas\n%s", is, zone)
		}
		asBefore(t, r.Box, was)

		unit := postfixUnit(release)
		dropIn(t, r.Box, unit, "ExecReload=\nExecReload="+strings.Replace(unless("opendkim", "/etc/postfix/main.cf", "postfix reload"), "exit", "sleep 8; exit", 1))
		died := make(chan error, 1)
		go func() { died <- r.diesOncePublished(t) }()
		_, said = product(t, r.Box, 4, updateArgs("--rfc2136-server", secondary)...)
		if err := <-died; err != nil {
			t.Fatal(err)
		}
		says(t, said, distaste, "not everything could be put back:", "cannot be reached", "mailsetup recover")
		undrop(t, r.Box, unit)
		r.ns.Run(t, "systemctl", "start", "named")
		if r.zone(t, "lab.example") == zone {
			t.Error("the zone had nothing to be taken back")
		}
		product(t, r.Box, 0, "recover")
		if is := r.zone(t, "lab.example"); is != zone {
			t.Errorf("after recover:\n%s\nwas\n%s", is, zone)
		}
		asBefore(t, r.Box, was)
		if !t.Failed() {
			r.updateKilled(t)
		}
	})
}

// diesOncePublished kills the name server, without a chance to do anything,
// when it has got the records.
func (r remote) diesOncePublished(t *testing.T) error {
	_, said, code := r.ns.Exec(t.Context(), nil, "sh", "-c", `for i in $(seq 600); do
	dig +short @127.0.0.1 TXT _dmarc.lab.example | grep -q DMARC1 && systemctl kill -s KILL named && systemctl stop named && exit 0
	sleep 0.1
done; echo never published; exit 1`)
	if code != 0 {
		return errorString(said)
	}
	return nil
}

type errorString string

func (e errorString) Error() string { return "the name server did not die: " + string(e) }

// TestDynamicZoneHere: a zone of this machine's BIND that takes updates is never
// edited as a file; it is updated with the key that named makes for that.
func TestDynamicZoneHere(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		const file = "/var/lib/bind/db.lab.example"
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example"})
		b.Zone(t, "lab.example", `zone "lab.example" { type primary; file "`+file+`"; update-policy local; };`,
			"$TTL 5\n@ IN SOA mail hostmaster 2026010101 3600 900 604800 0\n@ IN NS mail\nmail IN A 192.0.2.10\n")
		b.Install(t)
		sink := b.Sink(t)
		was, text := look(t, b), b.Read(t, file)

		_, said := product(t, b, 2, initArgs("--dns", "bind")...)
		says(t, said, "zone lab.example: it takes dynamic updates (update-policy): its file belongs to named",
			"--dns rfc2136 --rfc2136-server 127.0.0.1 --rfc2136-key /run/named/session.key")
		asBefore(t, b, was)

		args := initArgs("--dns", "rfc2136", "--rfc2136-key", "/run/named/session.key")
		product(t, b, 0, args...)
		serves(t, b, "TXT", "lab.example", "v=spf1")
		serves(t, b, "TXT", "_dmarc.lab.example", "v=DMARC1")
		leavesSigned(t, b, sink)
		if is := b.Read(t, file); is != text {
			t.Errorf("the file was edited:\n%s", is)
		}
		nothingChanges(t, b, args...)
		product(t, b, 0, "rollback", "--yes")
		for _, name := range []string{"lab.example", "_dmarc.lab.example"} {
			if is := dig(t, b, "TXT", name); len(is) != 0 {
				t.Errorf("%s is still served: %q", name, is)
			}
		}
		unchanged(t, was, withoutLedger(look(t, b)))

		b.Sh(t, `sed -i 's/update-policy local/update-policy { grant x zonesub TXT; }/; 1i key x { algorithm hmac-sha256; secret "eHh4"; };' /etc/bind/named.conf.local; named-checkconf && rndc reconfig`)
		_, said = product(t, b, 2, initArgs("--dns", "bind")...)
		says(t, said, `put include "/etc/bind/mailsetup.key"; into named.conf.local, and grant mailsetup zonesub A AAAA MX TXT; into the zone's update-policy`)
		_, key, _ := strings.Cut(said, "hint: make a key: ")
		key, _, _ = strings.Cut(key, "\n")
		b.Sh(t, key+`; sed -i 's/grant x/grant mailsetup zonesub A AAAA MX TXT; &/; 1i include "/etc/bind/mailsetup.key";' /etc/bind/named.conf.local
named-checkconf && rndc reconfig`)
		product(t, b, 0, initArgs("--dns", "rfc2136", "--rfc2136-server", "127.0.0.1", "--rfc2136-key", "/root/mailsetup.key")...)
		says(t, said, "then --dns rfc2136 --rfc2136-server 127.0.0.1 --rfc2136-key /root/mailsetup.key")
		leavesSigned(t, b, sink)
	})
}

var addElsewhere = []string{
	"add-domain", "zwei.example", "--yes", "--receive", "yes", "--dns", "rfc2136", "--rfc2136-server", secondary, "--rfc2136-key", updateKey,
}

// TestUpdateOfOneDomain: beside a domain in this machine's BIND there may be one
// on a name server elsewhere. Adding it touches no zone here, and a later run
// for all leaves both alone. That server may be another one than BIND.
func TestUpdateOfOneDomain(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{"zwei.example": ""}, updatePolicy)
		r.Named(t, "lab.example", nsRecord)
		sink := r.Sink(t)
		product(t, r.Box, 0, initArgs()...)
		here, named := r.Read(t, "/etc/bind/db.lab.example"), r.Run(t, "systemctl", "show", "-p", "InvocationID", "named")
		product(t, r.Box, 0, addElsewhere...)
		for _, want := range []string{`zwei.example. 3600 IN MX 10 mail.lab.example.`, `zwei.example. 3600 IN TXT "v=spf1`, `_dmarc.zwei.example. 3600 IN TXT "v=DMARC1`, `._domainkey.zwei.example. 3600 IN TXT "v=DKIM1`} {
			if is := r.zone(t, "zwei.example"); strings.Count(is, want) != 1 {
				t.Errorf("not once %q in\n%s", want, is)
			}
		}
		if is := r.Read(t, "/etc/bind/db.lab.example"); is != here {
			t.Errorf("the zone here was changed:\n%s", is)
		}
		if is := r.Run(t, "systemctl", "show", "-p", "InvocationID", "named"); is != named {
			t.Error("named was started again")
		}
		r.forget(t)
		leavesSignedBy(t, r.Box, sink, "zwei.example")
		leavesSignedBy(t, r.Box, sink, "lab.example")
		nothingChanges(t, r.Box, "init", "--yes")
		product(t, r.Box, 0, "rollback", "--yes")
		if is := r.zone(t, "zwei.example"); strings.Contains(is, "TXT") {
			t.Errorf("after the rollback:\n%s", is)
		}
		product(t, r.Box, 0, addElsewhere...)
		r.removed(t, sink)
		r.otherPrimary(t, release, sink)
	})
}

// removed takes a domain away whose zone is elsewhere: its key stays there for
// mail under way, and goes with the first tick after its time.
func (r remote) removed(t *testing.T, sink *lab.Sink) {
	t.Helper()
	mail := lab.Letter{From: "ann@zwei.example", To: "bob@remote.example", Subject: "under way", Body: "hello"}
	before := sink.Count()
	if said, taken := r.Send(t, mail); !taken {
		t.Fatal(said)
	}
	sent := sink.Wait(t, before+1, 90*time.Second)[before].Data
	r.Sh(t, `grep -q '^drain = "14d"$' /etc/mailsetup/host.toml; sed -i 's/^drain = .*/drain = "3s"/' /etc/mailsetup/host.toml`)
	product(t, r.Box, 0, "remove-domain", "--yes", "zwei.example")
	if is := r.zone(t, "zwei.example"); strings.Count(is, " TXT ") != 1 || strings.Contains(is, " MX ") || !strings.Contains(is, "._domainkey.zwei.example.") {
		t.Errorf("while its key drains, the zone should have that alone:\n%s", is)
	}
	r.forget(t)
	signedBy(t, r.Box, sent, "zwei.example")
	laterBy(t, r.Box, 4*time.Second)
	product(t, r.Box, 0, "rotate-dkim", "--yes")
	if is := r.zone(t, "zwei.example"); strings.Contains(is, "TXT") {
		t.Errorf("after the drain:\n%s", is)
	}
	if keys := r.Sh(t, "ls /etc/dkimkeys /var/lib/mailsetup/dns-updates"); strings.Contains(keys, "zwei") {
		t.Errorf("something of it is left:\n%s", keys)
	}
	if out, _ := product(t, r.Box, 0, "rotate-dkim", "--yes"); out != "" {
		t.Errorf("nothing is due, and yet: %s", out)
	}
}

// updateKilled: a run that is killed when the zone has the records, and its
// signer does not use them yet, is taken back there as well.
func (r remote) updateKilled(t *testing.T) {
	t.Helper()
	was, zone := look(t, r.Box), r.zone(t, "lab.example")
	r.Sh(t, "mailsetup "+strings.Join(updateArgs("--rfc2136-server", secondary), " ")+` >/root/out 2>&1 & pid=$!
for i in $(seq 600); do
dig +short @`+secondary+` TXT _dmarc.lab.example | grep -q DMARC1 && kill -KILL $pid && break
sleep 0.02
done
code=0; wait $pid || code=$?; [ $code = 137 ]`)
	if r.zone(t, "lab.example") == zone {
		t.Fatal("it was killed before the zone was changed")
	}
	product(t, r.Box, 0, "recover")
	if is := r.zone(t, "lab.example"); is != zone {
		t.Errorf("after recover:\n%s\nwas\n%s", is, zone)
	}
	asBefore(t, r.Box, was)
}
