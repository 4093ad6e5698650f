package facts

import (
	"context"

	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	postfixstep "mailsetup/steps/postfix"
	"mailsetup/steps/recipients"
	"mailsetup/steps/step"
)

// mainCf is the configuration of Postfix.
const mainCf state.Path = "/etc/postfix/main.cf"

// Recipients returns what Postfix will do with mail for the addresses of a spec, by
// address. It knows nothing of settings that an earlier installation of Postfix left.
func Recipients(ctx context.Context, s source.Source, in step.Input) map[string]state.Recipient {
	list := recipients.Addressees(in)
	if len(list) == 0 || in.Spec.Host.MTA == spec.Exim { // of which nobody knows
		return nil
	}
	if o, err := s.Stat(mainCf); in.Facts.Postfix == nil && err == nil && o.Kind != state.Absent {
		return nil
	}
	var addresses []string
	for _, a := range list {
		addresses = append(addresses, a.Address)
	}
	return postfix.Recipients(ctx, s, postfix.Mail{
		Settings: postfixstep.Settings(in), Aliases: recipients.AliasesText(in), Route: recipients.MailRoutes(in),
	}, addresses)
}

// CheckRecipients returns the recipients of a spec, and an error if one of its
// addresses does not exist. It is no error if that was so before the run (old is the
// spec of earlier runs) and stays so: a note reports it.
func CheckRecipients(ctx context.Context, s source.Source, in step.Input, old *spec.Spec) (map[string]state.Recipient, error) {
	in.Facts.Recipients = Recipients(ctx, s, in)
	err := recipients.CheckReaders(in)
	if err == nil || old == nil {
		return in.Facts.Recipients, err
	}
	was := in
	was.Spec = *old
	was.Facts.Recipients = Recipients(ctx, s, was)
	return in.Facts.Recipients, recipients.CheckReadersSince(was, in)
}
