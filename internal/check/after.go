package check

import (
	"context"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/machine"
	"mailsetup/internal/store"
	"mailsetup/internal/text"
)

const (
	// afterTime bounds the check at the end of a run.
	afterTime = 3 * time.Second
	// maxAfter is of how many domains a run ends with a check, and how many findings it
	// shows.
	maxAfter = 10
)

// Closing is what was found at the end of a run.
type Closing []finding.Finding

// After is what a run ends with: what is wrong with the server and the domains of the run
// as far as the machine itself tells. DNS is not asked: resolvers may still remember what
// was there before the run; nor are messages sent, since the run has proved itself, nor
// the socket of the signer tried, which the service of rotate-dkim may not do. Known is
// what the run began with: of ten thousand domains only those of the run are read again.
func After(ctx context.Context, m *machine.Machine, known store.Earlier, domains []string) Closing {
	if m.Image != nil || m.DryRun() || ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, afterTime)
	defer cancel()
	o := Options{Offline: true, Domains: domains[:min(len(domains), maxAfter)], First: maxAfter}
	read := &known
	if known.Spec == nil || len(o.Domains) == 0 {
		read = nil
	}
	o.Only = []string{"live.units", "live.milters", "live.keys", "tls.out", "queue", "dkim"}
	r, _, err := o.find(ctx, m, read)
	if err != nil {
		return nil // it is not what the run is about
	}
	return slices.DeleteFunc(r.Findings, func(f finding.Finding) bool {
		return f.Severity != finding.Problem && f.Severity != finding.Warning || f.Ignored != "" || f.CausedBy != ""
	})
}

// Text returns it as lines, "" for nothing.
func (list Closing) Text() string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("mailsetup check says what mends this:\n")
	for _, f := range list[:min(len(list), maxAfter)] {
		words := slices.DeleteFunc([]string{string(f.Severity), f.ID, f.Domain}, func(w string) bool { return w == "" })
		line := text.Printable(strings.Join(words, " ") + ": " + f.Text())
		b.WriteString("  " + strings.ReplaceAll(text.Wrap(line, 74), "\n", "\n    ") + "\n")
	}
	if more := len(list) - maxAfter; more > 0 {
		b.WriteString("  and " + text.Count(more, "more finding") + "\n")
	}
	return b.String()
}
