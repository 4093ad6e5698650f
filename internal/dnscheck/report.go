package dnscheck

import (
	"cmp"

	"mailsetup/internal/dnsclient"
)

// DomainReport, ServerReport and RecordReport are a result as JSON.
type DomainReport struct {
	Domain   string         `json:"domain"`
	OK       bool           `json:"ok"`
	NoServer []RecordReport `json:"no_server,omitempty"` // records of which no server was found
	Servers  []ServerReport `json:"servers"`
}

// ServerReport is what one name server has.
type ServerReport struct {
	Name    string         `json:"name"`
	Address string         `json:"address,omitempty"`
	Zone    string         `json:"zone"`
	OK      bool           `json:"ok"`
	Status  string         `json:"status"`
	Found   string         `json:"found,omitempty"`
	Remedy  string         `json:"remedy,omitempty"`
	Records []RecordReport `json:"records"`
}

// RecordReport is one record on one name server.
type RecordReport struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Expected string   `json:"expected"`
	Status   string   `json:"status"`
	Found    string   `json:"found,omitempty"`
	Remedy   string   `json:"remedy,omitempty"`
	Seen     []string `json:"seen"`
}

// Report returns the result as JSON has it.
func (r Result) Report() DomainReport {
	d := DomainReport{Domain: r.Domain, OK: r.OK(), Servers: []ServerReport{}}
	for _, record := range r.NoServer {
		d.NoServer = append(d.NoServer, record.report())
	}
	for _, s := range r.Servers {
		server := ServerReport{
			Name: s.Name, Address: s.Address, Zone: s.Zone, OK: s.OK(),
			Status: status(s.ServerProblem.Fault), Found: s.ServerProblem.Text, Remedy: s.ServerProblem.Remedy, Records: []RecordReport{},
		}
		for _, record := range s.Records {
			server.Records = append(server.Records, record.report())
		}
		d.Servers = append(d.Servers, server)
	}
	return d
}

func (r RecordResult) report() RecordReport {
	report := RecordReport{
		Name: r.Record.Name, Type: r.Record.Type, Expected: r.Record.Value,
		Status: status(r.Fault), Found: r.Text, Remedy: r.Remedy, Seen: []string{},
	}
	for _, seen := range r.Seen {
		value := seen.Value
		if seen.Type != r.Record.Type {
			value = seen.Type + " " + value
		}
		report.Seen = append(report.Seen, value)
	}
	return report
}

func status(f dnsclient.Fault) string { return cmp.Or(string(f), "ok") }
