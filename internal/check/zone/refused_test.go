package zone_test

import (
	"fmt"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/zone"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// DNS leads mail here, and Postfix refuses it: nobody who sends sees a record that is
// wrong.
func TestMailThatPostfixRefuses(t *testing.T) {
	const mx = "lab.example. 60 IN MX"
	refuses := state.MailDomain{Class: state.ClassDefault}
	main := map[string]string{"mydestination": "$myhostname, localhost"}
	const command = "postconf -e 'mydestination = $myhostname, localhost, lab.example' && systemctl reload postfix"
	for _, c := range []struct {
		name    string
		records []string
		is      map[string]state.MailDomain
		value   map[string]string // of Postfix
		others  int               // other domains that are refused
		remedy  string            // "" for no problem
	}{
		{"refused", child(), map[string]state.MailDomain{"lab.example": refuses}, nil, 0, command},
		{"refused at its own address", without(child(), mx, "lab.example. 60 IN A 192.0.2.10"), map[string]state.MailDomain{"lab.example": refuses}, nil, 0, command},
		{
			"several", child(),
			map[string]state.MailDomain{"lab.example": refuses},
			nil, 2,
			"postconf -e 'mydestination = $myhostname, localhost, lab.example, d0.example, d1.example' && systemctl reload postfix",
		},
		{"many", child(), map[string]state.MailDomain{"lab.example": refuses}, nil, 5, "add each of them to mydestination or virtual_mailbox_domains"},
		{
			"virtual domains", child(),
			map[string]state.MailDomain{"lab.example": refuses},
			map[string]string{"virtual_mailbox_domains": "hash:/etc/postfix/vd"},
			0,
			"add it to virtual_mailbox_domains (hash:/etc/postfix/vd)",
		},
		{"taken", child(), map[string]state.MailDomain{"lab.example": {Class: state.ClassLocal}}, nil, 0, ""},
		{"not known", child(), map[string]state.MailDomain{"lab.example": {Unknown: "down"}}, nil, 0, ""},
		{"not asked", child(), nil, nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, d := server(), domain()
			s.Facts.Postfix, s.Facts.MailDomains = &state.Postfix{Raw: main, Value: c.value}, c.is
			s.Spec.Domains = []spec.Domain{*d.Wanted}
			for i := range c.others {
				other := spec.Domain{Name: fmt.Sprintf("d%d.example", i), Receive: true}
				s.Spec.Domains, s.Facts.MailDomains[other.Name] = append(s.Spec.Domains, other), refuses
			}
			remedy := ""
			for _, f := range zone.New(serving(t, c.records).client(t)).Check(t.Context(), s, d).Findings {
				if f.ID != "mx.ours" || f.Severity != finding.Problem {
					continue
				}
				if remedy = f.Remedy.String(); f.Seen != "Postfix refuses its mail: it is no destination here (Relay access denied)" {
					t.Error(f.Seen)
				}
			}
			if remedy != c.remedy {
				t.Errorf("%q, want %q", remedy, c.remedy)
			}
		})
	}
}
