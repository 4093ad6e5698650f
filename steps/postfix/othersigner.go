package postfix

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/milters"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// rspamdOverride takes precedence over every other file about rspamd's module
// dkim_signing, and no package ships it.
const rspamdOverride state.Path = "/etc/rspamd/override.d/dkim_signing.conf"

// ReplaceSigner switches off other signers, once ours signs: each message should have
// one signature of its domain. Its stage comes after Postfix's own, so mail is signed
// twice for a moment and never unsigned.
func ReplaceSigner(in step.Input) (state.Stage, []state.Note, error) {
	var stage state.Stage
	var notes []state.Note
	var leaving []state.Milter
	for _, m := range in.Milters {
		domains := alreadySignedBy(in, m)
		q, ask := signerQuestion(in, m, domains)
		if ask {
			if err := refuseUnswitchable(m, domains, q); err != nil {
				return state.Stage{}, nil, err
			}
			stage.Questions = append(stage.Questions, in.Unanswered(q)...)
		}
		switch {
		case len(domains) == 0:
		case m.Program.Kind == state.RspamdProgram:
			stage.Files = append(stage.Files, rspamdOff())
			stage.Units = append(stage.Units, rspamdUnit(m, domains))
		case m.Program.SignsOnly():
			leaving = append(leaving, m)
		}
		notes = append(notes, notAsked(in, m)...)
	}
	if err := removeMilters(in, &stage, &notes, leaving); err != nil {
		return state.Stage{}, nil, err
	}
	return stage, append(notes, leftToOthers(in)...), nil
}

// BeginsToSign reports whether a run has to set up OpenDKIM: the spec has a domain for
// it to sign, and all domains were left to another signer before. Such a run is about
// the host, whatever domains it names.
func BeginsToSign(old, want spec.Spec, keys keyring.Ledger) bool {
	return step.Input{Spec: old, Ledger: keys}.SignsNothing() && want.Signs()
}

// alreadySignedBy returns the domains of this run that another milter signs already and
// that mailsetup is to sign.
func alreadySignedBy(in step.Input, m state.Milter) []string {
	if m.Program.Kind == state.OtherOpenDKIM && m.Program.Unit == signer.Unit {
		return nil // it is ours, or is taken over, under another name of its socket
	}
	var names []string
	for _, d := range in.Spec.Domains { // also one of which nothing else has changed
		if (in.Scope.WholeHost() || in.Scope.Selects(d.Name)) && d.SignedBy == "" && signsFor(m, d.Name) {
			names = append(names, d.Name)
		}
	}
	return names
}

// signsOnly reports whether the milter at an endpoint does nothing but DKIM signing.
func signsOnly(in step.Input, endpoint string) bool {
	return slices.ContainsFunc(in.Milters, func(m state.Milter) bool { return m.Endpoint == endpoint && m.Program.SignsOnly() })
}

// signsFor reports whether a milter signs mail of a domain.
func signsFor(m state.Milter, domain string) bool {
	return slices.ContainsFunc(m.Signatures, func(s state.Signature) bool { return s.Domain == domain })
}

// isRemote reports whether a milter is on another machine, so that it could not be
// asked.
func isRemote(m state.Milter) bool { return len(m.Addresses) == 0 && m.Program.Kind != state.Amavis }

