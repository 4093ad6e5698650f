package dnscheck

import (
	"cmp"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/jsondoc"
)

// Data returns the result as data: the domain with this look at it.
func (r Result) Data() jsondoc.Domain {
	look := &jsondoc.Look{OK: r.OK(), Servers: []jsondoc.Server{}}
	for _, record := range r.NoServer {
		look.NoServer = append(look.NoServer, record.data())
	}
	for _, s := range r.Servers {
		server := jsondoc.Server{
			Name: s.Name, Address: s.Address, Zone: s.Zone, OK: s.OK(),
			Status: status(s.ServerProblem.Fault), Found: s.ServerProblem.Text, Remedy: s.ServerProblem.Remedy,
		}
		for _, record := range s.Records {
			server.Records = append(server.Records, record.data())
		}
		look.Servers = append(look.Servers, server)
	}
	return jsondoc.Domain{Domain: r.Domain, Checked: look}
}

func (r RecordResult) data() jsondoc.Record {
	d := jsondoc.RecordOf(r.Record)
	d.Status, d.Found, d.Remedy = status(r.Fault), r.Text, r.Remedy
	for _, seen := range r.Seen {
		value := seen.Value
		if seen.Type != r.Record.Type {
			value = seen.Type + " " + value
		}
		d.Seen = append(d.Seen, value)
	}
	return d
}

func status(f dnsclient.Fault) string { return cmp.Or(string(f), "ok") }
