package detect

import (
	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/signer"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/detect/zones"
	"mailsetup/internal/spfcheck"
)

// The old names of what has moved, until all callers use the new ones.
type (
	Options  = source.Options
	KeyFile  = signer.KeyFile
	Mail     = postfix.Mail
	Wish     = zones.Wish
	SPFQuery = spfcheck.Query
)

var (
	Text       = source.Text
	Key        = signer.Key
	KeyText    = signer.KeyText
	Recipients = postfix.Recipients
	Updated    = zones.Updated
	Published  = zones.Published
	Covered    = zones.Covered
	SPF        = spfcheck.Evaluate
)
