package state

// Milter is a milter that Postfix asks beside ours (smtpd_milters and
// non_smtpd_milters of postconf(5)), and what it did with a message.
type Milter struct {
	// Endpoint is what the lists say, with parameters put in:
	// inet:localhost:11332.
	Endpoint string
	// Lists say where Postfix asks it: "smtpd_milters" of main.cf,
	// "submission/inet smtpd_milters" of a service in master.cf.
	Lists []string
	// Clients are those whose mail Postfix shows it.
	Clients []Client
	// Addresses are where it may be asked from outside Postfix's chroot, the
	// likelier one first: absolute paths of sockets, or host:port on the
	// loopback. None for a milter on another machine.
	Addresses []string
	// AskedAt is the address at which it was asked.
	AskedAt string
	// Asked: a message of each client went through it, to its end.
	Asked bool
	// Problem says why that is not so, "" if nobody tried.
	Problem string
	// Signatures are those that it added, each of a domain and selector once.
	Signatures []Signature
	// Program is what runs there, as far as that is known.
	Program Program
}

// Client is how a message is announced to a milter.
type Client struct {
	Kind ClientKind
	// Daemon is {daemon_name}: milter_macro_daemon_name of the service.
	Daemon string
	// Address is the IPv4 address that it comes from, "" for 127.0.0.1.
	Address string
}

// ClientKind is a way in which mail comes in.
type ClientKind string

// The kinds of clients whose mail is signed.
const (
	BySendmail ClientKind = "sendmail" // a program on this machine, by cleanup(8)
	BySMTP     ClientKind = "smtp"     // 127.0.0.1, by smtpd(8)
	ByLogin    ClientKind = "login"    // a user who logged in, by smtpd(8)
)

// Signature is a DKIM-Signature that a milter or a filter adds.
type Signature struct {
	Domain, Selector string // d= and s=, in lower case
	From             string // the sender of the message
	Client           Client // that it was said to come from
	// Problem says why it does not verify with the record in DNS, "" if it does.
	Problem string
	// Key is the private key that made it, a file of RSA PEM; "" where that is
	// not known.
	Key Path
}

// Program is a program that signs mail as a milter or content filter.
type Program struct {
	Kind ProgramKind
	// Conf is its configuration, and Unit what systemd knows it by; "" where
	// that is not known.
	Conf Path
	Unit string
	// Others are domains that it is configured to sign for, beside those that
	// it was asked about.
	Others []string
	// ConflictingFile is a file of the administrator's at the path of the one that
	// would switch signing off, "" for none.
	ConflictingFile Path
}

// ProgramKind names a program.
type ProgramKind string

// The programs that are told apart.
const (
	UnknownProgram ProgramKind = ""
	RspamdProgram  ProgramKind = "rspamd"
	OtherOpenDKIM  ProgramKind = "opendkim" // beside that of opendkim.service
	DKIMPyMilter   ProgramKind = "dkimpy-milter"
	Amavis         ProgramKind = "amavis"
	OpenDMARC      ProgramKind = "opendmarc" // which never signs, and keeps a history
)

// Title is what people call the program.
func (p Program) Title() string {
	switch p.Kind {
	case RspamdProgram:
		return "rspamd"
	case OtherOpenDKIM:
		return "a second OpenDKIM"
	case DKIMPyMilter:
		return "dkimpy-milter"
	case Amavis:
		return "amavis"
	case OpenDMARC:
		return "OpenDMARC"
	case UnknownProgram:
	}
	return "a milter"
}

// SignsOnly reports whether the program does nothing but DKIM, so that Postfix
// need not ask it once our signer does that.
func (p Program) SignsOnly() bool { return p.Kind == OtherOpenDKIM || p.Kind == DKIMPyMilter }
