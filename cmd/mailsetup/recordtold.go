package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/journal"

	"mailsetup/internal/keyring"
	"mailsetup/internal/mailbox"
	"mailsetup/internal/notify"
	"mailsetup/internal/plan"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// recordProblem is a record, or a name server, that is not as it should be.
type recordProblem struct {
	Domain string    `json:"domain"`
	About  string    `json:"about"` // name and type of a record, or a name server
	Since  time.Time `json:"since"`
	Fault  string    `json:"fault"`
	Found  string    `json:"found"`
	Remedy string    `json:"remedy,omitempty"`
	// Gone: no name server has it. Restored: it was put back in this run.
	Gone     bool `json:"gone"`
	Restored bool `json:"restored,omitempty"`
}

// problemsOf are problems of a domain as data, in order.
func problemsOf(domain string, problems map[string]keyring.Problem, now time.Time) []recordProblem {
	var list []recordProblem
	for _, about := range slices.Sorted(maps.Keys(problems)) {
		if p := problems[about]; p.Counts(now) {
			list = append(list, recordProblem{Domain: domain, About: about, Since: p.Since, Fault: p.Fault, Found: p.Text, Remedy: p.Remedy, Gone: p.Gone})
		}
	}
	return list
}

// tellOfRecords tells of what was found, of each domain as often as is due, and
// reports whether anything is not as it should be, or was put back.
func (t *turning) tellOfRecords(ctx context.Context, results map[string]recordwatch.Result) (found bool) {
	s := t.s
	var lines, body []string
	restored, gone := 0, 0
	for _, domain := range sortedKeys(results) {
		r := results[domain]
		back, left := problemsOf(domain, r.Restored, s.Now), problemsOf(domain, r.Watch.Problems, s.Now)
		for _, p := range back {
			if _, still := r.Watch.Problems[p.About]; !still {
				p.Restored = true
				s.turned.Records = append(s.turned.Records, p)
			}
		}
		s.turned.Records = append(s.turned.Records, left...)
		found = found || r.Tell || slices.ContainsFunc(left, func(p recordProblem) bool { return p.Gone })
		if !r.Tell {
			continue
		}
		said := t.recordLines(domain, r, back, left)
		lines = append(lines, said...)
		if body = append(body, folded(said)); len(left) > 0 {
			gone++
		} else {
			restored++
		}
	}
	if len(lines) == 0 {
		return found
	}
	s.alarm(lines)
	subject := counted(gone, "DNS records are gone or changed", "DNS records are gone or changed")
	if gone == 0 {
		subject = counted(restored, "DNS records were gone, and are back", "DNS records were gone, and are back")
	}
	if len(body) > inLetter {
		body = append(body[:inLetter], fmt.Sprintf("And %d more domains: mailsetup status shows all of them.\n", len(body)-inLetter))
	}
	l := letter{subject, recordsIntro + strings.Join(body, "\n")}
	s.send(ctx, t.old.Host, l)
	s.sendToRoot(ctx, t.old.Host, l)
	return found
}

const recordsIntro = `mailsetup looks at what name servers have of the records that it published,
and they no longer have all of it. Without the record of a key, mail that is
signed with it fails DKIM at every receiver.

`

func folded(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(fold(plan.Printable(l), 76) + "\n")
	}
	return b.String()
}

// recordLines say of a domain what is not as it should be and what to do.
func (t *turning) recordLines(domain string, r recordwatch.Result, back, left []recordProblem) []string {
	var lines, wasGone []string
	for _, p := range back {
		wasGone = append(wasGone, p.About)
	}
	if len(back) > 0 {
		lines = append(lines,
			fmt.Sprintf("%s: gone from its zone, and put back: %s", domain, strings.Join(wasGone, ", ")),
			"hint: something rewrites the zone file; if it does so again within a week, you are only told")
	}
	for _, p := range alikeRecords(left, func(p recordProblem) string { return p.Found }) {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", domain, p.About, p.Found))
	}
	if r.Failed != nil {
		lines = append(lines, fmt.Sprintf("%s: not put back: %s", domain, harmless(r.Failed)))
		if _, hints := judge(r.Failed); len(hints) > 0 {
			for _, h := range hints {
				lines = append(lines, "hint: "+h)
			}
			return lines
		}
	}
	if len(left) == 0 {
		return lines
	}
	return append(lines, t.recordHints(domain, r, left)...)
}

