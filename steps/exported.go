package steps

import (
	"net/netip"

	"mailsetup/internal/state"
)

// SignerConf returns the opendkim.conf of a machine whose spec says nothing of it.
func SignerConf(f state.Facts) ([]byte, error) { return signerConf(Input{Facts: f}) }

// TrustedNetworks returns the networks that are signed for whatever the spec says.
func TrustedNetworks(f state.Facts) []netip.Prefix { return trusted(Input{Facts: f}) }

// OpenAll is what the spec says where an SPF record lets everybody pass: it has no
// word for that.
const OpenAll = openAll

// WithoutSizeLimit returns a report URI without the limit that DMARC allows behind
// it, RFC 7489 section 6.4.
func WithoutSizeLimit(uri string) string { return withoutLimit(uri) }
