package exim

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// refusal returns the error of a machine on which exim4 cannot be set up as it is.
func refusal(in step.Input) error {
	e := in.Facts.Exim
	if in.Spec.Host.Inbound.DMARC != inbound.Off {
		return incoming()
	}
	for _, r := range signer.Rows(in) {
		if signer.OwnerOf(state.Path(r.File)) != signer.EximOwner {
			return step.Refuse("mailsetup init", "%s is signed with a key of OpenDKIM (%s), and exim4 has no copy of it yet", r.Domain, r.File)
		}
	}
	switch {
	case e == nil: // it will be installed as an internet site
		return nil
	case e.Whole != "":
		return orPostfix(fmt.Sprintf("put what it is for into %s, then remove it; see update-exim4.conf(8)", eximconf.ConfDir),
			"%s is in the place of the configuration that Debian generates, and mailsetup does not edit it", e.Whole)
	case eximconf.IsSmarthost(e.Type) && !e.Split:
		return orPostfix(fmt.Sprintf("sed -i \"s/^dc_use_split_config=.*/dc_use_split_config='true'/\" %s && systemctl restart exim4, unless %s or %s has settings of yours",
			eximconf.DebconfFile, eximconf.TemplateFile, eximconf.MacrosFile),
			"exim4 hands all mail to another server (%s) by the transport remote_smtp_smarthost, which knows no DKIM, and a configuration that is not split has no place for it", e.Smarthost)
	case e.Type != "internet" && !eximconf.IsLocal(e.Type) && !eximconf.IsSmarthost(e.Type):
		return orPostfix("dpkg-reconfigure exim4-config, and choose the internet site",
			"exim4 is configured in a way that mailsetup does not know (dc_eximconfig_configtype is %q)", e.Type)
	case len(e.Signs) > 0 && !takenOver(in):
		return orPostfix("take it out, then run the command again; the record of that key may stay",
			"exim4 was set up by hand to sign, in %s, in a way that mailsetup cannot take over", step.EnumerateUpTo(e.Signs, 3))
	}
	return nil
}

// takenOver reports whether the keys with which an administrator had exim4 sign are in the
// ledger, under their selector.
func takenOver(in step.Input) bool {
	hand := in.Facts.Exim.Hand
	return hand != nil && slices.ContainsFunc(in.Spec.Domains, func(d spec.Domain) bool {
		k, ok := in.Ledger.Signing(d.Name)
		return ok && k.Selector == hand.Selector && (hand.Domain == "" || hand.Domain == d.Name)
	})
}

// byHand makes comments of what an administrator has written, in each file.
func byHand(in step.Input) []state.Edit {
	var edits []state.Edit
	e := in.Facts.Exim
	if e == nil || !takenOver(in) {
		return nil
	}
	var files []string
	for _, at := range e.Signs {
		files = append(files, at[:strings.LastIndexByte(at, ':')])
	}
	for _, file := range slices.Compact(files) {
		edits = append(edits, state.EximHandEdit{Path: state.Path(file), Reason: "mailsetup signs in the place of what was set up by hand, with the same keys"})
	}
	return edits
}

// orPostfix returns a refusal with what to do about it, or without exim4: it may be here as
// what is proposed, and nobody asked for it.
func orPostfix(remedy, format string, a ...any) error {
	return &step.Refusal{
		What: fmt.Sprintf(format, a...), Hint: remedy,
		Then: []string{"mailsetup init --mta postfix --replace-mta puts Postfix in its place"},
	}
}

// incoming refuses DMARC, which no exim4 of Debian has been built with (4.96, 4.98).
func incoming() error {
	return &step.Refusal{
		What: "no exim4 of Debian can check DMARC: neither exim4-daemon-light nor exim4-daemon-heavy was built with it",
		Hint: "mailsetup inbound --dmarc off; SPF and block lists are there (--spf, --dnsbl)",
		Then: []string{"rspamd judges DMARC, and exim4-daemon-heavy can ask it: spamd_address = 127.0.0.1 11333 variant=rspamd; see content scanning in the specification of Exim"},
	}
}

// notes says what Exim does with mail for domains that are received here, and which mail of
// others it takes.
func notes(in step.Input) []state.Note {
	e := in.Facts.Exim
	if e == nil {
		return nil
	}
	var missing []string
	for d := range in.Scope.Domains(in.Spec) {
		if d.Receive && !slices.Contains(e.Local, d.Name) {
			missing = append(missing, d.Name)
		}
	}
	var list []state.Note
	if eximconf.IsSmarthost(e.Type) {
		list = append(list, state.Note{
			Topic: "smarthost", Text: fmt.Sprintf("mail leaves through %s; the SPF record of %s has to name its addresses", e.Smarthost, in.Spec.Host.Domain),
			Action: "mailsetup init --spf-include DOMAIN, the one that the provider of the smarthost names",
		})
	}
	if len(missing) > 0 {
		list = append(list, state.Note{
			Topic: "local domains", Text: "exim4 does not take mail for " + step.EnumerateUpTo(missing, 5) + " yet: others are told \"relay not permitted\"",
			Action: fmt.Sprintf("add to dc_other_hostnames in %s: %s; then systemctl reload exim4", eximconf.DebconfFile, strings.Join(missing, ":")),
		})
	}
	if len(missing) > 0 && e.Interfaces != "" {
		list = append(list, state.Note{
			Topic: "interfaces", Text: "exim4 listens on " + e.Interfaces + " alone",
			Action: fmt.Sprintf("empty dc_local_interfaces in %s, if mail is to come in; then systemctl restart exim4", eximconf.DebconfFile),
		})
	}
	return list
}
