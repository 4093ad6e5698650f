package facts

// ZoneNames are the names whose zones are looked at.
func (r Request) ZoneNames() []string { return r.zoneNames() }
