package jsondoc_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The manual page in the tree is that of the types.
func TestManual(t *testing.T) {
	var b strings.Builder
	b.WriteString(manualHead)
	all := contract(t)
	for _, part := range []struct {
		title     string
		documents bool
	}{{"DOCUMENTS", true}, {"OBJECTS", false}} {
		fmt.Fprintf(&b, ".SH %s\n", part.title)
		if part.documents {
			b.WriteString("Each has\n.B schema\nand\n.B document\nbefore the fields that are listed.\n")
		}
		for _, o := range all {
			if o.document == part.documents {
				writeObject(&b, o)
			}
		}
	}
	b.WriteString(manualTail)
	same(t, "docs/mailsetup-json.7", b.String())
}

func writeObject(b *strings.Builder, o object) {
	fmt.Fprintf(b, ".SS %s\n%s\n", o.name, roff(o.text))
	for _, f := range o.fields {
		kind := kindOf(f.of)
		switch {
		case f.of.Kind() == reflect.Pointer && !f.optional:
			kind += " or null"
		case f.optional:
			kind += ", may be absent"
		}
		fmt.Fprintf(b, ".TP\n.BR %s \" (%s)\"\n", f.name, kind)
		if len(f.enum) > 0 {
			fmt.Fprintf(b, "One of %s.\n", roff(strings.Join(f.enum, ", ")))
		}
		if f.text != "" {
			b.WriteString(roff(f.text) + "\n")
		} else if len(f.enum) == 0 {
			b.WriteString("\\&\n")
		}
	}
}

// kindOf is the type of a field in words.
func kindOf(of reflect.Type) string {
	switch {
	case of == reflect.TypeFor[time.Time]():
		return "time"
	case of.Kind() == reflect.Pointer:
		return kindOf(of.Elem())
	case of.Kind() == reflect.Slice:
		return "list of " + kindOf(of.Elem())
	case of.Kind() == reflect.Func:
		return "list of " + kindOf(of.In(0).In(0))
	case of.Kind() == reflect.Map:
		return "object with a number for each name"
	case of.Kind() == reflect.Struct:
		return of.Name()
	case of.Kind() == reflect.String:
		return "text"
	case of.Kind() == reflect.Bool:
		return "true or false"
	}
	return "number"
}

// roff escapes a text for man(7): a sentence a line, no line that begins with a dot.
func roff(text string) string {
	s := strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	s = strings.ReplaceAll(s, ". ", ".\n")
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

const manualHead = `.\" Made by go test ./internal/jsondoc -update: change the types there.
.TH MAILSETUP\-JSON 7 "2026" mailsetup "mailsetup"
.SH NAME
mailsetup\-json \- what mailsetup prints with \-\-json
.SH DESCRIPTION
With
.BR \-\-json ,
.BR mailsetup (8)
prints one JSON document
.RB ( RFC\~8259 ,
UTF\-8) to standard output, and nothing else there; it asks no questions.
What is said on the way (progress, warnings, errors and their hints in words) is on standard
error as without it, so that the log of a job at night tells what went wrong whoever reads
the document.
.PP
Each document is an object that begins with
.B schema
(a number, now 1) and
.B document
(its name, one of those below). A run that fails before it has another document prints
.BR error ,
also where its flags are wrong;
one that has done or found something, and then fails, has
.B error
among its fields.
.B check \-\-changed
prints a document also where nothing has changed. The exit code is as without
.BR \-\-json .
.PP
The same idea is the same object in all documents: a domain, a key, a record, a run, a change, a
finding, a note. What is not known, empty or false may be absent where that is said below. No
list is null. Times are RFC\~3339, in UTC and whole seconds; sizes and times to live are numbers in
the unit that is named. Names of domains are in lower case and with A\-labels (xn\-\-);
names of records and of zones end in a dot. Private keys are never printed, and no plan has a
hash of one.
.SS Stability
Until the first release all of this may change. After it there are only additions: fields,
documents, and words where one of several is printed (who reads a word that is not known takes it
for none of those that are). A field that goes or changes its meaning comes with another number in
.BR schema .
Texts for people (message, hints, text, found, why, remedy, diff) have no fixed words; fields and the
words of enumerations have.
.SS Schema
.I docs/schema/mailsetup.schema.json
in the source, JSON Schema 2020\-12, describes all documents. It allows fields that were added; the
tests of mailsetup judge all that it prints by the same schema with further fields forbidden.
`

const manualTail = `.SH EXAMPLES
The selectors that sign:
.PP
.in +4n
.EX
mailsetup list \-\-json | jq \-r '.domains[].keys[] | select(.stage=="active") | "\e(.domain) \e(.selector)"'
.EE
.in
.PP
Whether there is something to do, and what:
.PP
.in +4n
.EX
mailsetup init \-\-dry\-run \-\-json | jq '.pending, [.stages[].changes[]?.path]'
.EE
.in
.PP
Domains whose records are not on every name server:
.PP
.in +4n
.EX
mailsetup dns \-\-wait \-\-timeout 0 \-\-json | jq \-r '.domains[] | select(.checked.ok | not).domain'
.EE
.in
.SH SEE ALSO
.BR mailsetup (8),
.BR mailsetup.toml (5),
.BR jq (1)
`
