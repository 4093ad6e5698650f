package dkim

import (
	"errors"
	"io/fs"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
)

// checkFile compares a private key with the public one of the ledger.
func (c *checker) checkFile(k key) {
	out := finding.Finding{ID: "dkim.match", Severity: finding.OK, Subject: k.File}
	if o, err := c.Files.Stat(state.Path(k.File)); err == nil && o.Kind == state.Absent {
		out.Severity, out.Seen, out.CausedBy = finding.Problem, "the private key is gone", "live.keys"
		out.Remedy = "put the file back from a backup; without one: mailsetup rotate-dkim --compromised " + c.domain.Name
		c.report(out)
		return
	}
	switch err := dkimkeys.CheckMatchesRecord(c.Files, c.domain.Name, k.Key); {
	case errors.Is(err, fs.ErrPermission):
		out.Severity, out.Seen = finding.Unknown, err.Error()
	case err != nil:
		out.Severity, out.Seen, out.Remedy = finding.Problem, err.Error(), strings.Join(hint.Of(err), "; ")
	}
	if out.Severity == finding.Problem && !k.signs {
		out.Severity = finding.Warning
	}
	c.report(out)
}