// signerQuestion returns the question whether to switch off a milter that signs, or may
// sign, mail of our domains.
func signerQuestion(in step.Input, m state.Milter, domains []string) (state.Question, bool) {
	q := state.Question{Kind: state.AskSigner, Subject: m.Endpoint, Domains: domains}
	where := fmt.Sprintf("%s (%s)", m.Endpoint, strings.Join(m.Lists, ", "))
	if isRemote(m) {
		for d := range in.Scope.Domains(in.Spec) {
			if d.SignedBy == "" {
				q.Domains = append(q.Domains, d.Name)
			}
		}
		if len(q.Domains) == 0 || slices.Contains(in.Spec.Host.NonsigningMilters, m.Endpoint) {
			return q, false
		}
		q.ID = "signer " + m.Endpoint
		q.Text = fmt.Sprintf("The milter %s is on another machine, so it was not asked whether it signs. "+
			"If it signs mail of %s, that must end there: mail would be signed twice. With a yes it does not, and mailsetup signs here.",
			where, step.EnumerateUpTo(q.Domains, 3))
		q.Declined = "it signs mail of " + step.EnumerateUpTo(q.Domains, 3) + "; " + recordsOnly
		return q, true
	}
	if len(domains) == 0 {
		return q, false
	}
	q.ID = fmt.Sprintf("signer %s %s", m.Endpoint, strings.Join(domains, " "))
	q.Text = fmt.Sprintf("%s (%s in %s) signs mail of %s already, with %s: mail would be signed twice. ",
		capitalize(m.Program.Title()), m.Endpoint, strings.Join(m.Lists, ", "), step.EnumerateUpTo(domains, 3), selectorsOf(m, domains))
	switch {
	case m.Program.Kind == state.RspamdProgram:
		q.Text += "Its signing is switched off, and nothing else of it"
		q.Path, q.After = rspamdOverride, "enabled = false;"
	case m.Program.SignsOnly():
		q.Text += "Postfix no longer asks it"
	}
	q.Text += ". " + describeKeys(in, m, domains)
	q.Declined = fmt.Sprintf("%s goes on signing mail of %s; %s", m.Program.Title(), step.EnumerateUpTo(domains, 3), recordsOnly)
	return q, true
}

const recordsOnly = "mailsetup makes no key for it, and sees to its other records"

// capitalize turns the title of a program into the beginning of a sentence. Names of
// programs keep their spelling.
func capitalize(title string) string {
	if rest, ok := strings.CutPrefix(title, "a "); ok {
		return "A " + rest
	}
	return title
}

// selectorsOf names the selectors with which a milter signs mail of the domains.
func selectorsOf(m state.Milter, domains []string) string {
	var names []string
	for _, s := range m.Signatures {
		if slices.Contains(domains, s.Domain) && !slices.Contains(names, s.Selector) {
			names = append(names, s.Selector)
		}
	}
	if len(names) == 1 {
		return "selector " + names[0]
	}
	return "selectors " + step.EnumerateUpTo(names, 3)
}

// describeKeys says which of a milter's keys mailsetup goes on to use.
func describeKeys(in step.Input, m state.Milter, domains []string) string {
	taken := 0
	for _, d := range domains {
		if from, ok := keySource(in, d); ok && from == m.Endpoint {
			taken++
		}
	}
	switch {
	case taken == 0:
		return "Its key is not taken over."
	case taken == len(domains):
		return "mailsetup signs with the same key and selector, of which it takes a copy."
	}
	return fmt.Sprintf("Of %d of %d domains mailsetup takes a copy of the key, the others get a new one.", taken, len(domains))
}

// keySource returns the milter whose key mailsetup copies for a domain: the first, if
// several sign for it.
func keySource(in step.Input, domain string) (endpoint string, ok bool) {
	for _, m := range in.Milters {
		if _, ok := SignatureWithKey(m, domain); ok {
			return m.Endpoint, true
		}
	}
	return "", false
}

// SignatureWithKey returns the signature of a domain whose private key file is known,
// so that mailsetup can copy it.
func SignatureWithKey(m state.Milter, domain string) (state.Signature, bool) {
	i := slices.IndexFunc(m.Signatures, func(s state.Signature) bool { return s.Domain == domain && s.Key != "" })
	if i < 0 {
		return state.Signature{}, false
	}
	return m.Signatures[i], true
}

