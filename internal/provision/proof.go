package provision

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/eximcheck"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/facts"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/livepath"
	"mailsetup/internal/plan"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/daemons"
	"mailsetup/steps/exim"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

const signerAsked = "The signer was asked, and signs mail of this server."

// verify proves an empty plan: files do not tell whether a daemon was stopped, or what
// happens to mail.
func (p *Provisioner) verify(ctx context.Context, d *Draft) (Result, error) {
	res := Result{Notes: d.Plan.Notes}
	if !p.isDirectory() {
		err := probeDaemons(ctx, p.Machine.Sys, d.Input)
		if err == nil {
			res.Proven, _, err = p.sendMessages(ctx, d)
		}
		if err != nil {
			return Result{}, err
		}
	}
	sayUnsaved(p.UI, p.saveFingerprints(d))
	return res, nil
}

// prove returns what was proven about outgoing mail after a plan was applied, and what
// failed. A run that did not act on the signer has not asked it yet.
func (p *Provisioner) prove(ctx context.Context, d *Draft) (proven string, problem error) {
	if len(d.Input.Spec.Domains) == 0 {
		return "", nil // the host is given back, and its daemons were asked by their stages
	}
	if !d.Input.Spec.Signs() {
		return "Mail of this server is left to the signer that was here before.", nil
	}
	if d.Proof == ProveDelivery { // a unit that somebody stopped is why, and no other check says so
		for _, h := range daemons.Halted(d.Input) {
			if !actsOn(d.Plan, h.Unit) {
				return "", hint.New(h.Action, "%s", h.Text)
			}
		}
	}
	if !asksSigner(d.Plan) && (d.Input.Spec.Host.MTA != spec.Exim || d.Proof == ProveSigner) {
		if err := askSigner(ctx, p.Machine.Sys, d.Input); err != nil {
			return "", err
		}
	}
	if d.Proof == ProveSigner {
		return signerAsked, nil
	}
	proven, whole, err := p.sendMessages(ctx, d)
	switch {
	case ctx.Err() != nil:
		return "", nil // interrupted when all was done
	case err != nil:
		return "", err
	case whole:
		apart := ""
		others := slices.ContainsFunc(d.Input.Spec.Domains, func(d spec.Domain) bool { return d.SignedBy != "" })
		if h := d.Input.Spec.Host; len(h.LeaveServices) > 0 || h.SignBounces == "no" || others {
			apart = ", apart from what you left out"
		}
		if p := d.Input.Facts.Postfix; p != nil && slices.ContainsFunc(p.Services, func(s state.Service) bool { return postconf.ProxyFilter(p, &s) != "" }) {
			apart += ", apart from what takes the way through smtpd_proxy_filter"
		}
		proven = "Mail of this server leaves signed" + apart + ". " + proven
	}
	return proven, nil
}

// actsOn reports whether a plan reloads or starts a unit, which is up then.
func actsOn(p plan.Plan, unit string) bool {
	return slices.ContainsFunc(p.Stages, func(st plan.StageChanges) bool {
		return slices.ContainsFunc(st.Units, func(u state.Unit) bool { return u.Name == unit && !u.Action.AtBoot() })
	})
}

// asksSigner reports whether a probe of the plan needs a signature.
func asksSigner(p plan.Plan) bool {
	return slices.ContainsFunc(p.Stages, func(st plan.StageChanges) bool {
		return slices.ContainsFunc(st.Units, func(u state.Unit) bool {
			return slices.ContainsFunc(u.Probes, func(q state.Probe) bool { return q.Kind == state.ProbeSigns })
		})
	})
}

// probeDaemons probes whether the daemons run with their files.
func probeDaemons(ctx context.Context, sys system.System, in step.Input) error {
	if err := askSigner(ctx, sys, in); err != nil {
		return err
	}
	f := in.Facts
	if f.SMTPAddress == "" || f.Postfix == nil {
		return nil // a null client; whether Postfix runs was seen with the facts
	}
	err := sys.Probe(ctx, state.Probe{Kind: state.ProbeSMTP, Address: f.SMTPAddress, Within: 10 * time.Second})
	if err != nil && ctx.Err() == nil {
		return hint.New("systemctl restart "+f.Postfix.Unit+"; if it does not help: journalctl -u "+f.Postfix.Unit+" -n 20",
			"Postfix takes no mail, although the files are as they should be: %w", err)
	}
	return ctx.Err()
}

// askSigner probes the signer for a signature of the host's own mail.
func askSigner(ctx context.Context, sys system.System, in step.Input) error {
	if in.Spec.Host.MTA == spec.Exim {
		return AskExim(ctx, sys, in)
	}
	probe, ok := signer.Proof(in)
	if !ok {
		return nil
	}
	if err := sys.Probe(ctx, probe); err != nil {
		return cmp.Or(ctx.Err(), unusableKeys(sys, probe.Signers, in.Ledger), hint.New("systemctl restart opendkim; if it does not help: journalctl -u opendkim -n 20",
			"mail does not leave signed, although the files are as they should be: %w", err))
	}
	return nil
}

func eximTransport(e *state.Exim) string {
	if e == nil {
		return eximconf.Transport("")
	}
	return eximconf.Transport(e.Type)
}

