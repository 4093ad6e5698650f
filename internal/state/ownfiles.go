package state

// Where mailsetup keeps what it must remember, readable by root alone. Nothing
// else spells this directory out.
const (
	OwnDir       Path = "/var/lib/mailsetup"
	JournalDir        = OwnDir + "/journal"     // of runs, and how to undo them
	LedgerDir         = OwnDir + "/keyring"     // a file for each domain: its keys
	PublishedDir      = OwnDir + "/dns-updates" // a file for each zone that takes updates: our records in it
	ChecksDir         = OwnDir + "/dns-checks"  // a file for each domain: the last look at its records in DNS
	OriginDir         = JournalDir + "/origin"  // a file for each path of the host that was changed: how it was before; long contents by their hash
	CacheDir          = OwnDir + "/cache"       // what files said

	SpecCache   = CacheDir + "/domains" // of the administrator for each domain
	LedgerCache = CacheDir + "/ledgers" // of the keys of each domain
	NamedCache  = CacheDir + "/named"   // what named-checkconf printed

	WrittenFile      = OwnDir + "/written.json"         // hashes of the files that mailsetup wrote
	OwnersFile       = OwnDir + "/owners.json"          // of a directory: the owners that its files should have
	ElapsedFile      = OwnDir + "/key-times.json"       // how long keys have been in their stages
	UnchangedFile    = OwnDir + "/unchanged"            // fingerprints of domains that were as they should be
	WatchFile        = OwnDir + "/watched.json"         // which domains' records were looked at when
	CheckFile        = OwnDir + "/check.json"           // what the last check found
	FailureMailFile  = OwnDir + "/last-failure-mail"    // when a failure was mailed last
	UnsignedFile     = OwnDir + "/unsigned"             // why mail leaves unsigned, as it was last told
	FreshPostfixFile = OwnDir + "/postfix-as-installed" // the hash of main.cf after its package was installed
	StartedFile      = OwnDir + "/started"              // units that run for incoming mail, see StartedUnits
	ProbeFile        = OwnDir + "/probing"              // the nonce of test messages that may be queued
)
