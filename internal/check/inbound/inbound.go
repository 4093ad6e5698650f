// Package inbound checks what incoming mail meets at the door of this server: SPF, DMARC
// and block lists, as Postfix and the daemons here are set up, whoever did that, and as exim4 is
// for host.toml.
package inbound

import (
	"context"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/postconf"
	"mailsetup/internal/postmap"
	"mailsetup/internal/resolvconf"
	"mailsetup/internal/restrictions"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Machine is the part of a machine that the checks need.
type Machine interface {
	system.Reader
	system.Runner
	system.Units
}

// Check looks at the door. Without a client, no list is asked. Of an image only files are
// there: running is false.
func Check(ctx context.Context, m Machine, dns *dnsclient.Client, s subject.Server, running bool) finding.Result {
	p := s.Facts.Postfix
	c := &checker{m: m, dns: dns, s: s, p: p, running: running}
	if p == nil {
		eximDoor{c}.check(ctx)
		return c.res
	}
	for _, service := range postconf.PublicServices(p) {
		c.doors = append(c.doors, c.door(service))
	}
	if len(c.doors) == 0 {
		return finding.Result{}
	}
	door := spfDoor{c}
	door.policyServers(ctx)
	door.places()
	door.spfSettings()
	dmarcDoor{c}.milters(ctx)
	rspamdDoor{dmarcDoor{c}}.check(ctx)
	blockLists{c}.check(ctx)
	c.chroot()
	journal{c}.check(ctx)
	forwarding{c, &postmap.Tables{Run: m}}.check(ctx)
	return c.res
}

// checker is one run of Check.
type checker struct {
	m       Machine
	dns     *dnsclient.Client // nil: DNS is not asked
	s       subject.Server
	p       *state.Postfix
	running bool
	doors   []door
	res     finding.Result
}

// door is a service by which mail of strangers comes in, with its lists of restrictions in
// the order in which they are asked.
type door struct {
	service *state.Service
	lists   []list
}

// list is a list of restrictions, classes written out.
type list struct {
	name  string
	words []restrictions.Restriction
}

// asked are the lists of postconf(5), in the order in which smtpd(8) asks them.
var asked = []string{
	"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", restrictions.RelayList, restrictions.RecipientList,
	"smtpd_data_restrictions", "smtpd_end_of_data_restrictions",
}

func (c *checker) door(s *state.Service) door {
	d := door{service: s}
	for _, name := range asked {
		if words := c.words(s, name, 0); len(words) > 0 {
			d.lists = append(d.lists, list{name, words})
		}
	}
	return d
}

// words returns the restrictions of a list. One that is not understood has none: its
// faults are Postfix's to tell.
func (c *checker) words(s *state.Service, name string, depth int) []restrictions.Restriction {
	const deepest = 5
	parsed, err := restrictions.Parse(postconf.Effective(c.p, s, name))
	if err != nil || depth > deepest {
		return nil
	}
	classes := postconf.Words(strings.ToLower(postconf.Effective(c.p, s, "smtpd_restriction_classes")))
	var all []restrictions.Restriction
	for _, r := range parsed {
		if slices.Contains(classes, r.Name) {
			all = append(all, c.words(s, r.Name, depth+1)...)
			continue
		}
		all = append(all, r)
	}
	return all
}

// add adds a finding, once.
func (c *checker) add(f finding.Finding) {
	same := func(o finding.Finding) bool { return o.ID == f.ID && o.Subject == f.Subject }
	if !slices.ContainsFunc(c.res.Findings, same) {
		f.Seen = finding.Excerpt(f.Seen)
		c.res.Findings = append(c.res.Findings, f)
	}
}

// text returns a file, nil if it cannot be read.
func (c *checker) text(p state.Path) []byte {
	text, err := source.Text(c.m, p)
	if err != nil {
		return nil
	}
	return text
}

// wanted reports whether host.toml wants SPF, DMARC or block lists to be looked at here.
func (c *checker) wanted() bool { return c.s.SetUp && c.s.Spec.Host.Inbound.On() }

// chroot checks the copy of resolv.conf that chrooted services of Postfix read: it is made
// when Postfix starts.
func (c *checker) chroot() {
	if !c.running {
		return
	}
	at := c.p.QueueDirectory.Join("etc", "resolv.conf")
	copied, own := c.text(at), c.text("/etc/resolv.conf")
	if copied == nil || own == nil || !c.chrooted() {
		return
	}
	f := finding.Finding{ID: "in.resolver", Severity: finding.OK, Subject: string(at), Seen: "names the resolvers of /etc/resolv.conf", Source: "postconf(5), queue_directory"}
	if !resolvconf.Same(copied, own) {
		f.Severity, f.Seen = finding.Warning, "names other resolvers than /etc/resolv.conf: what Postfix runs in its chroot asks those, about block lists and senders"
		f.Expected, f.Remedy = "the resolvers of /etc/resolv.conf", finding.Command("systemctl restart postfix")
	}
	c.add(f)
}
