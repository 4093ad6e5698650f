package inbound

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/edits"
	policy "mailsetup/internal/inbound"
	"mailsetup/internal/opendmarc"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/templates"
)

const (
	dmarcUnit = "opendmarc.service"
	// dmarcOverride is what Debian's opendmarc.service.generate writes.
	dmarcOverride state.Path = "/etc/systemd/system/opendmarc.service.d/override.conf"
	// unjudgedHosts are the clients whose mail OpenDMARC does not judge.
	unjudgedHosts state.Path = "/etc/opendmarc/IgnoreHosts"
)

// DMARC makes OpenDMARC judge incoming mail, or rspamd, where that guards the door. It
// answers before Postfix asks it.
func DMARC(in step.Input) (state.Stage, []state.Note, error) {
	mode := in.Spec.Host.Inbound.DMARC
	if guardedByRspamd(in) {
		return rspamdModules(in)
	}
	if mode == policy.Off {
		return state.Stage{}, nil, nil
	}
	if err := checkVerifier(in, mode); err != nil {
		return state.Stage{}, nil, err
	}
	if err := checkConfFile(in, DMARCPackage, opendmarc.ConfFile); err != nil {
		return state.Stage{}, nil, err
	}
	conf, lines, questions, err := dmarcLines(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	hosts, err := dmarcHosts(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := state.Stage{
		Dirs: []state.Dir{{Path: unjudgedHosts.Dir(), Mode: 0o755, Owner: state.Root}},
		Files: []state.File{{
			Path: unjudgedHosts, Mode: 0o644, Owner: state.Root, Content: hosts,
			Why: "whose mail is not judged: this machine, the networks Postfix relays for and allow of [inbound]",
		}},
		Edits: []state.Edit{state.BlockEdit{
			Path: opendmarc.ConfFile, Name: opendmarc.Block, Stamp: true, Lines: lines, Last: true,
			Reason: "OpenDMARC marks mail that fails DMARC, by what it finds out itself",
		}},
		Validators: []state.Validator{{
			Name: "opendmarc -n",
			Argv: func(scratch func(state.Path) string) []string {
				return []string{"opendmarc", "-n", "-c", scratch(opendmarc.ConfFile)}
			},
		}},
		Questions: in.Unanswered(questions...),
	}
	socket := opendmarc.Parse(conf + "\n" + strings.Join(lines, "\n")).Value("Socket")
	if dir := dmarcSocket(in).Dir(); socket == "local:"+string(dmarcSocket(in)) {
		stage.Dirs = append(stage.Dirs, state.Dir{
			Path: dir, Mode: socketDirMode, Owner: state.Owner{User: "opendmarc", Group: "postfix"}, Why: "inside Postfix's chroot, for the socket",
		})
	}
	stage.Units = dmarcUnits(in, socket)
	if _, _, ours := edits.BlockLines(content(in, opendmarc.ConfFile), opendmarc.Block); !ours && !othersAsk(in) {
		stage.Files = append(stage.Files, rememberUnit(in, dmarcUnit)...)
	}
	notes := takeOutForged(in, &stage)
	return stage, slices.Concat(notes, suffixNotes(in), senderNotes(in)), nil
}

// checkVerifier refuses what the program that verifies DKIM here does not allow.
func checkVerifier(in step.Input, mode policy.Mode) error {
	const off = "mailsetup inbound --dmarc off"
	if mode.Refuses() {
		return step.Refuse("mailsetup inbound --dmarc mark, which refuses nothing",
			"--dmarc %s would lose good mail: OpenDKIM says nothing at all of a signature whose key cannot be looked up for the moment, and OpenDMARC takes that for mail without one", mode)
	}
	if in.SignsNothing() {
		return step.Refuse(off, "nothing verifies DKIM here: mail is signed by another program, and OpenDKIM is not asked. DMARC by SPF alone calls all forwarded mail forged")
	}
	text, err := signer.RenderConf(in)
	if err != nil {
		return err
	}
	conf := opendmarc.Parse(string(text)) // the two have one syntax
	if m := conf.Value("Mode"); !strings.Contains(m, "v") {
		return step.Refuse("take the Mode out of opendkim in /etc/mailsetup/host.toml, or "+off, "nothing verifies DKIM here: OpenDKIM runs with Mode %s", m)
	}
	if s, ok := conf.Get("AuthservID"); ok && s.Value != mtaName(in) {
		return step.Refuse("take the AuthservID out of opendkim in /etc/mailsetup/host.toml, or "+off,
			"OpenDKIM writes its results under the name %s, and OpenDMARC reads those of %s", s.Value, mtaName(in))
	}
	if text := in.Facts.Files[dmarcOverride]; edits.Service("ExecStart", text) != "" {
		return step.Refuse(fmt.Sprintf("mv %s %[1]s.old && systemctl daemon-reload, then run this again", dmarcOverride),
			"%s starts OpenDMARC with options of its own, which count for more than %s", dmarcOverride, opendmarc.ConfFile)
	}
	if in.Facts.Daemons[dmarcUnit].Masked {
		return step.Refuse("systemctl unmask "+dmarcUnit, "%s is masked: nothing can start it", dmarcUnit)
	}
	return nil
}

// dmarcLines returns the administrator's part of opendmarc.conf, and the lines that have to
// stand behind it, with the consents that they need.
func dmarcLines(in step.Input) (theirs string, lines []string, questions []state.Question, err error) {
	text := string(in.Facts.Files[opendmarc.ConfFile])
	_, theirs, _ = edits.BlockLines(text, opendmarc.Block)
	want := opendmarc.Want{
		Name: mtaName(in), Socket: "local:" + string(dmarcSocket(in)), Queue: string(signer.QueueDirectory(in.Facts)), Hosts: string(unjudgedHosts),
	}
	for _, e := range in.Spec.Host.Inbound.Passes() {
		if e.Kind == policy.Domain {
			want.Senders = append(want.Senders, e.Name)
		}
	}
	conf := opendmarc.Parse(theirs)
	want.Asked = postfix.AsksOpenDMARC(in, conf.Value("Socket"))
	set, against := want.Settings(conf)
	for _, d := range against {
		is := d.Name + " " + d.Value
		if d.Wanted == "" {
			return "", nil, nil, step.Refuse("take the line out, then run this again", "%s:%d: %s: it %s", opendmarc.ConfFile, d.Line, is, d.Why)
		}
		questions = append(questions, state.Question{
			ID: "opendmarc " + d.Name, Kind: state.AskChecks, Subject: d.Name, Path: opendmarc.ConfFile, Line: d.Line,
			Before: is, After: d.Name + " " + d.Wanted, Text: fmt.Sprintf("OpenDMARC was set up with %s, which %s.", is, d.Why),
		})
	}
	for _, s := range set {
		lines = append(lines, s.Name+" "+s.Value)
	}
	return theirs, lines, questions, nil
}

// dmarcHosts returns the file of the clients whose mail is not judged.
func dmarcHosts(in step.Input) ([]byte, error) {
	nets := ownNetworks(in)
	var names []string
	for _, e := range in.Spec.Host.Inbound.Passes() {
		switch e.Kind {
		case policy.Network:
			nets = append(nets, e.Network)
		case policy.Host:
			names = append(names, e.Name)
		case policy.Domain, policy.Sender:
		}
	}
	return templates.UnjudgedHosts(nets, names...)
}

// ownNetworks are those whose mail is not judged: this machine, and those that Postfix
// relays for.
func ownNetworks(in step.Input) []netip.Prefix {
	nets := signer.TrustedNetworks(in.Facts)
	for _, a := range in.Spec.Host.Addresses {
		if p, err := a.Prefix(a.BitLen()); err == nil && !slices.Contains(nets, p) {
			nets = append(nets, p)
		}
	}
	return nets
}

// dmarcUnits restarts OpenDMARC: a reload tells of success and changes nothing (1.4.2). A
// message proves what it has read.
func dmarcUnits(in step.Input, socket string) []state.Unit {
	is, known := in.Facts.Daemons[dmarcUnit]
	judges := []state.Probe{
		{Kind: state.ProbeDMARC, Address: socket, Name: mtaName(in), Within: time.Minute},
		{Kind: state.ProbeActive, Unit: dmarcUnit},
	}
	units := []state.Unit{{
		Name: dmarcUnit, Action: state.Restart, WakeSocket: listensAt(in), Why: "it reads its configuration only when it starts", Probes: judges,
		Always: known && !is.Running && !is.Stopped,
	}}
	if is.Disabled {
		units = append(units, state.Unit{Name: dmarcUnit, Action: state.Enable, Always: true, Why: "it is disabled: after a reboot nothing would judge mail"})
	}
	return units
}

// listensAt returns the socket file at which OpenDMARC listens now, "" for none.
func listensAt(in step.Input) state.Path {
	socket, _ := strings.CutPrefix(opendmarc.Parse(content(in, opendmarc.ConfFile)).Value("Socket"), "local:")
	p, err := state.ParsePath(socket)
	if err != nil {
		return ""
	}
	return p
}

// mtaName returns what Postfix calls itself, under which results stand.
func mtaName(in step.Input) string {
	if p := in.Facts.Postfix; p != nil && !p.Fresh && p.Value["myhostname"] != "" {
		return p.Value["myhostname"]
	}
	return in.Spec.Host.Hostname
}

const socketDirMode = fs.ModeSetgid | 0o750

// dmarcSocket returns where OpenDMARC listens, unless the administrator said something that
// Postfix reaches.
func dmarcSocket(in step.Input) state.Path {
	return signer.QueueDirectory(in.Facts) + "/" + opendmarc.SocketBelowQueue
}

// suffixNotes returns notes about a list of public suffixes that is not there, or lacks
// what our names end with. OpenDMARC tells of neither.
func suffixNotes(in step.Input) []state.Note {
	list, there := in.Facts.Files[opendmarc.Suffixes]
	switch {
	case !in.Facts.Installed[DMARCPackage]: // which brings the list along
		return nil
	case !there:
		return []state.Note{{
			Topic: "dmarc", Text: fmt.Sprintf("%s is not there, so OpenDMARC finds no policy of a domain for the names below it", opendmarc.Suffixes),
			Action: "apt-get install --reinstall publicsuffix && systemctl restart opendmarc",
		}}
	}
	names := []string{in.Spec.Host.Hostname}
	for _, d := range in.Spec.Domains {
		names = append(names, d.Name)
	}
	var notes []state.Note
	for _, tld := range opendmarc.UnknownSuffixes(string(list), names) {
		notes = append(notes, state.Note{
			Topic: "dmarc", Informational: true,
			Text: fmt.Sprintf("%s does not have .%s: of mail from names below a domain there OpenDMARC says dmarc=none", opendmarc.Suffixes, tld),
		})
	}
	return notes
}

// senderNotes returns a note about senders that OpenDMARC cannot be told of.
func senderNotes(in step.Input) []state.Note {
	var names []string
	for _, e := range in.Spec.Host.Inbound.Passes() {
		if e.Kind == policy.Sender {
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []state.Note{{
		Topic: "dmarc", Informational: true,
		Text: fmt.Sprintf("mail from %s is marked like that of others: OpenDMARC knows exceptions for clients and domains only", step.EnumerateUpTo(names, 3)),
	}}
}

// retireDMARC returns what puts OpenDMARC back where DMARC is off: its configuration, and
// whether it runs. One that ran before goes on, and nobody asks it.
func retireDMARC(in step.Input) state.Stage {
	if wantsDMARC(in) {
		return state.Stage{}
	}
	stage := letForgedBe(in)
	var back []state.Unit
	if !othersAsk(in) {
		back = giveBack(in, dmarcUnit, listensAt(in))
	}
	forget(in, dmarcUnit, &stage)
	if _, _, ours := edits.BlockLines(content(in, opendmarc.ConfFile), opendmarc.Block); ours {
		stage.Edits = append(stage.Edits, state.BlockEdit{
			Path: opendmarc.ConfFile, Name: opendmarc.Block, Stamp: true, Drop: true, Reason: "incoming mail no longer meets OpenDMARC",
		})
		stage.Remove, stage.Discard = append(stage.Remove, unjudgedHosts), append(stage.Discard, unjudgedHosts.Dir())
		stops := func(u state.Unit) bool { return u.Action == state.Stop }
		if is := in.Facts.Daemons[dmarcUnit]; !slices.ContainsFunc(back, stops) && (is.Running || !slices.Contains(started(in)[dmarcUnit], state.Stop)) {
			stage.Units = append(stage.Units, state.Unit{
				Name: dmarcUnit, Action: state.Restart, WakeSocket: listensAt(in), Why: "it reads its configuration only when it starts",
				Probes: []state.Probe{{Kind: state.ProbeActive, Unit: dmarcUnit}},
			})
		}
	}
	stage.Units = append(stage.Units, back...)
	return stage
}
