package operation

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// eximMessage is the first line of a message as exim4 -bp lists it: age, size, ID, sender.
var eximMessage = regexp.MustCompile(`^ *(\d+)([smhdw]) +\S+ +\w+-\w+-\w+ <.*>( \(.*\))?( \*\*\* frozen \*\*\*)?\s*$`)

// eximQueue checks what waits in the queue of exim4.
func eximQueue(ctx context.Context, run system.Runner, s subject.Server) finding.Result {
	f := finding.Finding{ID: "queue.size", Severity: finding.OK, Seen: "no mail waits"}
	res, err := run.Run(ctx, system.Command{Argv: []string{"exim4", "-bp"}, Within: queueTime})
	if err != nil || res.Code != 0 {
		f.Severity, f.Seen, f.Remedy = finding.Unknown, "exim4 -bp says nothing", finding.Text("run as root:").Command("mailsetup check --only queue")
		if err != nil {
			f.Seen = err.Error()
		} else if said := firstLine(res.Stderr); said != "" {
			f.Seen = shorten(said)
		}
		return finding.Result{Findings: []finding.Finding{f}}
	}
	q := tally{oldest: s.Now}
	for line := range strings.Lines(string(res.Stdout)) {
		m := eximMessage.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if q.messages++; m[4] != "" {
			q.held++
			continue
		}
		n, _ := strconv.Atoi(m[1])
		unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
		age := time.Duration(n) * unit
		if age >= old {
			q.old++
		}
		if at := s.Now.Add(-age); at.Before(q.oldest) {
			q.oldest = at
		}
	}
	waiting := q.messages - q.held
	listing := finding.Text("see which, and of one of them why:").Command("exim4 -bp").Command("exim4 -Mvl ID")
	switch {
	case waiting >= many && q.old*2 >= waiting:
		f.Severity, f.Remedy = finding.Warning, listing
	case waiting >= many, s.Now.Sub(q.oldest) >= veryOld:
		f.Severity, f.Remedy = finding.Note, listing
	}
	if waiting > 0 {
		f.Seen = fmt.Sprintf("%s, the oldest for %s", countWaits(waiting), text.Age(q.oldest, s.Now))
	}
	list := []finding.Finding{f}
	if q.held > 0 {
		list = append(list, finding.Finding{
			ID: "queue.size", Severity: finding.Note, Subject: "frozen",
			Seen:   text.CountOf(q.held, "message is frozen", "messages are frozen") + ": nothing is sent of it, and exim4 drops what it cannot return",
			Remedy: finding.Text("to see which, and to try all again:").Command("exim4 -bp").Command("exim4 -qff"),
		})
	}
	return finding.Result{Findings: list}
}
