//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// door is a set-up that the administrator may have had: what main.cf has in the place of
// Debian's smtpd_relay_restrictions, and what becomes of master.cf.
type door struct {
	name, main string
	master     func(string) string
	// theirs: policyd-spf is asked by hand already, so no line of the lists changes.
	theirs bool
}

const (
	trusted   = "permit_mynetworks, permit_sasl_authenticated"
	relayList = "smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination\n"
	// other is a policy service that has no objection, as postgrey to a known client.
	other  = "other unix - n n - 0 spawn user=nobody argv=/usr/local/bin/other\n"
	byHand = "spfcheck unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf\n"
)

// debians is a master.cf as Debian has it; with adds a service, and option one to the port for
// other servers.
func debians(master string) string { return master }

func with(entry string) func(string) string {
	return func(master string) string { return master + entry }
}

func option(line string) func(string) string {
	return func(master string) string {
		before, rest, _ := strings.Cut(master, "\nsmtp ")
		first, rest, _ := strings.Cut(rest, "\n")
		return before + "\nsmtp " + first + "\n  -o " + line + "\n" + rest
	}
}

// behindPostscreen is the set-up of POSTSCREEN_README, with the lines of Debian's master.cf.
func behindPostscreen(master string) string {
	lines := strings.Split(master, "\n")
	for i, l := range lines {
		if f := strings.Fields(l); len(f) == 8 && f[0] == "smtp" && f[1] == "inet" {
			lines[i] = "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\ndnsblog unix - - y - 0 dnsblog\ntlsproxy unix - - y - 0 tlsproxy"
		}
	}
	return strings.Join(lines, "\n")
}

// doors are the set-ups, by release: no program reads lists in another way there.
var doors = map[string][]door{
	"bookworm": {
		{"the relay list alone", relayList, debians, false},
		{
			"recipients alone", "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions =\n    permit_mynetworks,\n    permit_sasl_authenticated,\n" +
				"    # nobody relays\n    reject_unauth_destination,\n    reject_non_fqdn_recipient,\n    permit\n", debians, false,
		},
		{
			"both, and a policy service of others", relayList + "smtpd_recipient_restrictions = " + trusted +
				",\n  reject_unauth_destination,\n  check_policy_service unix:private/other\n", with(other), false,
		},
		{
			"a class", "smtpd_restriction_classes = guard\nguard = " + trusted + ", reject_unauth_destination\n" +
				"smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = guard, reject_non_fqdn_recipient\n", debians, false,
		},
		{"the service's own", relayList, option("smtpd_recipient_restrictions=permit_mynetworks,reject_unauth_destination,permit"), false},
	},
	"trixie": {
		{"behind postscreen", relayList + "postscreen_greet_wait = 1s\n", behindPostscreen, false},
		{
			"all in the list of clients", relayList + "smtpd_delay_reject = yes\nsmtpd_client_restrictions = " + trusted +
				", reject_unauth_destination, reject_unauth_pipelining\n", debians, false,
		},
		{"compatibility level 0", "compatibility_level = 0\nsmtpd_recipient_restrictions = " + trusted + ", reject_unauth_destination\n", debians, false},
		{
			"policyd-spf by hand", relayList + "smtpd_recipient_restrictions = " + trusted +
				", reject_unauth_destination, check_policy_service unix:private/spfcheck\n", with(byHand), true,
		},
		{
			"a class that ends the list", "smtpd_restriction_classes = guard\nguard =\n  " + trusted + "\n  reject_unauth_destination\n  permit\n" +
				"smtpd_relay_restrictions = guard\n", debians, false,
		},
	},
}

// offered are what strangers offer: sender and recipient, in the forms of addresses that
// relays are tried with (RFC 5321 section 7.9, RFC 1123 section 5.3.6).
var offered = [][2]string{
	{"x@none.example", "bob@far.example"},
	{"", "bob@far.example"},
	{"ann@lab.example", "bob@far.example"},
	{"root@localhost", "bob@far.example"},
	{"root", "bob@far.example"},
	{"x@[198.51.100.9]", "bob@far.example"},
	{"x@none.example", "BOB@FAR.EXAMPLE"},
	{"x@none.example", "bob@far.example."},
	{"x@none.example", `"bob"@far.example`},
	{"x@none.example", "bob%far.example@lab.example"},
	{"x@none.example", "bob%far.example@mail.lab.example"},
	{"x@none.example", "bob%far.example"},
	{"x@none.example", "far.example!bob@lab.example"},
	{"x@none.example", "far.example!bob"},
	{"x@none.example", "lab.example!far.example!bob"},
	{"x@none.example", "@lab.example:bob@far.example"},
	{"x@none.example", "@mail.lab.example,@lab.example:bob@far.example"},
	{"x@none.example", "bob@far.example@lab.example"},
	{"x@none.example", `"bob@far.example"@lab.example`},
	{"x@none.example", `"bob@far.example"`},
	{"x@none.example", "bob@[198.51.100.77]"},
	{"x@none.example", "bob@[IPv6:2001:db8:99::77]"},
	{"x@none.example", "postmaster@far.example"},
}

// offer asks from outside of the server, in sessions of their own, and returns the codes of
// the answers to RCPT.
const offer = `
import json, smtplib, socket, sys
server, source, pairs = json.load(sys.stdin)
codes = []
for sender, to in pairs:
    while True:
        s = smtplib.SMTP(timeout=60, source_address=(source, 0), local_hostname='client.none.example')
        s.connect(server, 25)
        s.ehlo()
        code, text = s.docmd('MAIL FROM:<%s>' % sender)
        if code < 400:
            code, text = s.docmd('RCPT TO:<%s>' % to)
        s.docmd('QUIT')
        s.close()
        if code != 450 or b'4.3.2' not in text: # postscreen has a look at each client first
            break
    codes.append('%d %s' % (code, text.decode()))
print(json.dumps(codes))
`

