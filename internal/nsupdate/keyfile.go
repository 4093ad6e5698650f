package nsupdate

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"path"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// SessionKey is the key that named makes at each start for update-policy
// local, where Debian has it (session-keyfile in named.conf(5)).
const SessionKey state.Path = "/run/named/session.key"

// Key is a TSIG key (RFC 8945). No text of it shows the secret.
type Key struct {
	Name      string // absolute, in canonical form
	Algorithm string // absolute
	secret    string // base64
}

// String implements fmt.Stringer.
func (k Key) String() string { return dnsname.TrimDot(k.Name) }

// GoString implements fmt.GoStringer.
func (k Key) GoString() string { return k.String() }

// chmodCommand returns the command that makes a key readable by root alone. A file
// outside root's home may be used by a name server, which a chmod would lock out.
func chmodCommand(p state.Path) string {
	if p.Dir() == "/root" {
		return fmt.Sprintf("chown root %s && chmod 600 %s", p, p)
	}
	return fmt.Sprintf("name a copy that only root can read: install -m 600 %s /root/%s; --rfc2136-key /root/%s", p, path.Base(string(p)), path.Base(string(p)))
}

// ReadKey reads a key statement of named.conf(5), as tsig-keygen(8) prints it,
// from a file that nobody but root may read.
func ReadKey(r system.Reader, p state.Path) (Key, error) {
	at, _, err := system.Follow(r, p)
	if err != nil {
		return Key{}, err
	}
	o, err := r.Read(at)
	if err != nil {
		return Key{}, err
	}
	if err := readableByRootOnly(at, o); err != nil {
		return Key{}, err
	}
	k, err := ParseKey(o.Content)
	if err != nil {
		return Key{}, &system.UnusableError{Path: at, Text: err.Error(), Hint: "tsig-keygen NAME makes one"}
	}
	return k, nil
}

// readableByRootOnly refuses a key file that others than root can read, unless it is
// the session key that named makes for itself.
func readableByRootOnly(p state.Path, o state.Object) error {
	unfit := func(hint, format string, a ...any) error {
		return &system.UnusableError{Path: p, Text: fmt.Sprintf(format, a...), Hint: hint}
	}
	named := p == SessionKey && o.Owner.User == "bind"
	switch {
	case o.Kind == state.Absent && p == SessionKey:
		return unfit("systemctl start named; a key of your own is named with --rfc2136-key",
			"is not there: named makes it, if it runs and has a zone with update-policy local")
	case o.Kind == state.Absent:
		return unfit("tsig-keygen NAME makes a key, --rfc2136-key names its file", "the key file does not exist")
	case o.Kind != state.Regular:
		return unfit("name the file that tsig-keygen NAME was written to", "is a %s, not a file with a key", cmp.Or(map[state.Kind]string{state.Special: "device, pipe or socket"}[o.Kind], string(o.Kind)))
	case o.Owner.User != "root" && !named:
		return unfit(chmodCommand(p), "the key belongs to %s, who could sign with it", o.Owner.User)
	case o.Mode&0o077 != 0:
		return unfit(chmodCommand(p), "the key can be read by others than root (mode %04o)", o.Mode.Perm())
	}
	return nil
}

// ParseKey reads the one key statement of a text. Its errors quote nothing of the text,
// which may be a secret.
func ParseKey(text []byte) (Key, error) {
	words, err := namedconf.Words(string(text))
	if err != nil || len(words) < 4 || words[0] != "key" || words[2] != "{" {
		return Key{}, errors.New(`is not a key statement: key "NAME" { algorithm hmac-sha256; secret "…"; };`)
	}
	k := Key{Name: dns.CanonicalName(words[1])}
	rest := words[3:]
	for len(rest) > 2 && rest[0] != "}" {
		switch rest[0] {
		case "algorithm":
			k.Algorithm = dns.CanonicalName(rest[1])
		case "secret":
			k.secret = rest[1]
		}
		if rest[2] != ";" {
			return Key{}, errors.New("the key statement has a word too much, or lacks a semicolon")
		}
		rest = rest[3:]
	}
	if len(rest) > 2 {
		return Key{}, errors.New("there is more than one key statement")
	}
	return k, k.check()
}

func (k Key) check() error {
	if _, ok := dns.IsDomainName(k.Name); !ok {
		return errors.New("the name of the key is no domain name")
	}
	switch k.Algorithm {
	case dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512:
	case "":
		return errors.New("the key has no algorithm")
	default:
		return errors.New("the key's algorithm is not hmac-sha256 or one of its kin") // whatever stands there
	}
	if b, err := base64.StdEncoding.DecodeString(k.secret); err != nil || len(b) == 0 {
		return errors.New("the key's secret is not base64")
	}
	return nil
}
