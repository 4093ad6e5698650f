// Package signer says how OpenDKIM signs: its configuration, tables, directories.
package signer

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
	"mailsetup/templates"
)

// DefaultConf returns the opendkim.conf for a spec without settings of its own.
func DefaultConf(f state.Facts) ([]byte, error) { return RenderConf(step.Input{Facts: f}) }

// TrustedNetworks returns the networks whose mail is signed in any case.
func TrustedNetworks(f state.Facts) []netip.Prefix { return trustedPrefixes(step.Input{Facts: f}) }

var spoolOwner = state.Owner{User: "opendkim", Group: "postfix"}

// Paths of the signer. The socket stands inside Postfix's chroot, in a
// directory whose setgid bit gives it to group postfix: nobody has to join a
// group, which would make the keys "not secure" in OpenDKIM's eyes.
const (
	ConfFile     state.Path = "/etc/opendkim.conf"
	KeyTable     state.Path = "/etc/opendkim/KeyTable"
	SigningTable state.Path = "/etc/opendkim/SigningTable"
	TrustedHosts state.Path = "/etc/opendkim/TrustedHosts"
	Resubmitted  state.Path = "/etc/opendkim/resubmitted.lua"
	tmpfiles     state.Path = "/etc/tmpfiles.d/mailsetup.conf"
	trustAnchor             = "/usr/share/dns/root.key"
	Unit                    = "opendkim.service"

	socketDirMode = fs.ModeSetgid | 0o750
)

// QueueDirectory returns the directory that chrooted services of Postfix see as /.
func QueueDirectory(f state.Facts) state.Path {
	if f.Postfix == nil || f.Postfix.QueueDirectory == "" {
		return "/var/spool/postfix"
	}
	return f.Postfix.QueueDirectory
}

func socketDir(f state.Facts) state.Path { return QueueDirectory(f) + "/opendkim" }

// Socket returns where the milter listens.
func Socket(f state.Facts) state.Path { return socketDir(f) + "/opendkim.sock" }

