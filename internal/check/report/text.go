package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/hint"
	"mailsetup/internal/text"
)

// TextOptions say how a report is printed for people.
type TextOptions struct {
	Width int
	Color bool
	Notes bool       // notes are shown, and not only counted
	Typed hint.Typed // how commands of this program are typed
}

// How much of many things is named.
const (
	maxNamed       = 5 // domains, subjects
	maxRemedies    = 3 // of a group
	maxGroups      = 8 // of one kind
	maxConsequence = 3
	textWidth      = 100 // lines are not longer on any terminal
	labelWidth     = 10
	timeFormat     = "2006-01-02 15:04 MST"
)

// WriteText prints the report for a terminal: what has to be mended first.
func (r Report) WriteText(w io.Writer, o TextOptions) error {
	p := &printer{TextOptions: o, width: min(max(o.Width, 40), textWidth), whole: len(r.asked.Selection.Only) > 0}
	p.Notes = p.Notes || p.whole
	p.header(r)
	switch s := r.Summary; {
	case s.Problems+s.Warnings+s.Unknown > 0:
	case s.OK+s.Notes > 0:
		p.line(p.paint(green, "Nothing is wrong with what was looked at."))
	case s.Empty():
		p.line("Nothing was looked at.")
	}
	p.groups(r.Groups())
	p.ignored(r)
	p.good(r)
	p.summary(r)
	_, err := io.WriteString(text.Raw(w), p.out.String())
	return err
}

// printer lays a report out. What it is given is made printable first.
type printer struct {
	TextOptions
	width int
	whole bool // notes are shown with all that can be done about them
	out   strings.Builder
}

// style is a colour of a terminal (ECMA-48, SGR).
type style string

const (
	plain  style = ""
	bold   style = "1"
	red    style = "1;31"
	yellow style = "1;33"
	cyan   style = "1;36"
	green  style = "1;32"
)

var styles = map[finding.Severity]style{
	finding.Problem: red, finding.Warning: yellow, finding.Unknown: cyan, finding.Note: bold, finding.OK: green,
}

func (p *printer) paint(s style, t string) string {
	t = text.Printable(t)
	if !p.Color || s == plain {
		return t
	}
	return "\x1b[" + string(s) + "m" + t + "\x1b[0m"
}

func (p *printer) line(s string) { p.out.WriteString(strings.TrimRight(s, " ") + "\n") }

// hang prints a text beside its head, or below one that is too long.
func (p *printer) hang(head string, at int, what string) {
	lines := strings.Split(text.Wrap(text.Printable(what), p.width-at), "\n")
	if head = text.Printable(head); head != "" && len(head) >= at {
		p.line(head)
		head = ""
	}
	for i, l := range lines {
		if i > 0 {
			head = ""
		}
		p.line(head + strings.Repeat(" ", at-len(head)) + l)
	}
}

func (p *printer) header(r Report) {
	domains := text.Count(len(r.Domains), "domain")
	if len(r.Domains) == 1 {
		domains = r.Domains[0]
	}
	what := strings.Join([]string{r.Server, domains, r.Time.Format(timeFormat)}, ", ")
	p.line(text.Printable(strings.TrimPrefix(what, ", ")))
}

