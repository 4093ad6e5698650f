// Package exim says how Debian's exim4 signs the mail that it sends, itself: macros, and a
// table of domains.
package exim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Table has a row for each domain.
const Table = eximconf.Table

// macros returns the macros of Debian's transport remote_smtp. Exim refuses a file name that
// was made from data of a message ("tainted"), and sends that message unsigned; what lsearch
// found in a file is trusted. Only mail of this machine and of those that it relays for is
// signed, so that forged mail which an alias forwards is not. A field that a message has is
// signed as often as it is there: a mailing list may add List-Id and Sender. From is signed
// once more than it is there, so that nobody can add another.
func macros() []string {
	return []string{
		"MAILSETUP_OURS = or{{!def:sender_host_address}{def:sender_host_authenticated}{match_ip{$sender_host_address}{+relay_from_hosts}}}",
		"MAILSETUP_FROM = ${lc:${domain:${listextract{1}{${addresses:$rh_from:}}{$value}{}}}}",
		"MAILSETUP_ROW = ${lookup{MAILSETUP_FROM}partial-lsearch{" + string(Table) + "}}",
		"DKIM_DOMAIN = ${if MAILSETUP_OURS{${extract{1}{ }{MAILSETUP_ROW}}}}",
		"DKIM_SELECTOR = ${extract{2}{ }{MAILSETUP_ROW}}",
		"DKIM_PRIVATE_KEY = ${extract{3}{ }{MAILSETUP_ROW}}",
		"DKIM_CANON = relaxed",
		"DKIM_SIGN_HEADERS = +From:=Sender:=Reply-To:=Subject:=Date:=Message-ID:=To:=Cc:=In-Reply-To:=References:" +
			"=MIME-Version:=Content-Type:=Content-Transfer-Encoding:=Content-ID:=Content-Description:=Content-Disposition",
	}
}

const smarthostOptions = `  dkim_domain = DKIM_DOMAIN
  dkim_selector = DKIM_SELECTOR
  dkim_private_key = DKIM_PRIVATE_KEY
  dkim_canon = DKIM_CANON
  dkim_sign_headers = DKIM_SIGN_HEADERS
`

