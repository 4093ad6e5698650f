package subject

import (
	"slices"
	"strings"

	"mailsetup/internal/recipient"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
)

// MailDomains returns the domains of a Postfix that mailsetup has not set up, sorted:
// those that it has mailboxes or aliases for, and that of mail which programs here
// write, as far as they look public. Its own name counts where nothing else does.
func MailDomains(p *state.Postfix) []string {
	if p == nil {
		return nil
	}
	names := append([]string{p.Value["myorigin"]}, p.Listed...)
	for _, parameter := range []string{"mydestination", "virtual_mailbox_domains", "virtual_alias_domains"} {
		names = append(names, recipient.Elements(p.Value[parameter])...)
	}
	own, _ := publicName(p.Value["myhostname"])
	var list []string
	for _, n := range names {
		if name, ok := publicName(n); ok && name != own && !strings.HasPrefix(name, "localhost.") {
			list = append(list, name)
		}
	}
	for _, n := range []string{p.Value["mydomain"], own} {
		if name, ok := publicName(n); ok && len(list) == 0 {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// publicName returns a name as DNS has it, if the world can have it.
func publicName(s string) (string, bool) {
	if strings.ContainsAny(s, ":/!@*{$") {
		return "", false
	}
	name, err := syntax.DomainName(s)
	if err != nil || strings.HasSuffix(name, ".lan") || strings.HasSuffix(name, ".internal") || strings.HasSuffix(name, ".home.arpa") {
		return "", false
	}
	return name, true
}
