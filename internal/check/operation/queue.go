// Package operation checks what a server shows that runs: mail that waits, records that
// are no longer as they were published, and what mail clients find in DNS.
package operation

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// Limits of what is read of one queue. showq(8) opens the file of each message: a
// hundred thousand take it half a minute on a disk.
const (
	queueTime     = 20 * time.Second
	queueMessages = 200_000
	queueBytes    = 512 << 20
)

// Mail that waits is worth a word when it is much or old, and a warning when it is both.
const (
	many       = 100
	old        = 4 * time.Hour
	veryOld    = 24 * time.Hour
	takenAfter = 10 * time.Minute // pickup(8) looks once a minute
)

// Queue checks what waits in the queues of Postfix, and why, and what was refused; of exim4
// what waits.
func Queue(ctx context.Context, run system.Runner, s subject.Server, domains []subject.Domain) finding.Result {
	switch {
	case s.Facts.Postfix == nil && s.Facts.Exim != nil:
		return eximQueue(ctx, run, s)
	case s.Facts.Postfix == nil:
		return finding.Result{}
	}
	r := queueOf(ctx, run, s, domains, "")
	for _, dir := range s.Facts.Postfix.Instances {
		r.Add(queueOf(ctx, run, s, domains, dir))
	}
	r.Findings = append(r.Findings, refused(ctx, run)...)
	return r
}

