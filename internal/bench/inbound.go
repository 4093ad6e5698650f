package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/e2e/lab"
)

// doorLetters is how many messages come in through the door for each figure.
const doorLetters = 2000

// doorUnits are the units whose processor time is told; policyd-spf runs below Postfix.
var doorUnits = []string{"postfix@-", "postfix", "opendkim", "opendmarc", "rspamd", "named"}

// door measures how many messages a second Postfix takes from strangers: alone, as init
// leaves it, with SPF, DMARC and a block list, and with rspamd that looks at the same.
func door(ctx context.Context, out io.Writer, v *verdicts) error {
	t := &bencher{ctx: ctx}
	return t.run(func() {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Staged})
		h := &host{Box: b, t: t, out: out, v: v}
		b.Named(t, "pass.example", `@ TXT "v=spf1 ip4:198.51.100.0/24 -all"`, `_dmarc TXT "v=DMARC1; p=reject"`)
		b.Named(t, "bl.example", "2.0.0.127 A 127.0.0.2")
		b.Sh(t, "postconf -e 'mydestination = $myhostname, lab.example, localhost'; systemctl reload postfix")
		fmt.Fprintf(out, "\n%d messages from strangers, eight at once\n", doorLetters)
		alone := h.doorRate("Postfix alone")
		h.Run(t, append([]string{"mailsetup"}, lab.InitArgs()...)...)
		h.doorRate("as init leaves it")
		b.Apt(t, "postfix-policyd-spf-python", "opendmarc")
		h.Run(t, "mailsetup", "inbound", "--yes", "--spf", "mark", "--dmarc", "mark", "--dnsbl", "bl.example")
		all := h.doorRate("SPF, DMARC and a block list")
		h.Run(t, "mailsetup", "inbound", "--yes", "--spf", "off", "--dmarc", "off", "--dnsbl", "none")
		b.Apt(t, "rspamd")
		b.Sh(t, `printf 'rbls { bl { rbl = "bl.example"; checks = ["from"]; } }\n' >/etc/rspamd/local.d/rbl.conf
postconf -e smtpd_milters=inet:127.0.0.1:11332; systemctl restart rspamd; systemctl reload postfix
for i in $(seq 300); do ss -Hltn 'sport = :11332' | grep -q . && exit 0; sleep 0.1; done; journalctl -u rspamd -n 20; exit 1`)
		other := h.doorRate("rspamd instead")
		fmt.Fprintf(out, "  everything on, beside Postfix alone %.2f, beside rspamd %.2f\n", all/alone, all/other)
	})
}

// doorRate sends mail and returns how many messages a second were taken.
func (h *host) doorRate(what string) (rate float64) {
	h.t.Helper()
	letter := func(n int) lab.Letter {
		return lab.Letter{
			Subject: "plain", Client: fmt.Sprintf("198.51.100.%d", n), From: "carl@pass.example", HeaderFrom: "carl@pass.example",
			Server: h.Addr + ":25", To: "root@mail.lab.example", Helo: "mx.pass.example", Body: strings.Repeat("What a fine day it is.\r\n", 20),
		}
	}
	var letters []lab.Letter
	for i := range 8 {
		letters = append(letters, letter(i+1))
	}
	send := func(n int) { h.Load(h.t, lab.LoadOptions{Letters: letters, Strangers: 8, Count: n}).Wait(h.t) }
	send(100) // look-ups and processes are warm
	before := h.unitTimes()
	begun := time.Now()
	send(doorLetters)
	took := time.Since(begun)
	var shares []string
	for i, after := range h.unitTimes() {
		if spent := after - before[i]; spent > 10*time.Millisecond {
			shares = append(shares, fmt.Sprintf("%s %.1f", doorUnits[i], 1000*spent.Seconds()/doorLetters))
		}
	}
	rate = doorLetters / took.Seconds()
	fmt.Fprintf(h.out, "  %-30s %7.0f messages a second; ms of processor each: %s\n", what, rate, strings.Join(shares, ", "))
	return rate
}

// unitTimes returns the processor time of doorUnits so far.
func (h *host) unitTimes() []time.Duration {
	h.t.Helper()
	var times []time.Duration
	for _, u := range doorUnits {
		times = append(times, h.unitTime(u))
	}
	return times
}

// unitTime returns the processor time of a unit so far, 0 where it does not run.
func (h *host) unitTime(unit string) time.Duration {
	h.t.Helper()
	ns, _ := strconv.ParseInt(strings.TrimSpace(h.Sh(h.t, "systemctl show -p CPUUsageNSec --value "+unit)), 10, 64)
	return time.Duration(ns)
}
