package inbound

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnsbl"
	"mailsetup/internal/system"
)

// journal checks what Postfix, and what it asks, logged.
type journal struct{ *checker }

// Limits of what is read of the journal.
const (
	journalTime  = 2 * time.Second
	journalLines = "20000"
)

// What smtpd(8) and dnsblog(8) log of a check that could not be made.
var (
	listFailed   = regexp.MustCompile(`warning: (?:(\S+): RBL lookup error: |dnsblog_query: lookup error for DNS query (\S+): )`)
	milterFailed = regexp.MustCompile(`warning: (?:connect to Milter service (\S+?)(?:: |$)|milter (\S+): can't (?:read|write) )`)
	policyFailed = regexp.MustCompile(`warning: problem talking to server (\S+): `)
)

// manyTimes is from how many in a day on it is more than a name server that stumbles.
const manyTimes = 10

// check tells which checks of incoming mail were left out within a day.
func (c journal) check(ctx context.Context) {
	if !c.running || c.s.Unprivileged { // who may not read the journal sees nothing
		return
	}
	c.failedOpen(ctx)
	c.unjudged(ctx)
}

// failedOpen tells of checks that were not made, since what makes them did not answer and
// mail is to pass then.
func (c journal) failedOpen(ctx context.Context) {
	times := map[string]int{}
	err := c.read(ctx, []string{
		"-u", "postfix*", "-g", "RBL lookup error|lookup error for DNS query|connect to Milter service|milter .*: can't (read|write)|problem talking to server",
	}, func(line string) {
		if what := c.leftOut(line); what != "" {
			times[what]++
		}
	})
	if err != nil {
		return
	}
	for _, l := range c.checksThatMayFail() {
		n := times[l.subject]
		f := finding.Finding{ID: "in.open", Severity: finding.OK, Subject: l.subject, Seen: "no message passed without it within a day"}
		if n > 0 {
			f.Severity, f.Seen = finding.Note, fmt.Sprintf("within a day it did not answer, and mail passed without it: %s", count(n))
			f.Remedy = l.remedy
		}
		if n >= manyTimes {
			f.Severity = finding.Warning
		}
		c.add(f)
	}
}

func count(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// mayFail is a check without which mail passes while it is not answered.
type mayFail struct {
	subject string
	remedy  finding.Remedy
}

// checksThatMayFail are the checks of the door that fail open.
func (c journal) checksThatMayFail() (all []mayFail) {
	for _, u := range c.lists() {
		if !u.Permits {
			all = append(all, mayFail{dnsbl.Shown(u.Zone), finding.Command("mailsetup check --only in.lists,net.resolver")})
		}
	}
	for _, d := range c.doors {
		for _, m := range c.miltersOf(d.service) {
			if c.action(d.service, m) == "accept" {
				all = append(all, mayFail{m.Endpoint, finding.Text("see why it did not answer; default_action = tempfail has mail wait in place of that")})
			}
		}
		if _, open := c.failsOpen(d.service); open {
			for _, l := range d.lists {
				for _, r := range l.words {
					if server := r.PolicyServer(); server != "" {
						all = append(all, mayFail{server, finding.Text("see why it did not answer:").Command("journalctl -u 'postfix*' -g %s", strings.TrimPrefix(server, "unix:"))})
					}
				}
			}
		}
	}
	return all
}

// leftOut returns what a line of the log says to have been left out, "" for nothing.
func (c journal) leftOut(line string) string {
	if m := listFailed.FindStringSubmatch(line); m != nil {
		for _, u := range c.lists() {
			if strings.HasSuffix(strings.ToLower(m[1]+m[2]), "."+u.Zone) {
				return dnsbl.Shown(u.Zone)
			}
		}
	}
	if m := milterFailed.FindStringSubmatch(line); m != nil {
		return m[1] + m[2]
	}
	if m := policyFailed.FindStringSubmatch(line); m != nil {
		if strings.HasPrefix(m[1], "inet:") || strings.HasPrefix(m[1], "unix:") {
			return m[1]
		}
		return "unix:" + m[1]
	}
	return ""
}

// output returns what a program prints, "" if it fails.
func output(ctx context.Context, r system.Runner, argv ...string) string {
	res, err := r.Run(ctx, system.Command{Argv: argv})
	if err != nil || res.Code != 0 {
		return ""
	}
	return string(res.Stdout)
}
