package notify

import (
	"github.com/coreos/go-systemd/v22/journal"

	"mailsetup/internal/text"
)

// Alert says lines so that they stand out in the journal of the system. Where stderr
// is not the journal they are said there, and go to the journal as well if nobody is
// watching.
func Alert(lines []string, logf func(format string, a ...any), watched bool) {
	inJournal, _ := journal.StderrIsJournalStream()
	for _, l := range lines {
		l = text.Printable(l)
		if inJournal { // sd-daemon(3)
			logf("<3>%s", l)
			continue
		}
		logf("%s", text.Wrap(l, 78))
		if !watched {
			_ = journal.Send(l, journal.PriErr, map[string]string{"SYSLOG_IDENTIFIER": "mailsetup"})
		}
	}
}
