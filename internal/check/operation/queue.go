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
	"mailsetup/internal/hint"
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

// Queue checks what waits in the queues of Postfix, and why, and what was refused.
func Queue(ctx context.Context, run system.Runner, s subject.Server, domains []subject.Domain) finding.Result {
	if s.Facts.Postfix == nil {
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
			f := finding.Finding{ID: "queue.size", Severity: finding.Unknown, Subject: q.name(""), Seen: why, Remedy: "run as root: mailsetup check --only queue"}
			if !s.Unprivileged {
				f.Remedy = strings.Join(argv, " ") + " says more"
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

// command returns a command of Postfix for the instance.
func (q *queue) command(format string, a ...any) string {
	name, rest, _ := strings.Cut(fmt.Sprintf(format, a...), " ")
	if q.dir == "" {
		return name + " " + rest
	}
	return name + " -c " + hint.Quote(q.dir) + " " + rest
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
		f.Remedy = q.command("postqueue -p") + " lists them with the reasons"
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
			Remedy: q.command("postsuper -H ALL") + " releases all of it",
		})
	}
	if q.unread > 0 {
		list = append(list, finding.Finding{
			ID: "queue.size", Severity: finding.Warning, Subject: q.name("maildrop"),
			Seen:   fmt.Sprintf("%s that programs here gave to sendmail(1) more than %d minutes ago and Postfix did not take in", text.Count(q.unread, "message"), int(takenAfter.Minutes())),
			Remedy: "journalctl -p warning -n 50 -t postfix/pickup -t postfix/cleanup -t postfix/master says why", CausedBy: "live.units",
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
		f := g.cause.finding(g.domain, q.command("postqueue -f"))
		f.Subject = q.name(f.Subject)
		f.Seen = fmt.Sprintf("%s%s for %s: %s", atLeast(q.cut), countWaits(g.messages), text.List(g.to, 3), shorten(g.reason))
		list = append(list, f)
	}
	if len(groups) > maxGroups {
		list = append(list, finding.Finding{
			ID: "queue.why", Severity: finding.Note, Subject: q.name("more"),
			Seen: text.Count(len(groups)-maxGroups, "further reason") + " of fewer messages; " + q.command("postqueue -p") + " lists all",
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
		f.Remedy = "mailsetup check --online --only net.out25 tells whether port 25 is closed for this server"
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
func (c cause) finding(domain, flush string) finding.Finding {
	f := finding.Finding{
		ID: "queue.why", Severity: c.severity, Domain: domain, Subject: cmp.Or(c.code, c.about), CausedBy: c.about,
		Why: c.means, Remedy: c.remedy,
	}
	if f.Remedy == "" && c.about != "" {
		f.Remedy = "mailsetup check --only " + c.about + " && " + flush
		if domain != "" {
			f.Remedy = "mailsetup check --only " + c.about + " " + domain + " && " + flush
		}
	}
	return f
}
