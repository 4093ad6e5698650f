package rotation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/notify"
	"mailsetup/internal/spec"
	"mailsetup/internal/system"
)

// FailureStore is the part of store.Store that MailFailure uses.
type FailureStore interface {
	Host() (spec.Host, error)
	LastFailureMail() (at time.Time, ok bool)
	SaveFailureMail(time.Time) error
}

// MailFailure mails the administrator why an unattended run failed, at most once a day.
// The run may have failed before it read anything, so this reads host.toml itself and
// needs no other file.
func MailFailure(ctx context.Context, programs system.Runner, files FailureStore, now time.Time, failed error) error {
	host, err := files.Host()
	if err != nil || host.Notify == "" || host.Hostname == "" { // what is wrong with it is what failed
		return nil
	}
	if at, ok := files.LastFailureMail(); ok && keyring.Recently(at, now, remindEvery) {
		return nil
	}
	if err := files.SaveFailureMail(now); err != nil {
		return err // or each run would send one
	}
	var lines []string
	if some := (*SkippedError)(nil); errors.As(failed, &some) {
		lines = some.Lines
	}
	lines = append(append(lines[:len(lines):len(lines)], "mailsetup: "+message(failed)), hint.Print(system.Hints(failed))...)
	m := mailText{"mailsetup rotate-dkim failed", strings.Join(lines, "\n") + "\n" + failureNote}
	if err := notify.Send(ctx, programs, m.message(host, now)); err != nil {
		return fmt.Errorf("no mail to %s: %w", host.Notify, err)
	}
	return nil
}

const failureNote = `
It is tried again every hour. Of a failure you are told once a day; more is in
the journal: journalctl -u mailsetup-rotate
`
