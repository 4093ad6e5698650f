package facts

// ZoneNames are the names whose zones are looked at.
func (r Request) ZoneNames() []string { return r.zoneNames() }

// OtherKeys looks for the keys of other senders of a domain.
var OtherKeys = otherKeys
