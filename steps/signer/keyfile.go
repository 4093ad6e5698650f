package signer

import (
	"mailsetup/internal/state"
)

// KeyDir is where Debian's opendkim package keeps private keys.
const KeyDir state.Path = "/etc/dkimkeys"

// KeyOwner owns the private keys: OpenDKIM refuses keys that others could read.
var KeyOwner = state.Owner{User: "opendkim", Group: "opendkim"}

// KeyFile returns the private key of a domain's selector: a new selector is a new
// file, because OpenDKIM reads key files at each message.
func KeyFile(domain, selector string) state.Path {
	return KeyDir.Join(domain, selector+".private")
}
