package inbound

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/mastercf"
	"mailsetup/internal/milters"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/postconf"
	"mailsetup/internal/probe"
	"mailsetup/internal/process"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// dmarcDoor checks OpenDMARC.
type dmarcDoor struct{ *checker }

// dmarcUnit and dmarcConf are those of OpenDMARC.
const (
	dmarcUnit            = "opendmarc.service"
	dmarcConf state.Path = "/etc/opendmarc.conf"
	restart              = "systemctl restart opendmarc"
)

// miltersOf returns the milters that see mail of a door.
func (c *checker) miltersOf(s *state.Service) []milters.Milter {
	list, err := milters.Parse(postconf.Effective(c.p, s, "smtpd_milters"))
	if err != nil || postconf.Has(postconf.Effective(c.p, s, "receive_override_options"), "no_milters") {
		return nil
	}
	return list
}

// action is what Postfix does with mail while a milter does not answer.
func (c *checker) action(s *state.Service, m milters.Milter) string {
	for _, o := range m.Options {
		if o.Name == "default_action" {
			return o.Value
		}
	}
	return postconf.Effective(c.p, s, "milter_default_action")
}

// milters checks OpenDMARC where the door asks it.
func (c dmarcDoor) milters(ctx context.Context) {
	used := false
	for _, d := range c.doors {
		list := c.miltersOf(d.service)
		i := slices.IndexFunc(list, milters.IsOpenDMARC)
		if i < 0 {
			continue
		}
		if used = true; c.running {
			c.answers(ctx, d, list[i], openDMARC)
		}
		c.order(d, list, i)
	}
	if !used {
		return
	}
	conf, err := c.settings(dmarcConf)
	if err != nil {
		return
	}
	c.judges(conf)
	if c.running {
		c.stale(ctx, conf)
	}
}

// judge is a milter that judges incoming mail.
type judge struct{ name, unit, source, socket string }

var (
	openDMARC = judge{"OpenDMARC", dmarcUnit, "opendmarc(8)", "Socket in /etc/opendmarc.conf has to be where Postfix reaches it (inet:8893@localhost is), then:"}
	rspamd    = judge{"rspamd", "rspamd.service", "https://docs.rspamd.com/workers/rspamd_proxy", "bind_socket in /etc/rspamd/local.d/worker-proxy.inc has to be where Postfix reaches it (localhost:11332 is), then:"}
)

// answers checks that such a milter runs, and that Postfix reaches it.
func (c dmarcDoor) answers(ctx context.Context, d door, m milters.Milter, j judge) {
	f := finding.Finding{ID: "in.service", Severity: finding.OK, Subject: m.Endpoint, Seen: j.name + " runs, and Postfix reaches it", Source: j.source}
	why, short := "", strings.TrimSuffix(j.unit, ".service")
	is, known := c.s.Facts.Daemons[j.unit]
	switch {
	case known && is.Masked:
		why, f.Remedy = "its unit is masked", finding.Command("systemctl unmask %s && systemctl enable --now %s", short, short)
	case known && !is.Running:
		why, f.Remedy = "it does not run", finding.Command("systemctl start %s", short).Text("if it ends again:").Command("journalctl -u %s -n 20", short)
	case c.s.Unprivileged:
		return
	default:
		address, err := c.reach(d, m.Endpoint)
		there, sure := true, false
		if host := postconf.Host(address); host == "localhost" || strings.HasPrefix(host, "127.") {
			there, sure = spfDoor(c).listens(ctx, address[strings.LastIndexByte(address, ':')+1:])
		}
		switch {
		case errors.Is(err, probe.ErrNotTried):
			return
		case err != nil:
			why = fmt.Sprintf("the user postfix cannot connect to %s: %v", address, err)
			f.Remedy = finding.Command("ls -ld %s", path.Dir(address)).Text(j.socket).Command("systemctl restart %s", short)
		case sure && !there:
			why, f.Remedy = "nothing listens at "+address, finding.Text(j.socket).Command("systemctl restart %s", short)
		}
	}
	if why != "" {
		f.Expected = j.name + " answers there"
		switch action := c.action(d.service, m); action {
		case "accept":
			f.Severity, f.Seen = finding.Warning, j.name+": "+why+": mail comes in unjudged (default_action = accept)"
		case "reject":
			f.Severity, f.Seen = finding.Problem, j.name+": "+why+": all mail is refused for good (default_action = reject)"
		default:
			f.Severity, f.Seen = finding.Problem, j.name+": "+why+": all mail is put off (default_action = "+action+")"
		}
		if c.wanted() && c.s.Spec.Host.Inbound.DMARC != "" && known && !is.Masked && !(j == rspamd && is.Stopped) {
			f.Remedy, f.Fixable = finding.Command("mailsetup init --yes"), true
		}
	}
	c.add(f)
}

