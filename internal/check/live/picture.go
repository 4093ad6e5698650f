package live

import (
	"cmp"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/livepath"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postconf"
)

// picture draws the way of a message.
func (j *judgement) picture(name string, s sender, arrived []livepath.Delivery, v verdict) {
	entry := map[string]string{"sendmail": "sendmail(1)", "smtp": "smtpd(8), port 25", "bounce": "bounce(8)", "submission": "smtpd(8), for users"}[name]
	m := finding.Message{Domain: s.domain, Way: name}
	stations := []string{entry, "OpenDKIM"}
	for _, f := range postconf.ContentFilters(j.s.Facts.Postfix) {
		stations = append(stations, "content filter "+f.Value)
	}
	by := ""
	for _, d := range arrived {
		if d.Transport != "" {
			by = cmp.Or(by, d.Transport)
		}
	}
	transport := strings.TrimSpace("transport " + by)
	stations = append(stations, transport, "sink", "DNS")
	at := v.station
	if strings.HasPrefix(at, "transport ") {
		at = transport
	}
	if at == "Postfix" {
		at = entry
	}
	gone := false
	for _, station := range stations {
		t := finding.Station{Name: station, Severity: finding.OK}
		switch {
		case gone:
			t.Severity = finding.Unknown
		case !v.ok() && station == at:
			t.Severity, t.Text = v.severity, cut(v.seen)
			gone = true
		case station == entry:
			t.Text = "from " + s.want.From
		case station == "OpenDKIM":
			t.Text = "signs it with " + keyName(s.want)
		case station == "sink":
			t.Text = "on this machine, " + route.Host
		case station == "DNS" && j.dns == nil:
			t.Severity, t.Text = finding.Unknown, "was not asked"
		case station == "DNS":
			t.Text = "the signature holds with the published key"
		}
		m.Stations = append(m.Stations, t)
	}
	j.res.Messages = append(j.res.Messages, m)
}