// refuseUnswitchable refuses to go on beside a signer that mailsetup cannot switch off
// by itself, with commands that do so. A no leaves signing to it.
func refuseUnswitchable(m state.Milter, domains []string, q state.Question) error {
	if isRemote(m) {
		return nil
	}
	r := &step.Refusal{Keep: &q}
	r.What = fmt.Sprintf("%s (%s in %s) signs mail of %s already, with %s: mail would be signed twice",
		m.Program.Title(), m.Endpoint, strings.Join(m.Lists, ", "), step.EnumerateUpTo(domains, 3), selectorsOf(m, domains))
	switch p := m.Program; {
	case p.Kind == state.RspamdProgram && p.ConflictingFile != "":
		r.Hint = fmt.Sprintf("write enabled = false; into %s, run systemctl reload rspamd, then run this again", p.ConflictingFile)
	case (p.Kind == state.RspamdProgram || p.SignsOnly()) && len(p.Others) > 0:
		r.What += fmt.Sprintf(". It signs for %s as well, whose mail would leave unsigned", step.EnumerateUpTo(p.Others, 3))
		r.Hint = "leave signing to it for now, add those domains, then take all of them over:"
		r.Then = []string{
			"mailsetup init --domain " + domains[0] + " --other-signer keep",
			"mailsetup add-domain " + strings.Join(p.Others, " ") + " --other-signer keep",
			"mailsetup init --other-signer replace",
		}
	case p.Kind == state.Amavis:
		r.Hint = "write $enable_dkim_signing = 0; into /etc/amavis/conf.d/50-user, run systemctl restart amavis, then run this again"
	case p.Kind == state.UnknownProgram:
		r.Hint = "switch its signing off, or take it out of " + strings.Join(m.Lists, " and of ") + ", then run this again"
	default:
		return nil
	}
	return r
}

// rspamdOff returns the file that switches rspamd's signing off. The administrator's
// own files stay unchanged.
func rspamdOff() state.File {
	return state.File{
		Path: rspamdOverride, Mode: 0o644, Owner: state.Root, Why: "rspamd no longer signs: OpenDKIM does",
		Content: []byte("# Written by mailsetup: OpenDKIM signs this server's mail.\nenabled = false;\n"),
	}
}

// rspamdUnit makes rspamd read that file. A reload starts new processes beside the old
// ones; rspamd first resolves names, which takes a minute where DNS is slow.
func rspamdUnit(m state.Milter, domains []string) state.Unit {
	unsigned := state.Probe{Kind: state.ProbeUnsigned, Address: m.AskedAt, Within: 90 * time.Second}
	for _, s := range m.Signatures {
		if slices.Contains(domains, s.Domain) {
			unsigned.Signers = append(unsigned.Signers, state.Signer{From: s.From, Domain: s.Domain, Selector: s.Selector})
		}
	}
	return state.Unit{
		Name: "rspamd.service", Action: state.Reload, Why: "it reads that it no longer signs",
		Probes:     []state.Probe{unsigned},
		UndoProbes: []state.Probe{{Kind: state.ProbeOther, Address: m.AskedAt, Signers: unsigned.Signers, Within: 90 * time.Second}},
	}
}

// removeMilters removes signing-only milters from those of Postfix's lists that also
// have ours.
func removeMilters(in step.Input, stage *state.Stage, notes *[]state.Note, leaving []state.Milter) error {
	if len(leaving) == 0 {
		return nil
	}
	l, err := mainLists(in, in.Spec.Host.MilterDefaultAction)
	if err != nil {
		return err
	}
	if _, _, err := l.serviceLists(in); err != nil {
		return err
	}
	l.set = nil
	before := slices.Clone(l.services)
	for _, m := range leaving {
		gone := milters.Ours{Milter: milters.Milter{Endpoint: m.Endpoint}, Queue: l.ours.Queue, Value: l.ours.Value}
		for _, at := range l.listsAsking(in, gone) {
			value, changed, err := gone.Without(l.text(at))
			if err != nil {
				return step.Refuse("write it in a form that postconf(5) describes", "%s: %s: %v", l.where(at), at.name, err)
			}
			if changed {
				l.put(at, value)
			}
		}
		*notes = append(*notes, state.Note{
			Topic: m.Program.Title(), Text: fmt.Sprintf("Postfix no longer asks %s at %s; it still runs, which a rollback needs", m.Program.Title(), m.Endpoint),
			Action: "later: systemctl disable --now " + m.Program.Unit,
		})
	}
	l.services = slices.DeleteFunc(l.services, func(s state.ServiceSetting) bool { return slices.Contains(before, s) })
	off := l.stage(in, "mail is signed once, by OpenDKIM")
	if len(off.Edits) > 0 {
		stage.Edits, stage.Validators = append(stage.Edits, off.Edits...), append(stage.Validators, off.Validators...)
		stage.Units = append(stage.Units, off.Units...)
	}
	return nil
}

