package nsupdate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/miekg/dns"
)

// verifyTSIG returns an error unless the reply is signed with our key. Invalid is what
// the library found wrong with the signature.
func (c *conn) verifyTSIG(r *dns.Msg, invalid error) error {
	t := r.IsTsig()
	switch {
	case t != nil && t.Error != dns.RcodeSuccess:
		return c.tsigError(t, invalid)
	case t == nil && r.Rcode != dns.RcodeSuccess:
		e := c.refusal(r.Rcode)
		if r.Rcode == dns.RcodeNotAuth { // what PowerDNS and Knot say of a signature that they do not accept
			e.Text = fmt.Sprintf("does not accept what the key %s signed, or is not the primary of the zone (NOTAUTH)", c.key)
			e.Hint = keyHint + "; --rfc2136-server names the primary"
		}
		e.Text, e.untouched = e.Text+" (the reply is not signed)", false
		return e
	case errors.Is(invalid, dns.ErrAuth): // a NOTAUTH, whose signature the library does not look at
		e := c.refusal(r.Rcode)
		e.untouched = false
		return e
	case t == nil:
		return &ServerError{
			Server: c.server, Text: "its reply is not signed, so that anybody may have sent it",
			Hint: "a forwarder or firewall between here and the server may take the signature off",
		}
	case invalid != nil:
		return &ServerError{
			Server: c.server, Text: "the signature of its reply does not verify: " + invalid.Error(), err: invalid,
			Hint: "the key " + c.key.String() + " must be the same on both sides",
		}
	}
	return nil
}

// keyHint is the hint for a key that is not accepted. Knot also answers BADKEY for a
// key that it knows, if no access rule lets that key do what was asked.
const keyHint = "name, algorithm and secret in the key file must be those of a key on the server, which must let it change the zone"

// tsigError explains why the server did not accept our signature (RFC 8945
// section 5.2). Such a reply proves nothing, signed or not: the library does not
// look at the signature of a NOTAUTH.
func (c *conn) tsigError(t *dns.TSIG, invalid error) error {
	e := &ServerError{Server: c.server, err: invalid}
	key := c.key.String()
	switch t.Error {
	case dns.RcodeBadKey:
		e.Text = fmt.Sprintf("does not know the key %s (BADKEY)", key)
		e.Hint = keyHint
	case dns.RcodeBadSig:
		e.Text = fmt.Sprintf("has another secret under the name %s (BADSIG)", key)
		e.Hint = "copy the key statement from the server's configuration once more"
	case dns.RcodeBadTime:
		e.Text = "finds that the clocks differ too much (BADTIME)" + clockSkew(t)
		e.Hint = "set the clock, here or there: timedatectl shows whether it is synchronised"
	default:
		e.Text = fmt.Sprintf("does not accept the signature (%s)", dns.RcodeToString[int(t.Error)])
		e.Hint = "the key statement must be the same on both sides"
	}
	return e
}

// clockSkew says by how much the clocks differ: a server that answers BADTIME puts its
// own time into the reply.
func clockSkew(t *dns.TSIG) string {
	b, err := hex.DecodeString(t.OtherData)
	if err != nil || len(b) != 6 {
		return ""
	}
	n, err := strconv.ParseInt(t.OtherData, 16, 64)
	if err != nil {
		return ""
	}
	d := time.Until(time.Unix(n, 0)).Round(time.Second)
	if d < 0 {
		return fmt.Sprintf(": it is %v behind this machine", -d)
	}
	return fmt.Sprintf(": it is %v ahead of this machine", d)
}