// AskExim has Exim deliver messages of the host and its domain.
func AskExim(ctx context.Context, sys system.System, in step.Input) error {
	probe, ok := exim.Proof(in)
	if !ok {
		return nil
	}
	probe.Signers = signer.Senders(in)
	if err := sys.Probe(ctx, probe); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if key := unusableKeys(sys, probe.Signers, in.Ledger); key != nil {
			return key
		}
		if why := eximcheck.Cause(ctx, sys, in); why != nil {
			return hint.New(strings.Join(hint.Of(why), "\n"), "%s: %w", notSigned(err), why)
		}
		return hint.New("mailsetup init; if it does not help: exim4 -bP transports | grep dkim, and /var/log/exim4/paniclog",
			"mail does not leave signed, although the files are as they should be: %w", err)
	}
	return nil
}

// notSigned returns what a probe of Exim said in one clause.
func notSigned(err error) string { return "mail does not leave signed (" + err.Error() + ")" }

// unusableKeys reports what is wrong with the files of the keys that should sign.
func unusableKeys(files system.Reader, signers []state.Signer, ledger keyring.Ledger) error {
	for _, s := range signers {
		for _, k := range ledger[s.Domain] {
			if k.Selector != s.Selector || k.File == "" {
				continue
			}
			if err := dkimkeys.Diagnose(files, s.Domain, k); err != nil {
				return fmt.Errorf("mail does not leave signed: %w", err)
			}
		}
	}
	return nil
}

// sendMessages sends messages of one domain through Postfix to the sink, and returns
// what was proven. The notes of the plan may tell why a signature does not verify.
func (p *Provisioner) sendMessages(ctx context.Context, d *Draft) (proven string, whole bool, err error) {
	senders := signer.Senders(d.Input)
	postfix := d.Input.Facts.Postfix
	switch {
	case len(senders) == 0:
		return "", false, nil // no key signs yet, or another program does
	case d.Input.Spec.Host.MTA == spec.Exim:
		return fmt.Sprintf("A message from %s went all the way through exim4's transport %s, and its signature verifies.", senders[0].From, eximTransport(d.Input.Facts.Exim)), true, AskExim(ctx, p.Machine.Sys, d.Input)
	case postfix == nil:
		return signerAsked, false, nil
	}
	p.UI.Logf("does a message arrive signed, all the way through Postfix")
	if changed := d.Plan.Paths(); slices.Contains(changed, postconf.MainCF) || slices.Contains(changed, postconf.MasterCF) {
		if postfix, err = facts.PostfixNow(ctx, p.Machine.Sys, postfix); err != nil {
			return "", false, err
		}
	}
	res, err := livepath.Probe(ctx, p.Machine.Sys, livepath.Request{Postfix: postfix, SMTP: smtpAddress(d.Input.Facts), Signers: senders})
	if err != nil {
		return "", false, err
	}
	if broken := res.Broken(); len(broken) > 0 {
		return "", false, brokenSignature(broken[0], d.Plan.Notes)
	}
	if err := signedAgain(res.Proven(), postfix); err != nil {
		return "", false, err
	}
	if len(res.Proven()) == 0 {
		return signerAsked + " " + res.Summary(), false, nil
	}
	return res.Summary(), true, nil
}

// signedAgain returns the error of a content filter that hands mail back in a way that
// the signer takes for new mail: it would sign what others forge, too.
func signedAgain(proven []livepath.Delivery, postfix *state.Postfix) error {
	i := slices.IndexFunc(proven, func(d livepath.Delivery) bool { return d.Signatures > 1 })
	if i < 0 || !postconf.PipesBack(postfix) {
		return nil
	}
	d := proven[i]
	return hint.New("let the program keep the Received fields of a message when it hands it to sendmail(1), or hand it back to a service of its own in "+string(postconf.MasterCF)+": 127.0.0.1:10026 inet n - y - - smtpd -o content_filter=",
		"mail is signed again after the content filter: a message from %s, by %s, arrived with %d signatures of %s. So it would be if somebody outside had sent it in your name",
		d.Signer.From, d.Way, d.Signatures, d.Signer.Domain)
}

// smtpAddress returns where Postfix takes SMTP, even if it did not run yet when the
// facts were gathered.
func smtpAddress(f state.Facts) string {
	smtpd := func(v state.Service) bool { return v.Name == "smtp/inet" || v.Name == "25/inet" }
	if f.SMTPAddress == "" && slices.ContainsFunc(f.Postfix.Services, smtpd) {
		return "127.0.0.1:25"
	}
	return f.SMTPAddress
}

// brokenSignature returns the error of a message whose signature does not verify on
// arrival, although the signer made one that does.
func brokenSignature(d livepath.Delivery, notes []state.Note) error {
	text := fmt.Sprintf("mail does not leave signed: a message from %s, by %s and Postfix's %s, arrived, but %s", d.Signer.From, d.Way, d.Transport, d.Broken)
	if d.EightBit {
		text += " (of a message with 8-bit text)"
	}
	if len(d.Changed) > 0 {
		text += ". On its way were changed: " + strings.Join(d.Changed, ", ")
	}
	remedy := "postconf -n | grep -E 'smtp_(generic_maps|.*checks|discard_ehlo)' and postconf -P show what Postfix changes after signing; other milters and a content filter may do so, too"
	var named []string
	for _, n := range notes {
		if strings.HasPrefix(n.Topic, "smtp_") {
			named = append(named, n.Text+"; "+n.Action)
		}
	}
	if len(named) > 0 {
		remedy = strings.Join(named, "\n")
	}
	return hint.New(remedy, "%s", text)
}