// Configure provides the table and the macros with which Exim signs.
func Configure(in step.Input) (state.Stage, []state.Note, error) {
	if err := refusal(in); err != nil {
		return state.Stage{}, nil, err
	}
	rows, err := table(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := state.Stage{Files: []state.File{{
		Path: Table, Mode: 0o644, Owner: state.Root, Content: rows, Why: "which domains are signed, with which key: exim reads it for each message",
	}}}
	if p, ok := Proof(in); ok {
		stage.Probes = []state.Probe{p}
	}
	if in.KeysOnly {
		return stage, nil, nil
	}
	e := in.Facts.Exim
	if e == nil {
		e = &state.Exim{} // as it will be installed
	}
	const why = "exim signs mail that leaves"
	settings := eximconf.MacrosFile
	stage.Edits = byHand(in)
	if e.Split {
		settings = eximconf.SplitFile
		text := "# Written by mailsetup: DKIM. It is made anew by mailsetup init.\n" + strings.Join(macros(), "\n") + "\n"
		stage.Files = append(stage.Files, state.File{Path: eximconf.SplitFile, Mode: 0o644, Owner: state.Root, Content: []byte(text), Why: why})
		if eximconf.IsSmarthost(e.Type) {
			text := "# Written by mailsetup: options of the transport above, which knows no macros of DKIM.\n" + smarthostOptions
			stage.Files = append(stage.Files, state.File{Path: eximconf.SmarthostFile, Mode: 0o644, Owner: state.Root, Content: []byte(text), Why: why + ", by a smarthost"})
		} else {
			stage.Remove = []state.Path{eximconf.SmarthostFile}
		}
	} else {
		stage.Edits = append(stage.Edits, state.BlockEdit{Path: eximconf.MacrosFile, Name: eximconf.BlockName, Lines: macros(), Create: true, Stamp: true, Reason: why})
	}
	if eximconf.IsLocal(e.Type) {
		stage.Edits = append(stage.Edits, state.EximEdit{
			Path: eximconf.DebconfFile, Set: []state.Setting{{Name: "dc_eximconfig_configtype", Value: "internet"}}, Reason: "mail leaves this machine; until now it was delivered here alone",
		})
	}
	unit, valid := Reading(in)
	stage.Units, stage.Validators = []state.Unit{unit}, []state.Validator{valid}
	read := []state.Path{settings, eximconf.SmarthostFile}
	for _, edit := range stage.Edits {
		read = append(read, edit.Target())
	}
	stage.Only = func(changes func(state.Path) bool) ([]state.Unit, []state.Validator) {
		if !slices.ContainsFunc(read, changes) {
			return nil, nil // exim reads the table for each message
		}
		return []state.Unit{unit}, []state.Validator{valid}
	}
	return stage, notes(in), nil
}

// Reading returns what has exim4 read files of its configuration that change, and what
// accepts them before.
func Reading(in step.Input) (state.Unit, state.Validator) {
	unit := state.Unit{Name: eximconf.Unit, Action: state.Reload, Why: "it has its configuration made anew", Probes: []state.Probe{{Kind: state.ProbeActive, Unit: eximconf.Unit}}}
	if !in.Facts.Daemons[eximconf.Unit].Running {
		unit.Action = state.Start
	}
	e := in.Facts.Exim
	if e == nil {
		e = &state.Exim{} // as it will be installed
	}
	return unit, validator(e)
}

// validator has Debian's program make the configuration in the scratch tree, and Exim
// read it. It reads eximconf.MacrosFile there only where the machine has one. With -C, Exim
// is no longer root once it has opened the file, so eximconf.Checks is put into that.
func validator(e *state.Exim) state.Validator {
	const script = `out=$1/mailsetup-check
update-exim4.conf -d "$1" -o "$out" || exit
if [ "$2" = unsplit ] && [ -e "$1/exim4.conf.localmacros" ] && ! [ -e /etc/exim4/exim4.conf.localmacros ]; then
	cat "$1/exim4.conf.localmacros" "$out" >"$out.all" && mv -f "$out.all" "$out" || exit
fi
if [ -e "$1/mailsetup.rcpt" ]; then
	sed -i -e "/^ *\.include CHECK_RCPT_LOCAL_ACL_FILE\$/r $1/mailsetup.rcpt" -e //d "$out" || exit
fi
exim4 -C "$out" -bV >/dev/null`
	layout := map[bool]string{true: "split", false: "unsplit"}[e.Split]
	return state.Validator{
		Name: "exim4 -bV", Needs: e.Files,
		Argv: func(scratch func(state.Path) string) []string {
			return []string{"sh", "-c", script, "sh", scratch("/etc/exim4"), layout}
		},
	}
}

// table returns the rows of the table.
func table(in step.Input) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Written by mailsetup: domain of From, d=, selector, private key.\n")
	for _, r := range signer.Rows(in) {
		pattern := r.Pattern
		switch {
		case strings.Contains(pattern, "@") || pattern == "*" || r.Signer != "":
			return nil, step.Refuse("take that out of the file of the domain in /etc/mailsetup/domains.d",
				"exim4 signs by the domain in From: it cannot sign for %s of %s (also, partial, identities)", pattern, r.Domain)
		case pattern[0] == '.':
			pattern = "*" + pattern
		}
		fmt.Fprintf(&b, "%s: %s %s %s\n", pattern, r.Domain, r.Selector, r.File)
	}
	return b.Bytes(), nil
}

// maxMessages is how many senders a run asks Exim for a message of: each is a process of its
// own, and takes a twentieth of a second.
const maxMessages = 100

// Proof returns the probe for a message of each domain of the run, and of the host; of some
// of them where there are many. It is false while no key signs.
func Proof(in step.Input) (state.Probe, bool) {
	all := signer.AllSenders(in)
	if len(all) == 0 {
		return state.Probe{}, false
	}
	if len(all) > maxMessages {
		all = slices.Concat(all[:maxMessages-1], all[len(all)-1:])
	}
	return state.Probe{
		Kind: state.ProbeExim, Address: string(eximconf.Generated), Signers: all,
		Within: 20*time.Second + time.Duration(len(all))*time.Second,
	}, true
}