// alikeRecords puts those problems together of which the same is to be said.
func alikeRecords(list []recordProblem, what func(recordProblem) string) []recordProblem {
	var out []recordProblem
	for _, p := range list {
		i := slices.IndexFunc(out, func(o recordProblem) bool { return what(o) == what(p) })
		if i < 0 {
			out = append(out, p)
		} else {
			out[i].About += ", " + p.About
		}
	}
	return out
}

// recordHints are what to do about problems.
func (t *turning) recordHints(domain string, r recordwatch.Result, left []recordProblem) []string {
	d, _ := t.domain(domain)
	var hints []string
	add := func(format string, a ...any) {
		if h := "hint: " + fmt.Sprintf(format, a...); !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	for _, p := range left {
		switch at := r.Watch.Restored[p.About]; {
		case !p.Gone:
			add("%s", p.Remedy)
		case t.old.DNSOf(d) == spec.DNSManual:
			add("mailsetup dns %s prints what to publish", domain)
		default:
			// What is gone since before the attempt was not put back by it.
			if t.old.DNSOf(d) == spec.DNSBind && t.old.Repairs(d) && !at.IsZero() && p.Since.After(at) {
				add("it was put back on %s: find out what rewrites the zone file, and keep its $INCLUDE line there", date(at))
			}
			add("mailsetup init --yes puts it back")
		}
	}
	add("mailsetup dns --wait %s shows what each name server has", domain)
	return hints
}

// alarm says lines so that they stand out in the journal of the system.
func (s *session) alarm(lines []string) {
	inJournal, _ := journal.StderrIsJournalStream()
	for _, l := range lines {
		l = plan.Printable(l)
		if inJournal { // sd-daemon(3)
			s.c.say("<3>%s", l)
			continue
		}
		s.c.say("%s", fold(l, 78))
		if !s.c.interactive {
			_ = journal.Send(l, journal.PriErr, map[string]string{"SYSLOG_IDENTIFIER": "mailsetup"})
		}
	}
}

// sendToRoot puts a letter into root's mailbox on this machine, whatever aliases
// say: mail to others may fail just now.
func (s *session) sendToRoot(ctx context.Context, h spec.Host, l letter) {
	if err := notify.ToRoot(ctx, mailbox.Root, l.message(h, s.Now)); err != nil {
		s.c.say("no mail to root: %s", harmless(err))
	}
}

// goneIn is what name servers said when none of them had the record of a key, ""
// if that was not so in the last look.
func goneIn(c keyring.Checked, domain, selector string) string {
	p := c.Watch.Problems[recordwatch.ID(state.Record{Name: selector + "._domainkey." + domain + ".", Type: "TXT"})]
	if !p.Gone {
		return ""
	}
	return p.Text
}

func (s *session) goneFrom(domain, selector string) string {
	return goneIn(s.store().LastCheck(domain), domain, selector)
}

// recordProblems says what the last looks found of the domains that the run is
// about, beside the table of their keys.
func (t *turning) recordProblems() {
	for _, d := range t.old.Domains {
		if !t.about(d.Name) {
			continue
		}
		w := t.s.store().LastCheck(d.Name).Watch
		left := problemsOf(d.Name, w.Problems, t.s.Now)
		text := func(p recordProblem) string {
			return fmt.Sprintf("%s, since %s", p.Found, p.Since.Format("2006-01-02 15:04 MST"))
		}
		for _, p := range alikeRecords(left, text) {
			t.s.c.say("%s", fold(plan.Printable(d.Name+": "+p.About+": "+text(p)), 78))
		}
		if len(left) > 0 {
			for _, h := range t.recordHints(d.Name, recordwatch.Result{Watch: w}, left) {
				t.s.c.say("%s", fold(h, 78))
			}
		}
	}
}