func offers(t *testing.T, b *lab.Box, server, source string, pairs [][2]string) (replies []string) {
	t.Helper()
	in, err := json.Marshal([]any{server, source, pairs})
	if err != nil {
		t.Fatal(err)
	}
	out, said, code := b.Exec(t.Context(), strings.NewReader(string(in)), "ip", "netns", "exec", "world", "python3", "-c", offer)
	if err := json.Unmarshal([]byte(out), &replies); code != 0 || err != nil || len(replies) != len(pairs) {
		t.Fatalf("offers: exit %d, %v\n%s%s", code, err, out, said)
	}
	return replies
}

// refuses insists that no stranger relays, from neither family of addresses, and that mail
// for this server is taken.
func refuses(t *testing.T, b *lab.Box, when string) {
	t.Helper()
	for i, reply := range offers(t, b, "192.0.2.10", "198.51.100.9", offered) {
		if reply[0] != '4' && reply[0] != '5' {
			t.Errorf("%s: from <%s> to <%s>: %s", when, offered[i][0], offered[i][1], reply)
		}
	}
	if reply := offers(t, b, "2001:db8::10", "2001:db8:99::7", offered[:1])[0]; reply[0] != '4' && reply[0] != '5' {
		t.Errorf("%s: by IPv6: %s", when, reply)
	}
	for _, reply := range offers(t, b, "192.0.2.10", "198.51.100.9", [][2]string{{"x@none.example", "root@mail.lab.example"}, {"", "postmaster@mail.lab.example"}}) {
		if !strings.HasPrefix(reply, "250") {
			t.Errorf("%s: mail for us: %s", when, reply)
		}
	}
}

// TestInboundRelay: wherever an administrator's guards against relaying stand, they guard as
// before once SPF and a block list are checked, and the files are as they were once they are
// not.
func TestInboundRelay(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, _ := signing(t, release)
		b.Apt(t) // what the product installs is there
		b.Sh(t, "ip addr add 2001:db8::10/128 dev eth0 nodad")
		b.Write(t, "/usr/local/bin/other", "#!/bin/sh\nwhile read -r line; do [ -n \"$line\" ] || printf 'action=dunno\\n\\n'; done\n", 0o755)
		b.Zone(t, "fail.example", `zone "fail.example" { type primary; file "/etc/bind/db.fail.example"; };`, "$TTL 60\n@ IN SOA ns.fail.example. x.fail.example. 1 3600 900 604800 60\n"+
			"@ IN NS ns\nns IN A 192.0.2.10\n@ IN TXT \"v=spf1 -all\"\n")
		b.Named(t, "bl.example", "2.0.0.127 A 127.0.0.2", "99.100.51.198 A 127.0.0.2")
		main, master := b.Read(t, "/etc/postfix/main.cf"), b.Read(t, "/etc/postfix/master.cf")
		if !strings.Contains(main, relayList) {
			t.Fatalf("main.cf is not Debian's:\n%s", main)
		}
		for _, d := range doors[release] {
			had := map[string]string{"main.cf": strings.Replace(main, relayList, d.main, 1), "master.cf": d.master(master)}
			if strings.Contains(d.main, "compatibility_level") {
				lines := strings.Split(had["main.cf"], "\n")
				had["main.cf"] = strings.Join(slices.DeleteFunc(lines, func(l string) bool {
					return strings.HasPrefix(l, "compatibility_level") && l != "compatibility_level = 0"
				}), "\n")
			}
			for name, text := range had {
				b.Write(t, "/etc/postfix/"+name, text, 0o644)
			}
			if d.theirs {
				b.Apt(t, "postfix-policyd-spf-python")
			}
			b.Run(t, "postfix", "reload")
			refuses(t, b, d.name+", before")
			list := "bl.example"
			if d.theirs { // then no line changes but by a list
				list = "none"
			}
			product(t, b, 0, "inbound", "--spf", "reject", "--dnsbl", list, "--yes")
			refuses(t, b, d.name+", with SPF and a block list")
			if reply := offers(t, b, "192.0.2.10", "198.51.100.99", [][2]string{{"x@none.example", "root@mail.lab.example"}})[0]; !d.theirs && (!strings.HasPrefix(reply, "554 5.7.1 ") || !strings.Contains(reply, "bl.example")) {
				t.Errorf("%s: a client on the list: %s", d.name, reply)
			}
			if reply := offers(t, b, "192.0.2.10", "198.51.100.9", [][2]string{{"x@fail.example", "root@mail.lab.example"}})[0]; !strings.HasPrefix(reply, "550 5.7.23 ") {
				t.Errorf("%s: mail that fails SPF: %s", d.name, reply)
			}
			if d.theirs {
				if got := b.Read(t, "/etc/postfix/main.cf"); got != had["main.cf"] {
					t.Errorf("%s: main.cf became\n%s", d.name, got)
				}
			}
			product(t, b, 0, "inbound", "--spf", "off", "--dnsbl", "none", "--yes")
			for name, text := range had {
				if got := b.Read(t, "/etc/postfix/"+name); got != text {
					t.Errorf("%s: %s became\n%s", d.name, name, got)
				}
			}
			if got := b.Run(t, "dpkg", "--verify", "postfix-policyd-spf-python"); got != "" {
				t.Errorf("%s: not as its package has it: %s", d.name, got)
			}
		}
	})
}