// listsAsking returns the lists that have both an endpoint and our milter. A service
// whose milters are left alone keeps its signer.
func (l *milterLists) listsAsking(in step.Input, gone milters.Ours) []listPlace {
	var all []listPlace
	add := func(s *state.Service, name string) {
		places, err := l.expand(s, name)
		if err != nil {
			return
		}
		for _, at := range places {
			if _, in := gone.In(l.text(at)); in && !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	p := in.Facts.Postfix
	for i := range p.Services {
		s := &p.Services[i]
		switch {
		case !signsService(in.Spec.Host, *s):
		case s.Command == "smtpd":
			add(s, "smtpd_milters")
		case s.Command == "cleanup":
			add(s, "non_smtpd_milters")
		}
	}
	add(nil, "smtpd_milters")
	add(nil, "non_smtpd_milters")
	return all
}

// OtherDomains returns the domains of this server's mail that are not in the spec:
// their signer must not be switched off.
func OtherDomains(in step.Input) []string {
	if in.Facts.Postfix == nil {
		return nil
	}
	var names []string
	known := map[string]bool{}
	for _, name := range signer.HostNames(in) {
		known[name] = true
	}
	for _, name := range localDomains(in.Facts.Postfix) {
		if _, err := syntax.DomainName(name); err == nil && strings.Contains(name, ".") && !strings.HasPrefix(name, "localhost.") && !in.Spec.Has(name) && !known[name] {
			known[name] = true
			names = append(names, name)
		}
	}
	return names
}

// notAsked returns a note about a milter that did not answer.
func notAsked(in step.Input, m state.Milter) []state.Note {
	if m.Problem == "" || !in.Spec.Signs() {
		return nil
	}
	return []state.Note{{
		Topic: "milters", Text: fmt.Sprintf("whether the milter %s (%s) signs is not known: %s", m.Endpoint, strings.Join(m.Lists, ", "), m.Problem),
		Action: "once it answers: mailsetup init, which asks it again",
	}}
}

// leftToOthers returns notes about domains that are left to another signer which does
// not sign, or whose signature does not verify.
func leftToOthers(in step.Input) []state.Note {
	var notes []state.Note
	for d := range in.Scope.Domains(in.Spec) {
		if d.SignedBy == "" {
			continue
		}
		signed := false
		for _, m := range in.Milters {
			signed = signed || signsFor(m, d.Name) || isRemote(m)
			for _, s := range m.Signatures {
				if s.Domain == d.Name && s.Problem != "" {
					notes = append(notes, state.Note{
						Topic: "dkim", Text: fmt.Sprintf("%s signs mail of %s with selector %s, and that does not verify: %s",
							m.Program.Title(), d.Name, s.Selector, s.Problem),
						Action: "publish the record of its key at " + dnsname.Key(s.Selector, d.Name),
					})
				}
			}
		}
		if !signed && in.MiltersAsked {
			notes = append(notes, state.Note{
				Topic: "unsigned", Text: fmt.Sprintf("mail of %s is left to another signer (signed_by in %s), and no milter here signs it",
					d.Name, spec.DomainFile(d.Name)),
				Action: "mailsetup init --other-signer replace signs it here",
			})
		}
	}
	return notes
}
