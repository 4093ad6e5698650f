package dkim

import (
	"errors"
	"io/fs"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
)

// maxParsed is up to how many domains each private key is parsed, which takes 0.2 ms of
// a processor. Of more, what the file states as its public half is enough.
const maxParsed = 100

// states reports whether a key file states the public half of the ledger.
func states(files system.Reader, k key) bool {
	o, err := files.Read(state.Path(k.File))
	return err == nil && o.Kind == state.Regular && keygen.PublicHalf(o.Content) == k.Public
}

// checkFile compares a private key with the public one of the ledger.
func (c *checker) checkFile(k key) {
	out := finding.Finding{ID: "dkim.match", Severity: finding.OK, Subject: k.File}
	if o, err := c.Files.Stat(state.Path(k.File)); err == nil && o.Kind == state.Absent {
		out.Severity, out.Seen, out.CausedBy = finding.Problem, "the private key is gone", "live.keys"
		out.Remedy = finding.Text("put the file back from a backup; without one:").Command("mailsetup rotate-dkim --compromised %s", c.domain.Name)
		c.report(out)
		return
	}
	if len(c.server.Ledger) > maxParsed && states(c.Files, k) {
		c.report(out)
		return
	}
	switch err := dkimkeys.CheckMatchesRecord(c.Files, c.domain.Name, k.Key); {
	case errors.Is(err, fs.ErrPermission):
		out.Severity, out.Seen = finding.Unknown, err.Error()
	case err != nil:
		out.Severity, out.Seen, out.Remedy = finding.Problem, err.Error(), finding.Advice(hint.Of(err)...)
	}
	if out.Severity == finding.Problem && !k.signs {
		out.Severity = finding.Warning
	}
	c.report(out)
}
