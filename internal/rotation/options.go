package rotation

import (
	"mailsetup/internal/domainlist"
	"mailsetup/internal/hint"
)

// Normalize refuses what makes no sense, and names the domains as DNS does. Root is the
// directory that stands for the machine, "" for none.
func (o *Options) Normalize(root string) error {
	l := domainlist.List{}
	for _, given := range o.Domains {
		l.Add(given, "DOMAIN")
	}
	if err := l.Findings.Err(); err != nil {
		return err
	}
	o.Domains = l.Names
	switch {
	case o.Compromised && len(o.Domains) == 0:
		return hint.NewUsage("name the domains whose keys others may have", "--compromised needs a domain")
	case o.All && len(o.Domains) > 0:
		return hint.NewUsage("leave one of them out", "--all and domains do not go together")
	case o.All && !o.Force:
		return hint.NewUsage("add --now", "--all goes with --now")
	case (o.Force || o.Compromised) && root != "":
		return hint.NewUsage("run it on the machine itself", "--root is about a directory, where nothing signs")
	}
	return nil
}
