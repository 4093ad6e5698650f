package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"mailsetup/internal/e2e/lab"
)

// eximLetters is how many messages leave by exim4 for each figure.
const eximLetters = 200

// exim compares how fast exim4 signs and sends with a thousand domains and with one, by
// turns: with what a run has written, and with the first row of it alone.
func exim(ctx context.Context, out io.Writer, v *verdicts) error {
	t := &bencher{ctx: ctx}
	return t.run(func() {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Bare})
		h := &host{Box: b, t: t, out: out, v: v}
		b.Named(t, lab1)
		b.Install(t)
		sink := b.Sink(t)
		h.Run(t, append([]string{"mailsetup"}, append(lab.InitArgs(), "--mta", "exim4")...)...)
		h.Sh(t, "cp -p /etc/exim4/mailsetup.dkim /root/one")
		var names strings.Builder
		for i := range many {
			fmt.Fprintf(&names, "m%05d.example\n", i)
		}
		b.Write(t, "/root/domains", names.String(), 0o644)
		c := h.cost("mailsetup", "add-domain", "--from-file", "/root/domains", "--dns", "manual", "--yes")
		fmt.Fprintf(out, "\n%d domains by one add-domain, with exim4 (Debian %s)\n  %s CPU, %s, %s\n", many, release, short(c.cpu), short(c.wall), mb(c.rss))
		h.Sh(t, "cp -p /etc/exim4/mailsetup.dkim /root/all")
		var one, all time.Duration
		h.eximRate(sink, "one", 1)
		for range 3 {
			one += h.eximRate(sink, "one", 1)
			all += h.eximRate(sink, "all", 100)
		}
		fmt.Fprintf(out, "  1 domain %.1f messages a second, %d domains %.1f\n", 3*eximLetters/one.Seconds(), many, 3*eximLetters/all.Seconds())
		v.atLeast("exim4's rate with 1,000 domains, beside with 1", one.Seconds()/all.Seconds(), 0.9, " x")
	})
}

// eximRate returns how long messages of a number of domains take to the sink, with a table,
// and insists that the last one is signed.
func (h *host) eximRate(sink *lab.Sink, table string, domains int) time.Duration {
	h.t.Helper()
	h.Sh(h.t, "cp -p /root/"+table+" /etc/exim4/mailsetup.dkim")
	var letters []lab.Letter
	for i := range domains {
		from := "ann@" + lab1
		if domains > 1 {
			from = fmt.Sprintf("ann@m%05d.example", i*7919%many)
		}
		letters = append(letters, lab.Letter{
			Subject: "plain", From: from, HeaderFrom: from, To: "bob@" + lab.RemoteZone, Server: "127.0.0.1:25", Client: "127.0.0.1",
			Helo: "client.example", Body: strings.Repeat("What a fine day it is.\r\n", 20),
		})
	}
	before, began := sink.Count(), time.Now()
	h.Load(h.t, lab.LoadOptions{Letters: letters, Strangers: clients, Count: eximLetters}).Wait(h.t)
	sink.Wait(h.t, before+eximLetters, 5*time.Minute)
	took := time.Since(began)
	if last := sink.Messages(h.t)[before+eximLetters-1].Data; !strings.Contains(string(last), "DKIM-Signature:") {
		h.t.Fatalf("not signed:\n%s", last)
	}
	return took
}
