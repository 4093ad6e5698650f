package text

import "strings"

// HelpWidth is how wide the help of commands is.
const HelpWidth = 80

const helpColumn = 26 // where what a flag does begins

// HelpRow puts a text beside its head, or below a head that is too long.
func HelpRow(head, what string) string {
	what = Indent(Wrap(what, HelpWidth-helpColumn), helpColumn)
	if len(head)+2 > helpColumn {
		return head + "\n" + what + "\n"
	}
	return head + what[len(head):] + "\n"
}

// ExitCodes says what each exit code of mailsetup means.
func ExitCodes() string {
	var b strings.Builder
	for _, e := range []struct{ code, means string }{
		{"0", "done, or nothing to do"},
		{"1", "failed, and the machine is as it was; also if there was nothing to do and mail does not leave signed or a unit was stopped; of rotate-dkim: domains that are named could not go on, and the others did"},
		{"2", "usage, a wish that makes no sense, or no consent to a change of what is yours; nothing touched"},
		{"3", "--dry-run --exit-code or apply --check found changes, dns --wait or check found problems, all was done but mail does not leave signed or a unit was stopped, or rotate-dkim waits for you or for a name server, or found that records are gone"},
		{"4", "failed, and not fully undone"},
		{"5", "as 0 or 3, but standard output could not be written (a full disk); a reader that went away is no failure"},
		{"130", "interrupted and undone"},
	} {
		b.WriteString(HelpRow("  "+e.code, e.means))
	}
	return b.String()
}
