package state

// Exim is Debian's exim4 as it was found: update-exim4.conf(8).
type Exim struct {
	Version string
	// Type is dc_eximconfig_configtype: internet, smarthost, satellite, local or none.
	Type      string
	Smarthost string // dc_smarthost: where all mail goes, "" for to where it belongs
	Split     bool   // the configuration is made of the files below conf.d
	// Whole is a configuration that Exim reads in place of the generated one, "" for none.
	Whole Path
	// Files are those of which the configuration is made.
	Files []Path
	// Signs are the places, file:line, at which an administrator has set up DKIM.
	Signs []string
	// Local are the domains of dc_other_hostnames, whose mail Exim delivers here.
	Local []string
	// Interfaces is dc_local_interfaces, "" for all.
	Interfaces string
	SPF        bool // the daemon can check SPF: exim4-daemon-heavy
}
