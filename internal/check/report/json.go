package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"mailsetup/internal/check/finding"
)

// WriteJSON prints the report as data. Findings are encoded one by one: with thousands of
// domains the text of all of them takes more memory than the check.
func (r Report) WriteJSON(w io.Writer) error {
	const none = `"findings": []` // a quote in a string is escaped
	rest := r
	rest.Findings = []finding.Finding{}
	var b bytes.Buffer
	if err := encoder(&b, "").Encode(rest); err != nil {
		return err
	}
	before, after, _ := bytes.Cut(b.Bytes(), []byte(none))
	out := bufio.NewWriterSize(w, 64<<10)
	out.Write(before)
	if len(r.Findings) == 0 {
		out.WriteString(none)
	} else {
		out.WriteString(`"findings": [`)
		for i, f := range r.Findings {
			var one bytes.Buffer
			if err := encoder(&one, "    ").Encode(f); err != nil {
				return err
			}
			if i > 0 {
				out.WriteString(",")
			}
			out.WriteString("\n    ")
			out.Write(bytes.TrimSuffix(one.Bytes(), []byte("\n")))
		}
		out.WriteString("\n  ]")
	}
	out.Write(after)
	return out.Flush() // which has the error of any write
}

func encoder(w io.Writer, prefix string) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetIndent(prefix, "  ")
	enc.SetEscapeHTML(false)
	return enc
}
