package reference_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/reference"
)

// The manual page in the tree is that of the reference.
func TestManual(t *testing.T) {
	var b strings.Builder
	b.WriteString(manualHead)
	b.WriteString(".SH HOST.TOML\n")
	writeKeys(&b, reference.Host())
	b.WriteString(".SH FILES OF DOMAINS.D\n")
	writeKeys(&b, reference.Domain())
	b.WriteString(manualTail)
	same(t, "mailsetup.toml.5", b.String())
}

func writeKeys(b *strings.Builder, keys []reference.Key) {
	table := ""
	for _, k := range keys {
		if k.Table != table {
			table = k.Table
			fmt.Fprintf(b, ".SS [%s]\n", table)
		}
		kind := string(k.Kind)
		if k.Unit != "" {
			kind += ": " + k.Unit
		}
		fmt.Fprintf(b, ".TP\n.BR %s \" (%s)\"\n%s\n", roff(k.Name), roff(kind), roff(k.Meaning))
		if k.Words != nil {
			var words []string
			for _, w := range k.Words {
				if k.Kind != reference.Number {
					w = `"` + w + `"`
				}
				words = append(words, w)
			}
			fmt.Fprintf(b, "One of %s.\n", roff(strings.Join(words, ", ")))
		}
		switch {
		case k.Required():
			b.WriteString("Has to be there.\n")
		case k.Default != "":
			fmt.Fprintf(b, "Default: %s.\n", roff(k.Default))
		default:
			fmt.Fprintf(b, "Where it is left out: %s.\n", roff(k.Otherwise))
		}
		fmt.Fprintf(b, ".br\nExample: %s = %s\n", roff(k.Name), roff(k.Example))
	}
}

// roff escapes a text for man(7): a sentence a line, no line that begins with a dot.
func roff(text string) string {
	s := strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`, "~", `\(ti`).Replace(text)
	lines := strings.Split(strings.ReplaceAll(s, ". ", ".\n"), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// The files of the page's examples are read.
func TestExamplesOfTheManual(t *testing.T) {
	var files []string
	for part := range strings.SplitSeq(manualTail, ".EX\n") {
		if text, _, is := strings.Cut(part, ".EE\n"); is {
			files = append(files, text)
		}
	}
	if len(files) != 2 {
		t.Fatalf("%d examples", len(files))
	}
	if _, err := parse(files[0], files[1]); err != nil {
		t.Error(err)
	}
}

const manualHead = `.\" Made by go test ./internal/reference -update: change internal/reference/reference.go.
.TH MAILSETUP.TOML 5 "2026" mailsetup "mailsetup"
.SH NAME
mailsetup.toml \- the settings of mailsetup: host.toml and the files of domains
.SH SYNOPSIS
.I /etc/mailsetup/host.toml
.br
.I /etc/mailsetup/domains.d/DOMAIN.toml
.SH DESCRIPTION
What you want of the mail of this server:
.I host.toml
about the server, and a file in
.I domains.d
about each domain, named after it.
.BR mailsetup (8)
writes them from your answers and changes single lines later; they are yours to edit, and comments
and the order of lines stay.
.B mailsetup init
(or
.BR "mailsetup apply" )
then makes the machine match them;
.B mailsetup init \-\-dry\-run
shows what that would change.
.PP
The files are TOML (version 1.0): a line
.I key
=
.I value
for each key, texts in quotes, lists in square brackets. Keys of a table stand below its
.RI [ name ].
A key that is not listed here is an error that names file and line, and nothing is touched then.
Names of domains and hosts may be typed as people write them; they are kept in lower case with
A\-labels (xn\-\-).
.PP
A span of time is a text with a number and a unit: s (seconds), m (minutes), h (hours), d (days).
.PP
For editors,
.I docs/schema/host.schema.json
and
.I docs/schema/domain.schema.json
in the source describe both as JSON Schema.
`

const manualTail = `.SH EXAMPLES
.I /etc/mailsetup/host.toml
of a server whose zones are served by its own BIND:
.PP
.in +4n
.EX
version = 1
hostname = "mail.example.org"
addresses = ["192.0.2.10", "2001:db8::10"]
domain = "example.org"
dns = "bind"
root_alias = "ann@example.org"
rotate_every = "180d"
notify = "ann@example.org"

[inbound]
spf = "mark"
dmarc = "mark"
.EE
.in
.PP
.I /etc/mailsetup/domains.d/example.org.toml
of its domain, whose newsletters another service sends:
.PP
.in +4n
.EX
domain = "example.org"
selector = "202611"
receive = true

[spf]
include = ["_spf.example.net"]

[dmarc]
policy = "quarantine"
rua = ["mailto:dmarc@example.org"]
.EE
.in
.SH SEE ALSO
.BR mailsetup (8),
.BR mailsetup\-json (7)
`
