// Package report says what a check found: as text for a terminal, as data, and for
// programs that watch servers.
package report

import (
	"encoding/json"
	"fmt"
	"io"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
)

// Schema is the version of the JSON form.
const Schema = 1

// Report is the outcome of a check.
type Report struct {
	Schema  int     `json:"schema"`
	Summary Summary `json:"summary"`
	finding.Result
}

// Summary counts findings.
type Summary struct {
	Problems int `json:"problems"`
	Warnings int `json:"warnings"`
	Unknown  int `json:"unknown"`
	Notes    int `json:"notes"`
	OK       int `json:"ok"`
}

// New summarises what was found.
func New(r finding.Result) Report {
	s := Summary{}
	for _, f := range r.Findings {
		switch f.Severity {
		case finding.Problem:
			s.Problems++
		case finding.Warning:
			s.Warnings++
		case finding.Unknown:
			s.Unknown++
		case finding.Note:
			s.Notes++
		case finding.OK:
			s.OK++
		}
	}
	return Report{Schema: Schema, Summary: s, Result: r}
}

// WriteJSON prints the report as data.
func (r Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// WriteText prints the report for a terminal.
func (r Report) WriteText(w io.Writer, width int) error {
	for _, f := range r.Findings {
		if f.Severity != finding.OK {
			line := fmt.Sprintf("%s %s %s %s: %s", f.Severity, f.ID, f.Domain, f.Subject, f.Seen)
			if _, err := fmt.Fprintln(w, text.Wrap(line, width-2)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d problems, %d warnings, %d unknown, %d notes, %d ok\n",
		r.Summary.Problems, r.Summary.Warnings, r.Summary.Unknown, r.Summary.Notes, r.Summary.OK)
	return err
}
