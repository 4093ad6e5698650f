package page

import (
	"bytes"

	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
	"mailsetup/internal/outfile"
)

// ours marks a page as one that this program wrote.
const ours = "mailsetup check"

// markWithin is how far from the beginning of a page its mark is.
const markWithin = 512

// file is a page: it may replace an earlier page, and nothing else.
func file(name string) outfile.File {
	return outfile.File{Flag: "--html", Name: name, WhyKeep: func(content []byte) string {
		if bytes.Contains(content[:min(len(content), markWithin)], []byte(`<meta name="generator" content="`+ours+`">`)) {
			return ""
		}
		return "mailsetup did not write that file, and leaves it alone"
	}}
}

// CheckFile reports why a page cannot be written to a file.
func CheckFile(name string) error {
	if name == "" || name == "-" {
		return hint.NewUsage("name a file, as in --html check.html", "--html %q: no file", name)
	}
	return file(name).Check()
}

// Save writes the page of a report to a file, whole or not at all. It is made to be
// handed on, and says nothing that users of the server cannot ask for themselves
// (postqueue(1), the files of Postfix, DNS).
func Save(name string, r report.Report, o Options) error {
	if err := CheckFile(name); err != nil {
		return err
	}
	text, err := HTML(r, o)
	if err != nil {
		return err
	}
	return file(name).Save(text)
}
