package state

// Recipient is what Postfix on this machine does with mail for an address, according to
// its settings and tables.
type Recipient struct {
	End RecipientEnd
	// Class of Address, which is the one that decided: of a chain of aliases the
	// last.
	Class   AddressClass
	Address string
	// Why is a clause: who has the mail then, or why nobody has.
	Why string
	// Refused: smtpd(8) does not take the address from others, although mail of
	// this machine's own is delivered (local_recipient_maps, relay_recipient_maps).
	Refused bool
	// Agent is the delivery agent that the address itself is given to, before any
	// alias of local(8): local, virtual, smtp; "" if there are several, or none.
	Agent string
}

// Lost reports whether mail for the address certainly reaches nobody.
func (r Recipient) Lost() bool { return r.End == EndNobody || r.End == EndLoop }

// RecipientEnd is where mail for an address ends.
type RecipientEnd string

// The ends. The zero value means that nobody asked.
const (
	EndMailbox   RecipientEnd = "mailbox"   // of this server, or a program or file of its own
	EndElsewhere RecipientEnd = "elsewhere" // another host is given it
	EndNobody    RecipientEnd = "nobody"    // it bounces
	EndLoop      RecipientEnd = "loop"      // it comes back, and bounces
	EndUnknown   RecipientEnd = "unknown"   // a table or another program would have to be asked, and could not be
)

// AddressClass is Postfix's word for the kind of a domain, ADDRESS_CLASS_README.
type AddressClass string

// The classes.
const (
	ClassLocal          AddressClass = "local"           // mydestination
	ClassVirtualAlias   AddressClass = "virtual alias"   // virtual_alias_domains
	ClassVirtualMailbox AddressClass = "virtual mailbox" // virtual_mailbox_domains
	ClassRelay          AddressClass = "relay"           // relay_domains
	ClassDefault        AddressClass = "default"         // all others
)

// MailDomain is what Postfix does with mail for a domain that comes from others.
type MailDomain struct {
	Class AddressClass // ClassDefault: it refuses it
	// AddressesIn is the map with virtual addresses of a domain that Postfix refuses
	// mail for, "" for none.
	AddressesIn string
	Unknown     string // why the class could not be found out, "" if it could
}

// MailRoute is where mail for a domain goes according to DNS.
type MailRoute string

// The routes.
const (
	RouteUnknown   MailRoute = ""
	RouteHere      MailRoute = "here"      // its first mail exchanger is this server
	RouteElsewhere MailRoute = "elsewhere" // it is another one
	RouteNone      MailRoute = "none"      // neither MX nor address
	RouteNull      MailRoute = "null"      // the null MX of RFC 7505
)
