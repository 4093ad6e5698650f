// Package eximcheck finds out why exim4 sends mail unsigned: Exim itself says that to its
// log alone, at most.
package eximcheck

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/detect/exim"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/edits"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	steps "mailsetup/steps/exim"
	"mailsetup/steps/step"
)

// Cause returns what keeps Exim from signing, with what to type: files that are not as a run
// would make them, or others that count in their place. It is nil if nothing is found.
func Cause(ctx context.Context, m source.Source, in step.Input) error {
	if in.Facts.Exim == nil {
		in.Facts.Installed = map[string]bool{"exim4-daemon-light": true} // who asks has it sign
		if err := exim.Find(ctx, m, source.Options{}, &in.Facts); err != nil {
			return err
		}
	}
	if err := addMailname(m, &in.Facts); err != nil {
		return err
	}
	found := *in.Facts.Exim
	found.Signs = overriding(m, found.Signs)
	in.Facts.Exim = &found
	if at := found.Signs; len(at) > 0 && found.Whole == "" {
		return hint.New("take that out of "+strings.Join(at, ", ")+", or make it a comment; then: systemctl reload exim4",
			"%s sets up DKIM in the place of what mailsetup wrote", step.EnumerateUpTo(at, 3))
	}
	stage, _, err := steps.Configure(in)
	if err != nil {
		return err
	}
	for _, f := range stage.Files {
		if err := asWritten(m, f); err != nil {
			return err
		}
	}
	for _, e := range stage.Edits {
		if err := asEdited(ctx, m, e); err != nil {
			return err
		}
	}
	return generated(m)
}

// harmless finds settings that take no signature away by themselves.
var harmless = regexp.MustCompile(`(?i)^\s*dkim_(strict|timestamps)\s*=`)

// overriding returns those of the places, file:line, whose settings count in the place of ours.
func overriding(files system.Reader, places []string) []string {
	return slices.DeleteFunc(slices.Clone(places), func(at string) bool {
		file, number, _ := strings.Cut(at, ":")
		n, err := strconv.Atoi(number)
		text, readErr := source.Text(files, state.Path(file))
		lines := strings.Split(string(text), "\n")
		return err == nil && readErr == nil && n > 0 && n <= len(lines) && harmless.MatchString(lines[n-1])
	})
}

// Files returns the error of private keys with which Exim cannot sign, whosever they are, or
// with which others could, and of the table.
func Files(files system.Reader, in step.Input) error {
	return cmp.Or(keys(files, in.Ledger), table(files, in))
}

// Tell returns what root has to be told about an error, "" for nothing: another one at once,
// the same one once a day.
func Tell(files store.Files, err error, now time.Time) string {
	why := ""
	if err != nil {
		why = strings.Join(append([]string{hint.Message(err)}, hint.Print(hint.Of(err))...), "\n") + "\n"
	}
	if tell, _ := store.RemindUnsigned(files, why, now, 24*time.Hour); !tell { // true where it cannot be remembered
		return ""
	}
	return "Mail leaves all the same, and exim4 tells nobody but its log. Receivers may take it\nfor forged. mailsetup looks every hour.\n\n" + why
}

// table returns the error of a table that lacks a row of a key that signs.
func table(files system.Reader, in step.Input) error {
	in.KeysOnly = true
	if err := addMailname(files, &in.Facts); err != nil {
		return err
	}
	in.Facts.Exim = &state.Exim{Type: "internet"} // which the table does not depend on
	stage, _, err := steps.Configure(in)
	if err != nil {
		return err
	}
	return asWritten(files, stage.Files[0])
}

// addMailname adds the file that says what follows the @ in mail of programs, which the table
// depends on, where nobody has collected facts.
func addMailname(files system.Reader, f *state.Facts) error {
	if f.Files != nil {
		return nil
	}
	f.Files = map[state.Path][]byte{}
	return source.AddText(files, "/etc/mailname", f)
}

// asWritten returns the error of a file that is not as a run would write it. Of the table,
// which may have rows of domains that no file names any more, only rows that are missing count.
func asWritten(files system.Reader, f state.File) error {
	is, err := files.Read(f.Path)
	switch {
	case err != nil:
		return err
	case is.Kind == state.Absent:
		return hint.New("mailsetup init", "%s is missing: %s", f.Path, f.Why)
	case f.Path == steps.Table:
		return rows(string(is.Content), string(f.Content))
	case !bytes.Equal(is.Content, f.Content):
		return hint.New("mailsetup init", "%s is not as mailsetup would write it", f.Path)
	}
	return nil
}

func rows(is, want string) error {
	there := map[string]bool{}
	for line := range strings.Lines(is) {
		there[strings.TrimSpace(line)] = true
	}
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); !there[line] && !strings.HasPrefix(line, "#") {
			return hint.New("mailsetup init", "%s has no row %q", steps.Table, line)
		}
	}
	return nil
}

func asEdited(ctx context.Context, m system.Reader, e state.Edit) error {
	is, err := m.Read(e.Target())
	if err != nil {
		return err
	}
	want, err := m.Evaluate(ctx, e, is)
	switch edited := (*edits.EditedError)(nil); {
	case errors.As(err, &edited):
		return hint.New("mailsetup init --overwrite-drift", "%w", err)
	case err != nil:
		return err
	case !bytes.Equal(is.Content, want):
		return hint.New("mailsetup init", "%s does not have the settings of mailsetup: %s", e.Target(), e.Why())
	}
	return nil
}

// generated returns the error of a configuration that was not made of the files that are
// there, or whose transports Debian did not write.
func generated(files system.Reader) error {
	text, err := source.Text(files, eximconf.Generated)
	switch {
	case err != nil:
		return err
	case !bytes.Contains(text, []byte("MAILSETUP_ROW")):
		return hint.New("systemctl reload exim4", "%s, which exim4 reads, was not made of the files that are there", eximconf.Generated)
	case !eximconf.TakesDKIM(string(text)):
		return hint.New("systemctl reload exim4; if that does not help, put Debian's files back, after a look at what was changed in them: "+
			"apt-get install --reinstall -o Dpkg::Options::=--force-confask -o Dpkg::Options::=--force-confnew exim4-config",
			"no transport in %s has dkim_domain = DKIM_DOMAIN, as Debian's has", eximconf.Generated)
	}
	return nil
}

func keys(files system.Reader, ledger keyring.Ledger) error {
	unusable := dkimkeys.Unusable(files, ledger, func(string) bool { return true })
	domains := slices.Sorted(maps.Keys(unusable))
	switch len(domains) {
	case 0:
		return nil
	case 1:
		return unusable[domains[0]]
	}
	return fmt.Errorf("%w; and so it is with %s", unusable[domains[0]], step.EnumerateUpTo(domains[1:], 5))
}
