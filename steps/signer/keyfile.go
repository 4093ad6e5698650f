package signer

import (
	"strings"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// KeyDir is where Debian's opendkim package keeps private keys.
const KeyDir state.Path = "/etc/dkimkeys"

// KeyOwner owns the private keys: OpenDKIM refuses keys that others could read.
var KeyOwner = state.Owner{User: "opendkim", Group: "opendkim"}

// EximKeyDir has the private keys with which exim4 signs itself, and EximOwner owns them. The
// package opendkim gives KeyDir to its own user.
const EximKeyDir state.Path = "/etc/exim4/dkim"

var EximOwner = state.Owner{User: eximconf.User, Group: eximconf.User}

// KeyFileOf returns the private key of a domain's selector on a host.
func KeyFileOf(h spec.Host, domain, selector string) state.Path {
	if h.MTA == spec.Exim {
		return EximKeyDir.Join(domain, selector+".private")
	}
	return KeyFile(domain, selector)
}

// OwnerOf returns whom a private key has to belong to, by the directory of its file.
func OwnerOf(file state.Path) state.Owner {
	if strings.HasPrefix(string(file), string(EximKeyDir)+"/") {
		return EximOwner
	}
	return KeyOwner
}

// KeyFile returns the private key of a domain's selector: a new selector is a new
// file, because OpenDKIM reads key files at each message.
func KeyFile(domain, selector string) state.Path {
	return KeyDir.Join(domain, selector+".private")
}
