package text

import (
	"slices"
	"strings"
)

// programs are those that commands to paste begin with.
var programs = strings.Fields("adduser apt apt-get certbot chmod chown cp delv df dig dpkg dpkg-reconfigure exim4 getent grep install ip journalctl kill ls " +
	"mailsetup mkdir mount mv named-checkconf named-checkzone nc newaliases nsupdate opendkim-testkey postalias postconf postfix postmap postqueue postsuper rm rndc " +
	"sed sendmail sudo sudoedit systemctl timedatectl touch umount umask unbound-control")

// IsCommand reports whether what a person is told to do is a command to paste.
func IsCommand(action string) bool {
	first, _, _ := strings.Cut(action, " ")
	return slices.Contains(programs, first)
}

// WrapCommand breaks a command that has more than width columns behind && only, so that
// it can be pasted as it stands.
func WrapCommand(command string, width int) []string {
	rows := strings.SplitAfter(command, " && ")
	for i := 1; i < len(rows); i++ {
		if len(rows[i-1])+len(rows[i]) <= width {
			rows[i-1] += rows[i]
			rows = slices.Delete(rows, i, i+1)
			i--
		}
	}
	for i := range rows {
		rows[i] = strings.TrimSuffix(rows[i], " ")
	}
	return rows
}

// WrapAction breaks what a person is told to do, if that has more than width columns:
// prose as Wrap does, commands as WrapCommand, and records not at all.
func WrapAction(action string, width int) []string {
	if IsCommand(action) {
		return WrapCommand(action, width)
	}
	if first, _, _ := strings.Cut(action, " "); strings.TrimLeft(first, "abcdefghijklmnopqrstuvwxyz,:'-") != "" { // a record
		return []string{action}
	}
	return strings.Split(Wrap(action, width), "\n")
}
