package steps

import (
	"net/netip"

	"mailsetup/internal/state"
)

// SignerConf returns the opendkim.conf of a machine whose spec says nothing of it.
func SignerConf(f state.Facts) ([]byte, error) { return signerConf(Input{Facts: f}) }

// TrustedNetworks returns the networks that are signed for whatever the spec says.
func TrustedNetworks(f state.Facts) []netip.Prefix { return trusted(Input{Facts: f}) }