// reach connects as a service of Postfix does.
func (c dmarcDoor) reach(d door, endpoint string) (address string, why error) {
	kind, at, _ := strings.Cut(endpoint, ":")
	if kind = strings.ToLower(kind); kind != "unix" && kind != "local" {
		return at, nil
	}
	queue := string(c.p.QueueDirectory)
	root, inside := "", at
	if address = at; !strings.HasPrefix(at, "/") {
		inside = path.Join(queue, at)
		address = inside
	}
	if c.jailed()[d.service.Name] {
		root, inside, address = queue, path.Join("/", at), path.Join(queue, at)
	}
	return address, probe.ConnectsAs(postconf.Owner(c.p), root, inside)
}

// jailed are the services that run in the queue directory.
func (c *checker) jailed() map[string]bool {
	all, err := mastercf.Chrooted(string(c.text(postconf.MasterCF)))
	if err != nil {
		return nil
	}
	return all
}

// chrooted reports whether any door runs in the queue directory.
func (c *checker) chrooted() bool {
	in := c.jailed()
	return slices.ContainsFunc(c.doors, func(d door) bool { return in[d.service.Name] })
}

// order checks that what verifies DKIM has seen a message before OpenDMARC judges it.
func (c dmarcDoor) order(d door, list []milters.Milter, at int) {
	f := finding.Finding{ID: "in.milters", Severity: finding.OK, Subject: d.service.Name, Seen: "OpenDMARC is asked behind what verifies DKIM", Source: "postconf(5), smtpd_milters"}
	later := slices.ContainsFunc(list[at:], c.isOpenDKIM)
	switch {
	case slices.ContainsFunc(list[:at], c.isOpenDKIM):
	case later:
		f.Severity, f.Seen = finding.Warning, "OpenDMARC is asked before OpenDKIM, and does not see which signatures hold: mail that is signed well fails DMARC where SPF does not pass"
		f.Remedy, f.CausedBy = finding.Text("put OpenDKIM before "+list[at].Endpoint+" in smtpd_milters, then:").Command(reload), "live.milters"
	case at > 0:
		return // another milter may verify
	default:
		f.Severity, f.Seen = finding.Warning, "OpenDMARC is asked, and nothing before it verifies DKIM: mail that is signed well fails DMARC where SPF does not pass"
		f.Remedy = finding.Text("name OpenDKIM, with Mode sv, before " + list[at].Endpoint + " in smtpd_milters, then:").Command(reload)
	}
	if f.Severity != finding.OK {
		f.Expected = "OpenDKIM, then OpenDMARC"
	}
	c.add(f)
}

func (c *checker) isOpenDKIM(m milters.Milter) bool {
	in := step.Input{Spec: c.s.Spec, Facts: c.s.Facts, Ledger: c.s.Ledger, Now: c.s.Now}
	return strings.Contains(strings.ToLower(m.Endpoint), "opendkim") || strings.HasSuffix(m.Endpoint, ":8891") ||
		slices.ContainsFunc(postfix.AskedBy(in), func(a postfix.Asked) bool { return a.Found && a.Endpoint == m.Endpoint })
}

// settings reads a file of OpenDKIM or OpenDMARC: names in lower case, the last of each.
func (c dmarcDoor) settings(file state.Path) (map[string]string, error) {
	missing := false
	conf, err := opendkim.ParseConf(string(file), func(p string) ([]byte, error) {
		text := c.text(state.Path(p))
		missing = missing || text == nil
		return text, nil
	})
	if err == nil && missing {
		err = errors.New("not there")
	}
	all := map[string]string{}
	for _, s := range conf.Settings {
		all[strings.ToLower(s.Name)] = s.Value
	}
	return all, err
}

func yes(value string) bool {
	return slices.Contains([]string{"true", "yes", "1", "t", "y"}, strings.ToLower(value))
}

