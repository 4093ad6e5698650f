package state

// OtherMTA is a mail server other than Postfix.
type OtherMTA struct {
	Package string // that provides mail-transport-agent
	// Counted tells whether the queue could be looked at; Queue is the number
	// of messages in it.
	Counted bool
	Queue   int
	// Spool is where the queue lives, also when the package is gone; "" for a
	// program that has none. Flush are the commands that try to deliver now and
	// show what is left.
	Spool string
	Flush string
	// Relay is the host that takes all mail which leaves, as relayhost in
	// postconf(5) writes it; "" for none.
	Relay string
	// Aliases is a file or directory that it reads instead of /etc/aliases, ""
	// for none.
	Aliases Path
	// Maildir: local mail goes to ~/Maildir instead of /var/mail.
	Maildir bool
}
