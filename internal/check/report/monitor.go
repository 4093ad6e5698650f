package report

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
)

// Formats are the forms for programs that watch servers.
func Formats() []string { return []string{"nagios", "prometheus"} }

// NagiosState is the state of a service in Nagios and Icinga, which a plugin returns as
// its exit code. As an error it says that all was printed.
type NagiosState int

// The states.
const (
	NagiosOK NagiosState = iota
	NagiosWarning
	NagiosCritical
	NagiosUnknown
)

// String returns the word that stands in the line of a plugin.
func (s NagiosState) String() string { return []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

// Error implements error.
func (s NagiosState) Error() string { return "the state is " + s.String() }

// Nagios returns the state of the server: what could not be found out is neither passed
// nor failed.
func (r Report) Nagios() NagiosState {
	switch s := r.Summary; {
	case s.Problems > 0:
		return NagiosCritical
	case s.Warnings > 0:
		return NagiosWarning
	case s.Unknown > 0, s.Empty():
		return NagiosUnknown
	}
	return NagiosOK
}

// WriteNagios prints what a plugin of Nagios prints: a line with the state and numbers,
// then a line for each thing that is not right. Its error is a NagiosState if that is
// not OK.
func (r Report) WriteNagios(w io.Writer) error {
	s := r.Summary
	var b strings.Builder
	fmt.Fprintf(&b, "MAILSETUP %s - %s, %s, %d unknown", r.Nagios().String(),
		text.Count(s.Problems, "problem"), text.Count(s.Warnings, "warning"), s.Unknown)
	groups := slices.DeleteFunc(r.Groups(), func(g Group) bool { return g.Severity == finding.Note })
	if s.Empty() {
		b.WriteString(": nothing was looked at")
	}
	if len(groups) > 0 {
		b.WriteString(": " + nagiosText(groups[0].Kind.Title))
	}
	fmt.Fprintf(&b, " | problems=%d;;0;0 warnings=%d;0;;0 unknown=%d;;;0 notes=%d;;;0 ok=%d;;;0 ignored=%d;;;0", s.Problems, s.Warnings, s.Unknown, s.Notes, s.OK, s.Ignored)
	if r.Score != nil && r.Score.Of > 0 {
		fmt.Fprintf(&b, " score=%s;;;0;%s", r.Score.Points, r.Score.Of)
	}
	b.WriteString("\n")
	for _, g := range groups[:min(len(groups), maxLines)] {
		line := string(g.Severity) + " " + g.Kind.ID
		if d := g.Domains(); len(d) > 0 {
			line += " " + text.List(d, maxNamed)
		}
		b.WriteString(nagiosText(line+": "+strings.Join(seen(g), "; ")) + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil || r.Nagios() == NagiosOK {
		return err
	}
	return r.Nagios()
}

// maxLines is how many groups Nagios is told of: it reads 8 kB.
const maxLines = 20

// ForNagios reports whether a command line that cannot be read asks for Nagios's form.
func ForNagios(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return a == "nagios" || strings.HasSuffix(a, "-format=nagios") })
}

// NotRun has Nagios, if it asks, told that a check could not run, and returns that state:
// tell says the rest. A state, which says that all was printed, stays.
func NotRun(w io.Writer, nagios bool, err error, tell func()) error {
	if _, is := errors.AsType[NagiosState](err); is || !nagios || err == nil {
		return err
	}
	tell()
	if _, failed := fmt.Fprintf(w, "MAILSETUP UNKNOWN - %s\n", nagiosText(strings.ReplaceAll(err.Error(), "\n", " "))); failed != nil {
		return failed
	}
	return NagiosUnknown
}

// nagiosText is one line without what begins numbers.
func nagiosText(s string) string {
	return fmt.Sprintf("%.300s", strings.ReplaceAll(text.Printable(s), "|", "/"))
}

// WritePrometheus prints the form that node_exporter's textfile collector reads.
func (r Report) WritePrometheus(w io.Writer) error {
	var b strings.Builder
	metric := func(name, help string) {
		fmt.Fprintf(&b, "# HELP mailsetup_check_%s %s\n# TYPE mailsetup_check_%s gauge\n", name, help, name)
	}
	s := r.Summary
	metric("findings", "Findings of mailsetup check, by severity.")
	for _, of := range []struct {
		severity string
		n        int
	}{{"problem", s.Problems}, {"warning", s.Warnings}, {"unknown", s.Unknown}, {"note", s.Notes}, {"ok", s.OK}, {"ignored", s.Ignored}} {
		fmt.Fprintf(&b, "mailsetup_check_findings{severity=%q} %d\n", of.severity, of.n)
	}
	type series struct{ id, domain, severity string }
	not := map[series]int{}
	for _, f := range r.Findings {
		if counts(f) && rank(f.Severity) > rank(finding.Note) {
			not[series{f.ID, f.Domain, string(f.Severity)}]++
		}
	}
	if len(not) > 0 {
		metric("not_ok", "Findings that are a problem, a warning or unknown, by check and domain.")
		lines := make([]string, 0, len(not))
		for of, n := range not {
			lines = append(lines, fmt.Sprintf("mailsetup_check_not_ok{id=\"%s\",domain=\"%s\",severity=\"%s\"} %d\n", label(of.id), label(of.domain), of.severity, n))
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	if len(r.Passed) > 0 {
		metric("passed", "Things that are right, by check.")
		for _, id := range slices.Sorted(maps.Keys(r.Passed)) {
			fmt.Fprintf(&b, "mailsetup_check_passed{id=\"%s\"} %d\n", label(id), r.Passed[id])
		}
	}
	if r.Score != nil {
		metric("score", "Points out of those that could be rated.")
		fmt.Fprintf(&b, "mailsetup_check_score %s\n", r.Score.Points)
		metric("score_max", "Points that could be rated, 10 at most.")
		fmt.Fprintf(&b, "mailsetup_check_score_max %s\n", r.Score.Of)
	}
	metric("domains", "Mail domains that were checked.")
	fmt.Fprintf(&b, "mailsetup_check_domains %d\n", len(r.Domains))
	metric("last_run_timestamp_seconds", "When the check ran.")
	fmt.Fprintf(&b, "mailsetup_check_last_run_timestamp_seconds %d\n", r.Time.Unix())
	_, err := io.WriteString(w, b.String())
	return err
}

// label escapes the value of a label.
func label(s string) string { return labels.Replace(text.Printable(s)) }

var labels = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