// judges checks what OpenDMARC judges by.
func (c dmarcDoor) judges(conf map[string]string) {
	c.verifies()
	say := func(subject string, bad bool, severity finding.Severity, right, seen, expected, mend string) {
		f := finding.Finding{ID: "in.dmarc", Severity: finding.OK, Subject: string(dmarcConf) + " " + subject, Seen: right, Source: "opendmarc.conf(5)"}
		if bad {
			f.Severity, f.Seen, f.Expected, f.Remedy = severity, seen, expected, finding.Text(mend+" in /etc/opendmarc.conf, then:").Command(restart)
		}
		c.add(f)
	}
	refuses := yes(conf["rejectfailures"])
	dkim, err := c.settings(signer.ConfFile)
	verified := err == nil && slices.ContainsFunc(c.doors, func(d door) bool { return slices.ContainsFunc(c.miltersOf(d.service), c.isOpenDKIM) })
	if verified {
		id, trusted := c.serverID(dkim["authservid"]), c.trusted(conf)
		say("AuthservID", !slices.Contains(trusted, id), finding.Warning, "that of OpenDKIM, octet by octet",
			fmt.Sprintf("OpenDKIM signs its results with %q, and OpenDMARC trusts %q: no signature counts, and mail that is signed well fails DMARC where SPF does not pass", id, strings.Join(trusted, ", ")),
			"the same name, in the same case", "AuthservID "+id)
		say("RejectFailures", refuses, finding.Warning, "mail is marked, and not refused",
			"OpenDMARC refuses mail, and OpenDKIM says nothing of a signature while DNS of the sender does not answer: good mail is refused for good then",
			"RejectFailures false, or a verifier that puts such mail off", "RejectFailures false")
	}
	if !c.usesSPF() {
		self := yes(conf["spfselfvalidate"]) && yes(conf["spfignoreresults"])
		say("SPFSelfValidate", !self, finding.Warning, "it checks SPF itself, and believes no header",
			"OpenDMARC takes the result of SPF from headers of the message, and nothing here writes any: a sender can write his own",
			"SPFSelfValidate true, SPFIgnoreResults true", "SPFIgnoreResults true and SPFSelfValidate true")
	}
	if text := c.text(state.Path(conf["ignorehosts"])); text != nil {
		own := slices.ContainsFunc(strings.Fields(string(text)), func(w string) bool { return strings.HasPrefix(w, "127.") || w == "localhost" })
		say("IgnoreHosts", !own, finding.Warning, "it names this server itself",
			"IgnoreHosts takes the place of 127.0.0.1, and "+conf["ignorehosts"]+" does not name it: mail of this server itself is judged",
			"127.0.0.1 and the server's own addresses in that file", "have 127.0.0.1 and the server's own addresses in the file of IgnoreHosts")
	}
	list := conf["publicsuffixlist"]
	text := c.text(state.Path(list))
	if o, err := c.m.Stat(state.Path(list)); list == "" || err == nil {
		absent := list == "" || o.Kind == state.Absent || o.Kind == state.Regular && len(text) == 0
		say("PublicSuffixList", absent, finding.Warning, "the list of public suffixes is there",
			"there is no list of public suffixes: a subdomain without a record of its own is judged by none, and its mail passes (OpenDMARC says nothing of that)",
			"PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat", "have the package publicsuffix installed, and PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat")
	}
}

// verifies checks that OpenDKIM, where the door asks it, verifies what comes in.
func (c dmarcDoor) verifies() {
	dkim, err := c.settings(signer.ConfFile)
	asked := slices.ContainsFunc(c.doors, func(d door) bool { return slices.ContainsFunc(c.miltersOf(d.service), c.isOpenDKIM) })
	if mode := dkim["mode"]; err == nil && asked && mode != "" && !strings.ContainsAny(mode, "vV") {
		c.add(finding.Finding{
			ID: "in.milters", Severity: finding.Warning, Subject: string(signer.ConfFile), Expected: "Mode sv", Source: "opendkim.conf(5), Mode",
			Seen:   "OpenDKIM signs and does not verify (Mode " + mode + "), and OpenDMARC judges by what it finds: mail that is signed well fails DMARC where SPF does not pass",
			Remedy: finding.Text("Mode sv in " + string(signer.ConfFile) + ", then:").Command("systemctl restart opendkim"),
		})
	}
}

// serverID is the name that a milter gives its results: that of Postfix if none is set.
func (c dmarcDoor) serverID(set string) string {
	switch {
	case set == "":
		return postconf.Effective(c.p, c.doors[0].service, "myhostname")
	case strings.EqualFold(set, "HOSTNAME"):
		return c.s.Facts.Hostname
	}
	return set
}

// trusted are the names whose results OpenDMARC believes.
func (c dmarcDoor) trusted(conf map[string]string) []string {
	all := []string{c.serverID(conf["authservid"])}
	for id := range strings.FieldsFuncSeq(conf["trustedauthservids"], func(r rune) bool { return r == ',' || r == ' ' }) {
		all = append(all, c.serverID(id))
	}
	return all
}

// stale checks that OpenDMARC was started after its files were written: it reads them
// then, and a reload does nothing, whatever systemctl says.
func (c dmarcDoor) stale(ctx context.Context, conf map[string]string) {
	status, err := c.m.Status(ctx, dmarcUnit)
	if err != nil || status.PID == 0 {
		return
	}
	age, err := process.Age(c.text(state.Path(fmt.Sprintf("/proc/%d/stat", status.PID))), c.text("/proc/uptime"))
	if err != nil {
		return
	}
	began := time.Now().Add(-age)
	var newer []string
	for _, file := range []string{string(dmarcConf), conf["ignorehosts"]} {
		at, err := strconv.ParseInt(strings.TrimSpace(output(ctx, c.m, "stat", "-L", "-c", "%Y", "--", file)), 10, 64)
		const slack = 2 * time.Second // both come in steps
		if strings.HasPrefix(file, "/") && err == nil && time.Unix(at, 0).After(began.Add(slack)) {
			newer = append(newer, file)
		}
	}
	f := finding.Finding{ID: "in.stale", Severity: finding.OK, Subject: dmarcUnit, Seen: "was started after its files were written"}
	if len(newer) > 0 {
		f.Severity, f.Seen = finding.Warning, strings.Join(newer, " and ")+" changed since OpenDMARC was started: it works with what stood there (a reload changes nothing, and says that it did)"
		f.Expected, f.Remedy = "what runs is what its files say", finding.Command(restart)
	}
	c.add(f)
}
