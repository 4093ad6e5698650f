package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/mastercf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/probe"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/postfix"
	"mailsetup/steps/signer"
)

// toSigner checks the way from Postfix to the signer, and the signer's to its keys.
type toSigner struct{ *checker }

func commandOf(argv ...string) system.Command { return system.Command{Argv: argv} }

// sockets checks that the services of Postfix reach the signer: as their user, in the
// chroot where there is one, and that it answers.
func (c toSigner) sockets(ctx context.Context) {
	if !c.signs() {
		return
	}
	text := c.text(postconf.MasterCF)
	chrooted, err := mastercf.Chrooted(string(text))
	if err != nil {
		chrooted = map[string]bool{}
	}
	type place struct {
		endpoint string
		chroot   bool
	}
	var seen []place
	for _, a := range c.asked {
		at := place{a.Endpoint, chrooted[a.Service.Name]}
		if !a.Found || slices.Contains(seen, at) {
			continue
		}
		seen = append(seen, at)
		c.socket(ctx, a, at.chroot)
	}
}

// socket checks one way to the signer.
func (c toSigner) socket(ctx context.Context, a postfix.Asked, chroot bool) {
	f := finding.Finding{
		ID: "live.socket", Severity: finding.OK, Subject: a.Endpoint, Expected: "Postfix reaches the signer there", CausedBy: c.cause,
		Remedy: restartSigner,
	}
	if chroot {
		f.Subject += ", in the chroot"
	}
	address, why := c.reach(a.Endpoint, chroot)
	switch {
	case c.s.Unprivileged:
		f.Severity, f.Seen, f.CausedBy, f.Remedy = finding.Unknown, "only root can try it as the user postfix", "", finding.Command("sudo mailsetup check --only live.socket")
	case errors.Is(why, probe.ErrNotTried):
		f.Severity, f.Seen, f.CausedBy, f.Remedy = finding.Unknown, why.Error(), "", finding.Command("mailsetup check --only live.socket") // in a shell
	case why != nil:
		f.Severity, f.Seen = finding.Problem, c.describe(why, address)
		f.Remedy, f.Fixable = c.socketRemedy(why, address), c.s.SetUp && c.cause == ""
	default:
		asked, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		if err := c.m.Probe(asked, state.Probe{Kind: state.ProbeMilter, Address: address, Within: askWithin}); err != nil {
			f.Severity, f.Seen = finding.Problem, "it does not answer: "+err.Error()
		}
	}
	if f.Severity == finding.OK {
		f.Seen, f.Expected, f.Remedy, f.CausedBy = "the user postfix reaches it, and it answers", "", nil, ""
	}
	if f.Severity == finding.Problem {
		c.cause = cmp.Or(c.cause, "live.socket")
	}
	c.add(f)
}

// reach connects as a service of Postfix does. It returns the address as the machine sees
// it, and why the service cannot connect.
func (c toSigner) reach(endpoint string, chroot bool) (address string, why error) {
	kind, at, _ := strings.Cut(endpoint, ":")
	if kind = strings.ToLower(kind); kind != "unix" && kind != "local" {
		return at, nil
	}
	queue := string(c.s.Facts.Postfix.QueueDirectory)
	root, inside := "", at
	if !strings.HasPrefix(at, "/") { // services run in the queue directory
		inside = path.Join(queue, at)
	}
	address = inside
	if chroot {
		root, inside = queue, path.Join("/", at)
		address = path.Join(queue, at)
	}
	if c.s.Unprivileged {
		return address, nil
	}
	return address, probe.ConnectsAs(postconf.Owner(c.s.Facts.Postfix), root, inside)
}

// describe says why a socket cannot be reached.
func (c toSigner) describe(why error, address string) string {
	switch {
	case errors.Is(why, syscall.ENOENT):
		return "there is no socket at " + address
	case errors.Is(why, syscall.EACCES):
		return "the user postfix may not use " + address + c.shut(address)
	case errors.Is(why, syscall.ECONNREFUSED):
		return "nobody listens at " + address
	}
	return fmt.Sprintf("%s: %v", address, why)
}

// shut names the owners and modes that matter.
func (c toSigner) shut(address string) string {
	text := ""
	for _, p := range []string{path.Dir(address), address} {
		if o, err := c.m.Stat(state.Path(p)); err == nil && o.Kind != state.Absent {
			text += fmt.Sprintf("; %s: %s, mode %04o", p, o.Owner, o.Mode.Perm())
		}
	}
	return text
}

