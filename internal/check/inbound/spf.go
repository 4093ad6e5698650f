package inbound

import (
	"fmt"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/policydspf"
	"mailsetup/internal/state"
)

// spf returns the configuration of policyd-spf; defaults where there is none.
func (c *checker) spf() policydspf.Conf {
	conf, _ := policydspf.Parse(string(c.text(policydspf.File)))
	return conf
}

// spfRefuses reports whether policyd-spf refuses mail that fails.
func (c spfDoor) spfRefuses() bool {
	refuses := func(key string) bool {
		v := c.spf().Value(key)
		return v == "Fail" || v == "Softfail" || v == "SPF_Not_Pass" || v == "Null"
	}
	return (refuses(policydspf.HELOReject) || refuses(policydspf.SenderReject)) && c.spf().Value(policydspf.TestOnly) != "0"
}

// spfSettings checks the values of policyd-spf, which does not.
func (c spfDoor) spfSettings() {
	if !c.usesSPF() {
		return
	}
	o, err := c.m.Stat(policydspf.File)
	if err != nil || o.Kind != state.Absent && c.text(policydspf.File) == nil {
		return // not to be read
	}
	conf, faults := policydspf.Parse(string(c.text(policydspf.File)))
	for _, fault := range faults {
		f := finding.Finding{
			ID: "in.policyd", Severity: finding.Warning, Subject: fmt.Sprintf("%s:%d", policydspf.File, fault.Line), Seen: fault.Text,
			Expected: "values as policyd-spf.conf(5) writes them", Remedy: finding.Text(fault.Hint),
		}
		if fault.Fatal {
			f.Severity = finding.Problem
		}
		c.add(f)
	}
	if conf.Value(policydspf.TestOnly) == "0" {
		c.add(finding.Finding{
			ID: "in.policyd", Severity: finding.Warning, Subject: fmt.Sprintf("%s:%d", policydspf.File, conf.Line(policydspf.TestOnly)),
			Seen: "TestOnly = 0: mail that fails SPF gets no header, and nobody sees it", Expected: "TestOnly = 1",
			Remedy: finding.Text("to mark mail and refuse none: TestOnly = 1, HELO_reject = False, Mail_From_reject = False in " + string(policydspf.File)),
		})
	}
	if len(faults) == 0 && conf.Value(policydspf.TestOnly) != "0" {
		c.add(finding.Finding{ID: "in.policyd", Severity: finding.OK, Subject: string(policydspf.File), Seen: "each value is one that policyd-spf knows"})
	}
}
