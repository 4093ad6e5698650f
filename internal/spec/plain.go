package spec

import "mailsetup/internal/tomltext"

// valueOf returns the place for the value of a key, nil if there is no such key.
func (raw *domainText) valueOf(path string) any {
	switch path {
	case "spf", "dmarc", "rfc2136":
		return tomltext.Table{}
	case "domain":
		return &raw.Domain
	case "selector":
		return &raw.Selector
	case "key_bits":
		return &raw.KeyBits
	case "receive":
		return &raw.Receive
	case "role":
		return &raw.Role
	case "ttl":
		return &raw.TTL
	case "new_zone":
		return &raw.NewZone
	case "ns":
		return &raw.NS
	case "keep":
		return &raw.Keep
	case "wildcard_records":
		return &raw.Wildcard
	case "dns":
		return &raw.DNS
	case "subdomains":
		return &raw.Subdomains
	case "also":
		return &raw.Also
	case "repair":
		return &raw.Repair
	case "partial":
		return &raw.Partial
	case "identities":
		return &raw.Identities
	case "signed_by":
		return &raw.SignedBy
	case "spf.all":
		return &raw.SPF.All
	case "spf.include":
		return &raw.SPF.Include
	case "spf.redirect":
		return &raw.SPF.Redirect
	case "rfc2136.server":
		return &raw.Update.Server
	case "rfc2136.key_file":
		return &raw.Update.KeyFile
	case "drain":
		return &raw.Drain
	case "rotate_every":
		return &raw.RotateEvery
	case "lag":
		return &raw.Lag
	case "revoke":
		return &raw.Revoke
	case "dmarc.policy":
		return &raw.DMARC.Policy
	case "dmarc.subdomain_policy":
		return &raw.DMARC.SubdomainPolicy
	case "dmarc.adkim":
		return &raw.DMARC.ADKIM
	case "dmarc.aspf":
		return &raw.DMARC.ASPF
	case "dmarc.rua":
		return &raw.DMARC.RUA
	case "dmarc.ruf":
		return &raw.DMARC.RUF
	}
	return nil
}