// Configure provides the milter: its configuration, its tables, its socket.
func Configure(in step.Input) (state.Stage, []state.Note, error) {
	if in.SignsNothing() {
		return state.Stage{}, nil, nil
	}
	anybody := checkOpenNetworks(in)
	if anybody != nil && !keepsTrustedHosts(in) {
		return state.Stage{}, nil, anybody
	}
	changes, questions, err := unitEdits(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	t := tablesOf(in)
	for _, k := range t.keys {
		if OwnerOf(state.Path(k.Path)) == EximOwner {
			return state.Stage{}, nil, step.Refuse("mailsetup init", "%s is signed by exim4 (%s), and OpenDKIM has no copy of that key yet", k.Domain, k.Path)
		}
	}
	files, err := t.files(in, anybody == nil)
	if err != nil {
		return state.Stage{}, nil, err
	}
	tables, err := tablesDir(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := state.Stage{
		Dirs: append(runDirs(in),
			tables,
			state.Dir{Path: socketDir(in.Facts), Mode: socketDirMode, Owner: spoolOwner, Why: "inside Postfix's chroot, for the socket"}),
		Files: files,
		Edits: changes,
		Units: []state.Unit{signerUnit(in, t, files[0].Content, len(changes) > 0)},
		Validators: []state.Validator{{
			Name: "opendkim -n",
			Argv: func(scratch func(state.Path) string) []string {
				return []string{"opendkim", "-n", "-x", scratch(ConfFile)}
			},
		}},
		Questions: in.Unanswered(questions...),
	}
	if anybody != nil { // whose mail is signed is for a run that a human is asked about
		return stage, []state.Note{trustNote(anybody)}, nil
	}
	if !in.Scope.WholeHost() {
		return stage, nil, nil
	}
	return stage, slices.Concat(cannotAlign(in), unlisted(in)), nil
}

// keepsTrustedHosts reports whether a run only switches keys or removes domains, so
// that it signs no more than before if TrustedHosts stays as it is.
func keepsTrustedHosts(in step.Input) bool {
	return in.KeysOnly || !in.Scope.WholeHost() &&
		!slices.ContainsFunc(in.Spec.Domains, func(d spec.Domain) bool { return in.Scope.Selects(d.Name) })
}

// signerUnit reloads OpenDKIM, or restarts it if it reads the change at its start only.
// An undo waits until it answers at its present socket.
func signerUnit(in step.Input, t tables, conf []byte, redefined bool) state.Unit {
	u := state.Unit{
		Name: Unit, Action: UnitAction(in, conf), WakeSocket: currentSocket(in),
		Why: "read the new tables", Probes: t.probes(in),
	}
	if u.Action != state.Restart {
		// It is up, and the messages show what it read.
		u.Probes = slices.DeleteFunc(u.Probes, func(p state.Probe) bool { return p.Kind == state.ProbeActive })
		return u
	}
	u.Why = "it reads some of this only when it starts"
	if o := in.Facts.OpenDKIM; o != nil {
		u.NeedsDaemonReload = redefined || o.NeedsDaemonReload
		u.UndoProbes = milterProbe(o.Endpoint)
	}
	return u
}

// milterProbe returns the probe of the milter at an address of its configuration: on
// the loopback, if it listens on all addresses.
func milterProbe(endpoint string) []state.Probe {
	if endpoint == "" {
		return nil
	}
	if strings.HasPrefix(endpoint, "inet") && !strings.Contains(endpoint, "@") {
		endpoint += "@localhost"
	}
	return []state.Probe{{Kind: state.ProbeMilter, Address: endpoint, Within: 20 * time.Second}}
}

// RenderConf returns the configuration, whose tables have a file each.
func RenderConf(in step.Input) ([]byte, error) {
	mode := "sv"
	if in.Facts.Rspamd {
		mode = "s" // rspamd verifies already
	}
	script := ""
	if postconf.PipesBack(in.Facts.Postfix) {
		script = string(Resubmitted)
	}
	return templates.OpenDKIMConf(templates.OpenDKIM{
		Mode: mode, Socket: string(Socket(in.Facts)), TrustAnchor: trustAnchor,
		KeyTable: string(KeyTable), SigningTable: string(SigningTable), TrustedHosts: string(TrustedHosts),
		Resubmitted: script, Overrides: in.Spec.Host.OpenDKIM,
	})
}

// files returns the files that the signer reads, with TrustedHosts if it is to be
// written.
func (t tables) files(in step.Input, trust bool) ([]state.File, error) {
	conf, err := RenderConf(in)
	if err != nil {
		return nil, err
	}
	made, err := t.render(in)
	if err != nil {
		return nil, err
	}
	tmp := templates.Tmpfiles(string(socketDir(in.Facts)))
	for _, d := range runDirs(in) {
		tmp = templates.Tmpfiles(string(socketDir(in.Facts)), string(d.Path))
	}
	file := func(p state.Path, content []byte, why string) state.File {
		return state.File{Path: p, Mode: 0o644, Owner: state.Root, Content: content, Why: why}
	}
	list := []state.File{
		file(ConfFile, conf, "how OpenDKIM signs"),
		file(KeyTable, made.KeyTable, "where each key is"),
		file(SigningTable, made.SigningTable, "which addresses are signed with which key"),
		file(tmpfiles, tmp, "the socket's directory, after a reboot as well"),
	}
	if postconf.PipesBack(in.Facts.Postfix) {
		list = append(list, file(Resubmitted, templates.Resubmitted(), "mail that a content filter hands back by sendmail(1) is not signed once more"))
	}
	if !trust {
		return list, nil
	}
	hosts, err := templates.TrustedHosts(trustedPrefixes(in), slices.Concat(in.Spec.Host.Trusted, excluded(in))...)
	if err != nil {
		return nil, err
	}
	return slices.Insert(list, 3, file(TrustedHosts, hosts, "whose mail is signed: this machine, the networks Postfix relays for and trusted of "+string(spec.HostFile))), nil
}

// HostNames returns the domains of this machine's own mail: myhostname and myorigin. A
// Postfix that this run installs gets the host name of the spec.
func HostNames(in step.Input) []string {
	names := []string{in.Spec.Host.Hostname}
	if p := in.Facts.Postfix; p != nil && !p.Fresh {
		names = append(names, strings.ToLower(p.Value["myhostname"]), strings.ToLower(p.Value["myorigin"]))
	}
	if in.Spec.Host.MTA == spec.Exim { // which writes mail of its own and of local users so
		name, _, _ := strings.Cut(string(in.Facts.Files["/etc/mailname"]), "\n")
		names = append(names, strings.ToLower(strings.TrimSpace(name)))
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.Contains(n, ".") })
	slices.Sort(names)
	return slices.Compact(names)
}

// Mailname returns what Debian's /etc/mailname says on a Postfix this run installs:
// the domain where this host receives for it, else the host's own name, whose
// mail would otherwise leave for the domain's real mail server.
func Mailname(in step.Input) string {
	for _, d := range in.Spec.Domains {
		if d.Name == in.Spec.Host.Domain && d.Receive {
			return d.Name
		}
	}
	return in.Spec.Host.Hostname
}

// cannotAlign returns notes about host names that are signed by a domain which they do
// not align with, and the domain that would align.
func cannotAlign(in step.Input) []state.Note {
	var notes []state.Note
	for _, n := range HostNames(in) {
		if in.Spec.Has(n) || dnsname.Within(n, in.Spec.Host.Domain) {
			continue
		}
		note := state.Note{
			Topic: "alignment",
			Text: fmt.Sprintf("mail from @%s is signed by %s, which DMARC does not accept for it: "+
				"the name is not at or below the domain", n, in.Spec.Host.Domain),
		}
		for _, d := range in.Spec.Domains {
			if dnsname.Within(n, d.Name) {
				note.Action = fmt.Sprintf("set domain = %q in %s, then run mailsetup init again", d.Name, spec.HostFile)
			}
		}
		notes = append(notes, note)
	}
	return notes
}

// trustedPrefixes returns the networks whose mail is signed.
func trustedPrefixes(in step.Input) []netip.Prefix {
	nets := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, a := range slices.Concat(in.Facts.Addresses, in.Spec.Host.Addresses) {
		nets = append(nets, netip.PrefixFrom(a, a.BitLen()))
	}
	if p := in.Facts.Postfix; p != nil {
		nets = append(nets, p.Networks...)
	}
	return nets
}

// excluded returns the entries of TrustedHosts for what mynetworks takes out, without
// those that stand against an entry of ours: OpenDKIM would follow them.
func excluded(in step.Input) []string {
	p := in.Facts.Postfix
	if p == nil {
		return nil
	}
	var all []string
	for _, n := range p.ExcludedNetworks {
		text := n.String()
		if n.IsSingleIP() {
			text = n.Addr().String()
		}
		if !slices.Contains(trustedPrefixes(in), n) && !slices.Contains(in.Spec.Host.Trusted, text) {
			all = append(all, "!"+text)
		}
	}
	return all
}

// unlisted returns notes about clients in mynetworks that TrustedHosts cannot express.
func unlisted(in step.Input) []state.Note {
	p := in.Facts.Postfix
	if p == nil || len(p.OtherNetworks) == 0 {
		return nil
	}
	return []state.Note{{
		Topic: "mynetworks",
		Text: fmt.Sprintf("mail is signed as if %s did not stand in mynetworks: %s takes plain networks only",
			strings.Join(p.OtherNetworks, " "), TrustedHosts),
		Action: "write those networks out in mynetworks, then run mailsetup init again",
	}}
}

// startSettings are read only when the daemon starts, opendkim(8) SIGUSR1. Socket is
// compared with the facts.
var startSettings = []string{
	"Socket", "UMask", "UserID", "PidFile", "Background", "AutoRestart", "AutoRestartCount", "AutoRestartRate",
	"QueryCache", "MilterDebug", "POPDBFile", "Quarantine", "StrictTestMode", "TestPublicKeys",
}

// UnitAction returns a reload, which leaves no gap, wherever that is enough.
func UnitAction(in step.Input, conf []byte) state.UnitAction {
	o := in.Facts.OpenDKIM
	if o == nil || !o.Active || o.SocketGone || o.Endpoint != "" && !ourSocket(in, o.Endpoint) || len(conflictingSettings(in, *o)) > 0 {
		return state.Restart
	}
	old := parseSettings(in.Facts.Files[ConfFile])
	for _, name := range startSettings {
		name = strings.ToLower(name)
		if old[name] != parseSettings(conf)[name] {
			return state.Restart
		}
	}
	return state.Reload
}

// parseSettings reads opendkim.conf(5): name, white space, value; names in any case,
// the last one wins.
func parseSettings(conf []byte) map[string]string {
	m := map[string]string{}
	for line := range bytes.Lines(conf) {
		text, _, _ := strings.Cut(string(line), "#")
		if f := strings.Fields(text); len(f) > 1 {
			m[strings.ToLower(f[0])] = strings.Join(f[1:], " ")
		}
	}
	return m
}

// ourSocket reports whether an address is our socket, in any notation that OpenDKIM
// accepts.
func ourSocket(in step.Input, address string) bool {
	ours := string(Socket(in.Facts))
	return slices.Contains([]string{ours, "local:" + ours, "unix:" + ours}, address)
}

// currentSocket returns where the running OpenDKIM listens, if on a socket file.
func currentSocket(in step.Input) state.Path {
	o := in.Facts.OpenDKIM
	if o == nil {
		return ""
	}
	kind, path, found := strings.Cut(o.Endpoint, ":")
	if !found {
		path = kind
	}
	p, err := state.ParsePath(path)
	if err != nil {
		return ""
	}
	return p
}

// probes probe the daemon itself: its unit reports success for a reload that it
// ignored, and is active for a moment before it dies of a bad socket.
func (t tables) probes(in step.Input) []state.Probe {
	signs := state.Probe{Kind: state.ProbeSigns, Address: string(Socket(in.Facts)), Signers: t.senders(in), Within: 20 * time.Second}
	if len(signs.Signers) == 0 { // all is left to another signer
		return []state.Probe{{Kind: state.ProbeMilter, Address: string(Socket(in.Facts)), Within: 20 * time.Second}, {Kind: state.ProbeActive, Unit: Unit}}
	}
	// OpenDKIM signs some 400 messages a second; this allows for a sixteenth.
	signs.Within += time.Duration(len(signs.Signers)) * 40 * time.Millisecond
	return []state.Probe{
		{Kind: state.ProbeMilter, Address: string(Socket(in.Facts)), Within: 20 * time.Second},
		{Kind: state.ProbeActive, Unit: Unit},
		signs,
	}
}

// Proof returns the probe for one signature, of the host's own mail: enough to tell
// that the signer runs with its files. It is false while no key signs.
func Proof(in step.Input) (state.Probe, bool) {
	for _, p := range tablesOf(in).probes(in) {
		if n := len(p.Signers); p.Kind == state.ProbeSigns && n > 0 {
			p.Signers, p.Within = p.Signers[n-1:], 5*time.Second
			return p, true
		}
	}
	return state.Probe{}, false
}
