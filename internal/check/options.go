package check

import (
	"io"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/live"
	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
)

// Options say what to check, how, and in which form the outcome is wanted.
type Options struct {
	finding.Selection
	Domains  []string // all of the server without a name
	Offline  bool     // DNS is not asked
	Online   bool     // hosts of others are asked
	Resolver string   // address of the resolver, "" for that of the system
	Login    string   // file with a user and a password for submission, "" for none
	SendTo   string   // address elsewhere that gets a message, "" for none
	Messages []string // files of messages to judge
	Form     string   // one of Forms
	Changed  bool     // what differs from what was told before is told
	Mail     bool     // and mailed, to notify of host.toml or to root
	Notes    bool     // notes are printed, and not only counted
	Strict   bool     // what is unknown counts as a problem
	HTML     *Page    // written beside it, nil for none
	// Fix: what can be mended is going to be, so there has to be something of ours.
	Fix bool
	// JustChanged: zones were changed just now, so a secondary may not be there yet.
	JustChanged bool
	First       int // how many of all domains are checked where none is named, 0 for all
	// Mailbox is that of root, which gets a copy of what is mailed while mail from here
	// cannot leave; "" for none, but for Run that of this machine.
	Mailbox string
	// Print prints the report, and says whether people have it now; nil for nobody.
	Print func(report.Report) (told bool, err error)
	// Rewrite writes a line over the last one, and is called as the run goes on, by several
	// goroutines; nil for nobody.
	Rewrite func(line string)
}

// Text is the form for people.
const Text = "text"

// Forms are the forms of the outcome.
func Forms() []string { return append([]string{Text, "json"}, report.Formats()...) }

// Validate finds what cannot be asked for.
func (o Options) Validate() error {
	if err := o.Check(); err != nil {
		return err
	}
	_, addr := netip.ParseAddr(o.Resolver)
	_, port := netip.ParseAddrPort(o.Resolver)
	monitors := slices.Contains(report.Formats(), o.Form)
	switch {
	case o.Resolver != "" && addr != nil && port != nil:
		return hint.NewUsage("as in 192.0.2.53 or [2001:db8::53]:5353", "--resolver %q is no address", o.Resolver)
	case o.Form != "" && !slices.Contains(Forms(), o.Form):
		return hint.NewUsage("one of "+strings.Join(Forms(), ", "), "--format %q is not known", o.Form)
	case o.Mail && !o.Changed:
		return hint.NewUsage("add --changed", "--mail goes with --changed")
	case o.Fix && o.Changed:
		return hint.NewUsage("leave one of them out", "--fix and --changed do not go together")
	case o.Fix && len(o.Only)+len(o.Skip) > 0:
		return hint.NewUsage("leave --only and --skip out: --fix carries out the whole plan of mailsetup init", "--fix does not mend a part")
	case o.Fix && monitors:
		return hint.NewUsage("leave one of them out", "--fix and --format %s do not go together", o.Form)
	case o.SendTo != "" && live.Address(o.SendTo) != nil:
		return live.Address(o.SendTo)
	case o.SendTo != "" && !o.Wants("live.signed.sendmail"):
		return hint.NewUsage("leave --send-to out, or name live.signed.sendmail with --only", "--send-to belongs to live.signed.sendmail, which is not looked at")
	case o.SendTo != "" && o.Fix: // which checks twice
		return hint.NewUsage("leave --send-to out, and send the message afterwards", "--fix and --send-to do not go together")
	case o.Login != "" && !o.Wants("live.signed.submission"):
		return hint.NewUsage("leave --login out, or name live.signed.submission with --only", "--login belongs to live.signed.submission, which is not looked at")
	case o.Offline && o.Online:
		return hint.NewUsage("leave one of them out", "--offline and --online do not go together")
	case o.Offline && o.Resolver != "":
		return hint.NewUsage("leave one of them out", "--offline and --resolver do not go together")
	case o.Changed && monitors:
		return hint.NewUsage("leave one of them out", "--changed and --format %s do not go together", o.Form)
	case o.Strict && o.Form == "nagios":
		return hint.NewUsage("leave --strict out", "--format nagios has an exit code of its own for what is unknown")
	}
	if _, err := o.named(); err != nil {
		return err
	}
	return o.HTML.check()
}

// Failed reports whether a report calls for an exit code that says so. Where nothing was
// looked at nothing has passed.
func (o Options) Failed(r report.Report) bool {
	s := r.Summary
	if o.Changed {
		s = report.Count(r.Changes)
	}
	return s.Problems > 0 || o.Strict && (s.Unknown > 0 || r.Summary.Empty())
}

// Verdict returns an error if a report calls for an exit code that says so, and says why
// where the report does not.
func (o Options) Verdict(r report.Report, failed error, say func(string)) error {
	switch {
	case !o.Failed(r):
		return nil
	case r.Summary.Empty():
		say("mailsetup: --strict: nothing was looked at: " + report.LeftOut(r.Skipped))
	}
	return failed
}

// Write prints a report in the form that is wanted, and writes the page.
func (o Options) Write(w io.Writer, r report.Report, t report.TextOptions) error {
	if err := o.HTML.save(r, t.Typed); err != nil {
		return err
	}
	t.Notes = o.Notes
	switch {
	case o.Form == "json":
		return r.WriteJSON(w)
	case o.Changed && len(r.Changes) == 0:
		return nil
	case o.Form == "nagios":
		return r.WriteNagios(w)
	case o.Form == "prometheus":
		return r.WritePrometheus(w)
	case o.Changed:
		return r.WriteChanges(w, t)
	}
	return r.WriteText(w, t)
}
