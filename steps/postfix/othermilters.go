package postfix

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/milters"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// OtherMilters returns the milters that Postfix asks beside ours, each once, with
// where it stands, whose mail it sees, and where it may be asked. What kind of
// program they are is not known here.
func OtherMilters(in step.Input) []state.Milter {
	p := in.Facts.Postfix
	if p == nil {
		return nil
	}
	o := milterCollector{in: in, l: newLists(in, "")}
	for i := range p.Services {
		s := &p.Services[i]
		daemon := postconf.Effective(p, s, "milter_macro_daemon_name")
		switch {
		case switchedOff(p, s):
		case s.Command == "smtpd":
			clients := []state.Client{{Kind: state.BySMTP, Daemon: daemon}}
			if postconf.Effective(p, s, "smtpd_sasl_auth_enable") == "yes" {
				clients = append(clients, state.Client{Kind: state.ByLogin, Daemon: daemon})
			}
			o.addList(s, "smtpd_milters", clients)
		case s.Command == "cleanup" && takesLocalMail(p, s):
			o.addList(s, "non_smtpd_milters", []state.Client{{Kind: state.BySendmail, Daemon: daemon}})
		}
	}
	return o.list
}

// milterCollector gathers the milters of all lists, each once.
type milterCollector struct {
	in   step.Input
	l    *milterLists
	list []state.Milter
}

// addList adds the milters of a list. The step of Postfix refuses a list that cannot be
// parsed.
func (o *milterCollector) addList(s *state.Service, name string, clients []state.Client) {
	places, err := o.l.expand(s, name)
	if err != nil {
		return
	}
	for _, at := range places {
		entries, _ := milters.Parse(o.l.text(at))
		for _, m := range entries {
			if o.l.ours.Is(m) || len(milters.References(m.String())) > 0 {
				continue
			}
			o.add(o.l.ours.Expand(m.Endpoint), placeName(at), clients)
		}
	}
}

// placeName names a list for messages.
func placeName(at listPlace) string {
	if at.service == nil {
		return at.name
	}
	return at.name + " of " + at.service.Name
}

func (o *milterCollector) add(endpoint, where string, clients []state.Client) {
	i := slices.IndexFunc(o.list, func(m state.Milter) bool { return m.Endpoint == endpoint })
	if i < 0 {
		i = len(o.list)
		o.list = append(o.list, state.Milter{Endpoint: endpoint, Addresses: o.addresses(endpoint)})
	}
	m := &o.list[i]
	if !slices.Contains(m.Lists, where) {
		m.Lists = append(m.Lists, where)
	}
	for _, c := range clients {
		if !slices.Contains(m.Clients, c) {
			m.Clients = append(m.Clients, c)
		}
	}
}

// addresses returns where an endpoint can be reached from outside the chroot: sockets,
// and ports of this machine. A path means another file in a chrooted service; the
// existing one of the two comes first.
func (o *milterCollector) addresses(endpoint string) []string {
	transport, address, _ := strings.Cut(endpoint, ":")
	switch strings.ToLower(transport) {
	case "unix", "local":
		below := string(o.l.ours.Queue) + "/" + strings.TrimPrefix(address, "/")
		if strings.HasPrefix(address, "/") {
			return []string{below, address}
		}
		return []string{below}
	case "inet":
		at := strings.LastIndexByte(address, ':')
		if at < 0 {
			return nil
		}
		host := strings.ToLower(strings.Trim(address[:at], "[]"))
		ip, err := netip.ParseAddr(host)
		local := postconf.IsLoopback(host) || err == nil && (ip.Unmap().IsLoopback() || slices.Contains(o.in.Facts.Addresses, ip.Unmap()))
		if local {
			return []string{address}
		}
	}
	return nil
}
