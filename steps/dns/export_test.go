package dns

// What tests from outside need.
const NamedConf = namedConf

var RecordsToRemove = recordsToRemove

var WriteZoneFiles = zoneFiles
