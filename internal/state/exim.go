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
	// Signs are the places, file:line, at which an administrator has set up DKIM, and Hand is
	// what they say, nil if there are none or if it is not understood.
	Signs []string
	Hand  *EximDKIM
	// Breaks says of such places what makes signatures break, or mail leave without one.
	Breaks []EximFault
	// Ignored has settings that Exim does not read, since the configuration is split; "" for none.
	Ignored Path
	// Local are the domains of dc_other_hostnames, whose mail Exim delivers here.
	Local []string
	// Interfaces is dc_local_interfaces, "" for all.
	Interfaces string
	SPF        bool // the daemon can check SPF: exim4-daemon-heavy
	// Checks are macros of an administrator's by which Debian's ACL checks incoming mail, by
	// name; none of ours.
	Checks map[string]EximMacro
}

// EximMacro is a macro of Exim's configuration.
type EximMacro struct {
	Value string
	At    string // the place, file:line
	// Includes: the value names a file that includes ours (eximconf.Checks).
	Includes bool
}

// EximDKIM is DKIM that an administrator has set up for exim4.
type EximDKIM struct {
	Domain   string // d= of all mail, "" for the domain in From
	Selector string
	// Where private keys are: one for all mail, or a table of lsearch, or the files of a
	// directory that have the name of the domain and a suffix.
	Key, Table, Directory Path
	Suffix                string
	At                    string // the place, file:line, of the private key
}

// EximFault is a setting for DKIM with what is wrong with it.
type EximFault struct {
	At, Text string // the place, file:line
}
