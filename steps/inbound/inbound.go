// Package inbound says what incoming mail meets at the door: SPF, DMARC and block lists,
// as the table [inbound] of host.toml wants it.
package inbound

import (
	"slices"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/opendmarc"
	"mailsetup/internal/policydspf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
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
	return append([]state.Path{
		postconf.MainCF, postconf.MasterCF, policydspf.File, opendmarc.ConfFile, opendmarc.Suffixes, dmarcOverride, state.StartedFile,
		eximconf.Checks, eximconf.ChecksFile, eximconf.MacrosFile,
	}, allowFiles...)
}

// checkConfFile refuses an edit of a package's configuration that somebody removed: a
// reinstallation does not bring it back by itself.
func checkConfFile(in step.Input, pkg string, file state.Path) error {
	if _, there := in.Facts.Files[file]; there || !in.Facts.Installed[pkg] {
		return nil
	}
	return step.Refuse("apt-get install --reinstall -o Dpkg::Options::=--force-confmiss "+pkg, "%s is not there, though %s is installed", file, pkg)
}

// dbconfigPackages are the answers to where a package has its database. Opendmarc needs the
// first, or the second, which apt would bring together with a client of MariaDB. The first
// drives out all others.
var dbconfigPackages = []string{"dbconfig-no-thanks", "dbconfig-mysql", "dbconfig-pgsql", "dbconfig-sqlite", "dbconfig-sqlite3"}

// Packages returns the Debian packages that the policy needs, beside that of the mail server.
func Packages(in step.Input) []state.Package {
	if in.Spec.Host.MTA == spec.Exim {
		return nil
	}
	var want []state.Package
	if in.Spec.Host.Inbound.SPF != "" && !guardedByRspamd(in) {
		want = append(want, state.Package{Name: SPFPackage, Why: "checks SPF of incoming mail"})
	}
	if in.Spec.Host.Inbound.DMARC != "" && !guardedByRspamd(in) {
		want = append(want, state.Package{Name: DMARCPackage, Why: "checks DMARC of incoming mail"})
		if !in.Facts.Installed[DMARCPackage] && !slices.ContainsFunc(dbconfigPackages, func(name string) bool { return in.Facts.Installed[name] }) {
			want = append(want, state.Package{Name: dbconfigPackages[0], Why: "opendmarc needs no database"})
		}
	}
	return want
}
