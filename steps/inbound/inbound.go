// Package inbound says what incoming mail meets at the door: SPF, DMARC and block lists,
// as the table [inbound] of host.toml wants it.
package inbound

import (
	"slices"

	"mailsetup/internal/opendmarc"
	"mailsetup/internal/policydspf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// SPFPackage and DMARCPackage are the Debian packages of what checks SPF and DMARC.
const (
	SPFPackage   = "postfix-policyd-spf-python"
	DMARCPackage = "opendmarc"
)

// Files are the configuration files whose contents the steps look at.
func Files() []state.Path {
	return slices.Concat([]state.Path{
		postconf.MainCF, postconf.MasterCF, policydspf.File, opendmarc.ConfFile, opendmarc.Suffixes, dmarcOverride,
	}, allowFiles, rspamdFiles())
}

// Packages returns the Debian packages that the policy needs.
func Packages(in step.Input) []state.Package {
	var want []state.Package
	if in.Spec.Host.Inbound.SPF != "" && !guardedByRspamd(in) {
		want = append(want, state.Package{Name: SPFPackage, Why: "checks SPF of incoming mail"})
	}
	if in.Spec.Host.Inbound.DMARC != "" && !guardedByRspamd(in) {
		want = append(want, state.Package{Name: DMARCPackage, Why: "checks DMARC of incoming mail"})
	}
	return want
}
