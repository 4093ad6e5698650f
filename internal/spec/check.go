package spec

// Check finds what is wrong with the given answers alone: nothing is missing yet.
func (a Answers) Check() Findings {
	var f findingList
	setField(&f, "--domain", a.Domain, new(string), DomainName)
	a.host(&f, &Host{})
	a.domain(&f, &Domain{}, false)
	a.consents(&f, &Spec{})
	return f.findings
}

// Has reports whether the spec has a domain, given as a person types it; "" is the
// primary one.
func (s *Spec) Has(domain string) bool { return s.domain(domain) != nil }