// restartSigner is what helps against most of what keeps it from answering.
var restartSigner = finding.Command("systemctl restart opendkim").Text("and see what it says:").Command("journalctl -u opendkim -n 20")

func (c toSigner) socketRemedy(why error, address string) finding.Remedy {
	if errors.Is(why, syscall.EACCES) && address == string(signer.Socket(c.s.Facts)) {
		dir := path.Dir(address)
		return finding.Command("chown opendkim:postfix %s && chmod 2750 %s && systemctl restart opendkim", dir, dir)
	}
	return restartSigner
}

// milters checks the lists of milters of each service.
func (c toSigner) milters() {
	if !c.signs() {
		return
	}
	for _, a := range c.asked {
		if a.Left {
			continue
		}
		f := finding.Finding{ID: "live.milters", Severity: finding.OK, Subject: a.Service.Name, Fixable: c.s.SetUp, Source: "postconf(5), " + a.List}
		switch accepts := a.Action == "accept"; {
		case a.Off != "":
			f.Severity, f.Seen = finding.Problem, a.Off+": mail that comes in there leaves unsigned"
			f.Expected = "the signer is in " + a.List
			f.Remedy, f.Fixable = c.miltersRemedy(a)
			if !c.matters(a) {
				f.Severity = finding.Warning
			}
		case a.Twice:
			f.Severity, f.Seen, f.Expected = finding.Warning, a.List+" has the signer twice: mail is signed twice", "once"
			f.Remedy, f.Fixable = finding.Text("take one of them out of "+a.List+", then:").Command("systemctl reload postfix"), false
		case accepts && c.in.Spec.Host.MilterDefaultAction != "accept":
			f.Severity, f.Seen = finding.Warning, "default_action = accept: while the signer is down, mail leaves unsigned"
			f.Expected = "default_action = tempfail: mail waits"
			f.Remedy, f.Fixable = c.miltersRemedy(a)
		case a.Maps != "":
			f.Severity, f.Seen, f.Fixable = finding.Note, "smtpd_milter_maps = "+a.Maps+" decides by client which milters see mail", false
		case a.DMARCFirst:
			f.Severity, f.Seen, f.Expected = finding.Warning, "OpenDMARC is asked before OpenDKIM, and does not see what it found", "OpenDKIM first"
			f.Remedy, f.Fixable = finding.Text("put "+a.Endpoint+" before OpenDMARC in "+a.List+", then:").Command("systemctl reload postfix"), false
		}
		if f.Severity == finding.OK {
			f.Seen, f.Fixable, f.Source = "asks the signer", false, ""
		}
		c.add(f)
	}
}

// matters reports whether a service takes mail that has to be signed for sure: that of
// programs here, of port 25, or of users who log in.
func (c toSigner) matters(a postfix.Asked) bool {
	return a.Service.Command == "cleanup" || postconf.Port(a.Service) == "25" || a.Service.Name == "smtpd/pass" || postconf.UserService(c.s.Facts.Postfix, a.Service)
}

// miltersRemedy is what mends a list, and whether a run without questions does.
func (c toSigner) miltersRemedy(a postfix.Asked) (remedy finding.Remedy, fixable bool) {
	name, value, _ := strings.Cut(a.Off, " = ")
	rest := strings.Join(slices.DeleteFunc(postconf.Words(value), func(w string) bool { return w == "no_milters" }), ",")
	switch {
	case a.Off != "" && a.Own && c.s.SetUp:
		return finding.Command("mailsetup init --service-milters merge"), false
	case a.Off != "" && a.Own && rest != "" && name == "receive_override_options":
		return finding.Command("postconf -P %s && systemctl reload postfix", a.Service.Name+"/"+name+"="+rest), false
	case a.Off != "" && a.Own:
		return finding.Command("postconf -PX %s && systemctl reload postfix", a.Service.Name+"/"+strings.TrimSuffix(name, " =")), false
	case name == "receive_override_options":
		return finding.Command("postconf -e %s && systemctl reload postfix", name+" = "+rest), false
	case c.s.SetUp:
		return finding.Command("mailsetup init --yes"), true
	case a.Off == "":
		return finding.Command("postconf -e milter_default_action=tempfail && systemctl reload postfix"), false
	}
	return finding.Text("name OpenDKIM in " + a.List + " of main.cf, then:").Command("systemctl reload postfix"), false
}