// filled are the texts that are not empty.
func filled(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// groups prints groups by severity.
func (p *printer) groups(all []Group) {
	for _, s := range []struct {
		severity finding.Severity
		title    string
	}{{finding.Problem, "Problems"}, {finding.Warning, "Warnings"}, {finding.Unknown, "Could not be found out"}, {finding.Note, "Notes"}} {
		p.section(s.severity, s.title, slices.DeleteFunc(slices.Clone(all), func(g Group) bool { return g.Severity != s.severity }))
	}
}

// section prints what is of one severity.
func (p *printer) section(s finding.Severity, title string, groups []Group) {
	if len(groups) == 0 {
		return
	}
	p.line("")
	p.line(p.paint(styles[s], title))
	if s == finding.Note && !p.Notes {
		p.named(groups)
		return
	}
	of, left := map[string]int{}, map[string]int{} // groups of each kind
	same := alike(s, groups)
	for i, g := range groups {
		if same[i] == nil { // it was told
			continue
		}
		if of[g.Kind.ID]++; of[g.Kind.ID] > maxGroups {
			left[g.Kind.ID] += len(g.Findings)
			continue
		}
		if s == finding.Note {
			p.note(g)
		} else {
			p.group(g, same[i][1:])
		}
	}
	for _, k := range finding.Catalogue() {
		if n := left[k.ID]; n > 0 {
			p.line("")
			p.hang("", 2, fmt.Sprintf("%d more of %s", n, k.ID))
			p.remedy(2, finding.Command("mailsetup check --only %s --json", k.ID))
		}
	}
}

// named names the notes: there are a dozen on any server, and nothing has to be done
// about them.
func (p *printer) named(groups []Group) {
	var ids []string
	for _, g := range groups {
		if !slices.Contains(ids, g.Kind.ID) {
			ids = append(ids, g.Kind.ID)
		}
	}
	p.hang("", 2, strings.Join(ids, ", "))
	p.remedy(2, finding.Text("to read them: mailsetup check --notes"))
}

// alike returns which kinds a group is told of, its own first. What several could not find
// out in the same words, as when there was no time left, is told with the first of them.
func alike(s finding.Severity, groups []Group) [][]string {
	list, first := make([][]string, len(groups)), map[string]int{}
	for i, g := range groups {
		list[i] = []string{g.Kind.ID}
		if s != finding.Unknown {
			continue
		}
		says := fmt.Sprintf("%q %q %q", g.Domains(), seen(g), g.Remedies())
		if at, known := first[says]; known && len(g.Consequences) == 0 {
			list[at], list[i] = append(list[at], g.Kind.ID), nil
		} else {
			first[says] = i
		}
	}
	return list
}

// group prints what is wrong, and what to do about it. Others are kinds of which the same
// is so.
func (p *printer) group(g Group, others []string) {
	p.line("")
	id := "[" + g.Kind.ID + "]"
	title := "  " + capital(g.Kind.Title)
	if gap := p.width - len(title) - len(id); gap > 0 {
		title += strings.Repeat(" ", gap)
	} else {
		title += " "
	}
	p.line(p.paint(bold, title) + id)
	first := g.Findings[0]
	if domains := g.Domains(); len(domains) > 0 {
		p.labelled("Domain", text.List(domains, maxNamed))
	}
	for _, s := range seen(g) {
		p.labelled("Seen", s)
	}
	p.labelled("Expected", first.Expected)
	why := Sentence(first.Why)
	if first.Source != "" {
		why = strings.TrimSpace(why + " See " + first.Source + ".")
	}
	p.labelled("Why", why)
	p.labelled("Same for", strings.Join(others, ", "))
	for i, c := range consequences(g) {
		p.labelled(map[bool]string{true: "So also"}[i == 0], c)
	}
	list := g.Remedies()
	if len(list) == 0 {
		return
	}
	p.line("    Remedy")
	for _, l := range list[:min(len(list), maxRemedies)] {
		p.remedy(6, l)
	}
	if more := len(list) - maxRemedies; more > 0 {
		p.hang("", 6, fmt.Sprintf("and %d more like these:", more))
		p.remedy(6, finding.Command("mailsetup check --only %s --json", g.Kind.ID))
	}
}

// capital begins a text with a capital.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Sentence is a text as a sentence.
func Sentence(s string) string {
	if s = capital(strings.TrimSpace(s)); s != "" && !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func (p *printer) labelled(label, what string) {
	if what != "" {
		p.hang("    "+label, 4+labelWidth, p.shortened(what, 4+labelWidth))
	}
}

// shortened cuts words that no terminal has room for, such as a key: the data has them
// whole.
func (p *printer) shortened(what string, at int) string {
	words := strings.Split(what, " ")
	for i, w := range words {
		if letters := []rune(w); len(letters) > textWidth {
			words[i] = string(letters[:p.width-at-1]) + "…"
		}
	}
	return strings.Join(words, " ")
}

// seen is what was seen, a line for each thing that differs, and how many more do.
func seen(g Group) []string {
	var list []string
	where := len(g.Domains()) > 1 && differ(g)
	for _, f := range g.Findings {
		s := f.Text()
		if where && f.Domain != "" && !strings.Contains(s, f.Domain) {
			s = f.Domain + ": " + s
		}
		if s != "" && !slices.Contains(list, s) {
			if len(list) == maxNamed {
				return append(list, "and others")
			}
			list = append(list, s)
		}
	}
	return list
}

// differ reports whether not all of a group look the same.
func differ(g Group) bool {
	return slices.ContainsFunc(g.Findings, func(f finding.Finding) bool {
		return f.Seen != g.Findings[0].Seen || f.Subject != g.Findings[0].Subject
	})
}

// consequences are those of a group, one for each kind.
func consequences(g Group) []string {
	var list []string
	seen := map[string]int{}
	for _, f := range g.Consequences {
		if seen[f.ID]++; seen[f.ID] == 1 {
			list = append(list, strings.TrimSuffix(f.ID+": "+f.Seen, ": "))
		}
	}
	if more := len(list) - maxConsequence; more > 0 {
		list = append(list[:maxConsequence], fmt.Sprintf("and %d more", more))
	}
	return list
}

// note prints what is worth knowing in a line or two. Nothing has to be done about it:
// what could be is shown if it is short, and else to whoever asks for it.
func (p *printer) note(g Group) {
	const at = 20
	what := strings.Join(seen(g), "; ")
	if domains := g.Domains(); len(domains) > 1 || len(domains) == 1 && !strings.Contains(what, domains[0]) {
		what = strings.TrimSuffix(text.List(domains, maxNamed)+": "+what, ": ")
	}
	p.hang("  "+g.Kind.ID, at, p.shortened(what, at))
	list := g.Remedies()
	switch {
	case len(list) == 0:
	case p.whole:
		p.remedy(at, list[0])
	case len(list[0]) == 1 && list[0][0].Kind != finding.LineRecord && len(list[0][0].Text) <= p.width-at:
		p.remedy(at, list[0])
	default:
		p.remedy(at, finding.Text("how: mailsetup check --only "+g.Kind.ID))
	}
}

// remedy prints what to do, so that it can be pasted: commands whole, and records at
// the margin, since in a zone file white space there means the name above.
func (p *printer) remedy(indent int, lines finding.Remedy) {
	for _, l := range lines {
		what := text.Printable(p.Typed.Lines([]string{l.Text})[0])
		switch l.Kind {
		case finding.LineRecord:
			p.line(what)
		case finding.LineCommand:
			p.line(text.Indent(strings.Join(text.WrapCommand(what, p.width-indent), "\n"), indent))
		case finding.LineText:
			p.line(text.Indent(text.Wrap(what, p.width-indent), indent))
		}
	}
}