// queueOf checks the queue of the instance with a configuration directory, "" for the
// default one.
func queueOf(ctx context.Context, run system.Runner, s subject.Server, domains []subject.Domain, dir string) finding.Result {
	q := newQueue(s, domains, dir)
	argv := []string{"postqueue", "-j"}
	if dir != "" {
		argv = []string{"postqueue", "-c", dir, "-j"}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in := io.Pipe()
	said := make(chan string, 1)
	go func() {
		res, err := run.Run(ctx, system.Command{Argv: argv, Stdout: in, Within: queueTime})
		switch {
		case err != nil:
			said <- err.Error()
		case res.Code != 0:
			said <- fmt.Sprintf("%s exits with %d: %s", strings.Join(argv, " "), res.Code, firstLine(res.Stderr))
		default:
			said <- ""
		}
		_ = in.Close()
	}()
	q.read(io.LimitReader(out, queueBytes))
	_ = out.Close()
	if q.cut {
		cancel() // nobody reads the rest
	}
	if why := <-said; why != "" {
		if q.cut = true; q.messages == 0 {
			f := finding.Finding{ID: "queue.size", Severity: finding.Unknown, Subject: q.name(""), Seen: why, Remedy: finding.Text("run as root:").Command("mailsetup check --only queue")}
			if !s.Unprivileged {
				f.Remedy = finding.Text("it says more:").Then(q.listing())
			}
			return finding.Result{Findings: []finding.Finding{f}}
		}
	}
	return finding.Result{Findings: append(q.size(), q.why()...)}
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return string(line)
}

// name returns what a finding is about: in a further instance, with its directory.
func (q *queue) name(of string) string {
	if q.dir == "" {
		return of
	}
	return strings.TrimSpace(of + " in the instance " + q.dir)
}

// The commands of Postfix about a queue, for its instance.

func (q *queue) listing() finding.Remedy {
	if q.dir == "" {
		return finding.Command("postqueue -p")
	}
	return finding.Command("postqueue -c %s -p", q.dir)
}

func (q *queue) flush() finding.Remedy {
	if q.dir == "" {
		return finding.Command("postqueue -f")
	}
	return finding.Command("postqueue -c %s -f", q.dir)
}

func (q *queue) release() finding.Remedy {
	if q.dir == "" {
		return finding.Command("postsuper -H ALL")
	}
	return finding.Command("postsuper -c %s -H ALL", q.dir)
}

// size judges how much waits: a number alone says nothing.
func (q *queue) size() []finding.Finding {
	f := finding.Finding{ID: "queue.size", Severity: finding.OK, Subject: q.name("")}
	waiting := q.messages - q.held - q.unread
	switch {
	case waiting == 0:
		f.Seen = "no mail waits"
	case waiting >= many && q.old*2 >= waiting:
		f.Severity = finding.Warning
		f.Remedy = finding.Text("see which, and why:").Then(q.listing())
	case waiting >= many || q.now.Sub(q.oldest) >= veryOld:
		f.Severity = finding.Note
	}
	if waiting > 0 {
		f.Seen = fmt.Sprintf("%s%s, the oldest for %s", atLeast(q.cut), countWaits(waiting), text.Age(q.oldest, q.now))
	}
	list := []finding.Finding{f}
	if q.held > 0 {
		list = append(list, finding.Finding{
			ID: "queue.size", Severity: finding.Note, Subject: q.name("hold"),
			Seen:   text.Count(q.held, "message") + " on hold: nothing is sent of it until somebody releases it",
			Remedy: finding.Text("to release all of it:").Then(q.release()),
		})
	}
	if q.unread > 0 {
		list = append(list, finding.Finding{
			ID: "queue.size", Severity: finding.Warning, Subject: q.name("maildrop"),
			Seen:   fmt.Sprintf("%s that programs here gave to sendmail(1) more than %d minutes ago and Postfix did not take in", text.Count(q.unread, "message"), int(takenAfter.Minutes())),
			Remedy: finding.Text("see why:").Command("journalctl -p warning -n 50 -t postfix/pickup -t postfix/cleanup -t postfix/master"), CausedBy: "live.units",
		})
	}
	return list
}

func atLeast(cut bool) string {
	if cut {
		return "at least "
	}
	return ""
}

func countWaits(n int) string { return text.CountOf(n, "message waits", "messages wait") }

// maxGroups is how many reasons are told, those that hold most mail first.
const maxGroups = 40

// why judges the reasons for which mail was deferred.
func (q *queue) why() []finding.Finding {
	var list []finding.Finding
	groups := q.sorted()
	for _, g := range groups[:min(len(groups), maxGroups)] {
		f := g.cause.finding(g.domain, q.flush())
		f.Subject = q.name(f.Subject)
		f.Seen = fmt.Sprintf("%s%s for %s: %s", atLeast(q.cut), countWaits(g.messages), text.List(g.to, 3), shorten(g.reason))
		list = append(list, f)
	}
	if len(groups) > maxGroups {
		list = append(list, finding.Finding{
			ID: "queue.why", Severity: finding.Note, Subject: q.name("more"),
			Seen: text.Count(len(groups)-maxGroups, "further reason") + " of fewer messages; postqueue -p lists all",
		})
	}
	if len(list) > 0 {
		return list
	}
	f := finding.Finding{ID: "queue.why", Severity: finding.OK, Subject: q.name(""), Seen: "no mail was deferred"}
	switch {
	case q.timeouts > 0 && q.timeouts == q.deferred && len(q.unreached) >= 3:
		f.Severity, f.CausedBy = finding.Note, "net.out25"
		f.Seen = fmt.Sprintf("%s, and no server of %d domains takes a connection", countWaits(q.deferred), len(q.unreached))
		f.Remedy = finding.Text("to see whether port 25 is closed for this server:").Command("mailsetup check --online --only net.out25")
	case q.deferred > 0:
		f.Seen = fmt.Sprintf("%s that others deferred: %s", text.Count(q.deferred, "message"), shorten(q.example))
	}
	return []finding.Finding{f}
}

// shorten cuts what a server of others said.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// finding returns the finding about a cause for which mail of a domain waits; "" for
// the server.
func (c cause) finding(domain string, flush finding.Remedy) finding.Finding {
	f := finding.Finding{
		ID: "queue.why", Severity: c.severity, Domain: domain, Subject: cmp.Or(c.code, c.about), CausedBy: c.about,
		Why: c.means, Remedy: c.remedy,
	}
	if f.Remedy == nil && c.about != "" {
		about := []string{c.about}
		if domain != "" {
			about = append(about, domain)
		}
		f.Remedy = finding.Command("mailsetup check --only %s", about...).Text("once that is right:").Then(flush)
	}
	return f
}
