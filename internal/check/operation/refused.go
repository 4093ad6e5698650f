package operation

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// Limits of what is read of the journal.
const (
	journalTime  = 2 * time.Second
	journalLines = "20000"
)

// bounced is what a delivery agent of Postfix logs of mail that was refused for good, and
// that waits in no queue therefore: Microsoft answers 550 5.7.515 at once.
var bounced = regexp.MustCompile(`: to=<([^>]*)>, .*status=bounced \((.*)\)$`)

// refused tells why mail was refused within a day, where this server or its DNS has to be
// mended for it. The cause may be gone since: these are notes, and the checks of the
// causes say whether it is.
func refused(ctx context.Context, run system.Runner) []finding.Finding {
	out, in := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Whoever may not read the journal sees nothing, and is told nothing.
		_, _ = run.Run(ctx, system.Command{
			Argv:   []string{"journalctl", "-q", "--no-pager", "-o", "cat", "--since", "-24h", "-n", journalLines, "-u", "postfix*", "-g", "status=bounced"},
			Stdout: in, Within: journalTime,
		})
		_ = in.Close()
	}()
	type key struct{ code, about string }
	groups := map[key]*group{}
	var order []key
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		m := bounced.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		c, ours := causeOf(m[2])
		if !ours {
			continue
		}
		k := key{c.code, c.about}
		g := groups[k]
		if g == nil {
			g = &group{cause: c, reason: m[2]}
			groups[k], order = g, append(order, k)
		}
		g.messages++
		if to := m[1][strings.LastIndexByte(m[1], '@')+1:]; len(g.to) < maxDestinations && !slices.Contains(g.to, to) {
			g.to = append(g.to, to)
		}
	}
	_ = out.Close() // a line that is too long ends it
	<-done
	var list []finding.Finding
	for _, k := range order[:min(len(order), maxGroups)] {
		g := groups[k]
		f := finding.Finding{
			ID: "queue.why", Severity: finding.Note, Subject: cmp.Or(k.code, k.about) + ", refused", Why: g.cause.means, Remedy: g.cause.remedy,
			Seen: fmt.Sprintf("%s for %s came back within a day: %s", text.Count(g.messages, "message"), text.List(g.to, 3), shorten(g.reason)),
		}
		if k.about != "" {
			f.Remedy = finding.Command("mailsetup check --only %s", k.about)
		}
		if !g.cause.ofSender {
			f.CausedBy = k.about
		}
		list = append(list, f)
	}
	return list
}
