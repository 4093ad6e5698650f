// Package inbound says what incoming mail meets at the door: SPF, DMARC and block lists,
// as the table [inbound] of host.toml wants it.
package inbound

import (
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
	return append([]state.Path{postconf.MainCF, postconf.MasterCF, policydspf.File, "/etc/opendmarc.conf"}, allowFiles...)
}

// Packages returns the Debian packages that the policy needs.
func Packages(in step.Input) []state.Package {
	var want []state.Package
	if in.Spec.Host.Inbound.SPF != "" {
		want = append(want, state.Package{Name: SPFPackage, Why: "checks SPF of incoming mail"})
	}
	if in.Spec.Host.Inbound.DMARC != "" {
		want = append(want, state.Package{Name: DMARCPackage, Why: "checks DMARC of incoming mail"})
	}
	return want
}

// notYet refuses a check that no step makes.
func notYet(key, off string) error {
	return step.Refuse("mailsetup inbound --"+key+" "+off, "[inbound] of /etc/mailsetup/host.toml: %s is not made by this version", key)
}
