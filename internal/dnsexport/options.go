package dnsexport

import (
	"slices"
	"strings"
	"time"

	"mailsetup/internal/hint"
)

// Options are what is asked of the records, as flags have it.
type Options struct {
	Form    string // one of Forms, "" for zone
	Wait    bool   // until every name server has them
	Timeout string // of Wait, "" for the standard one
	Root    string // the directory that stands for the machine, "" for none
	Output  string // the file that gets the records, "" for standard output
}

// Forms are the forms in which records are printed.
func Forms() []string { return slices.Insert(Formats(), 2, "json") }

// Validate completes the options, and returns how long to wait.
func (o *Options) Validate() (timeout time.Duration, err error) {
	given := o.Form
	if o.Form == "" {
		o.Form = "zone"
	}
	if timeout = 10 * time.Minute; o.Timeout != "" {
		if timeout, err = time.ParseDuration(o.Timeout); err != nil || timeout < 0 {
			return 0, hint.NewUsage("as in 90s, 10m or 0", "--timeout %q is no span of time", o.Timeout)
		}
	}
	switch {
	case !slices.Contains(Forms(), o.Form):
		return 0, hint.NewUsage("one of "+strings.Join(Forms(), ", "), "--format %q is not known", o.Form)
	case o.Wait && o.Root != "":
		return 0, hint.NewUsage("run it on the machine itself", "--wait asks the world, and --root is about a directory")
	case o.Wait && given != "" && given != "json":
		return 0, hint.NewUsage("leave one of them out", "--format prints records, and --wait asks for them")
	case o.Wait && o.Output != "":
		return 0, hint.NewUsage("leave one of them out", "--output gets records, and --wait asks for them")
	case !o.Wait && o.Timeout != "":
		return 0, hint.NewUsage("add --wait", "--timeout goes with --wait")
	case o.Output == "-":
		return 0, hint.NewUsage("leave --output out", "--output %q: no file", o.Output)
	case o.Output != "":
		return timeout, o.file().Check()
	}
	return timeout, nil
}
