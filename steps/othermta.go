package steps

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/inbound"
	"mailsetup/steps/postfix"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// replaceQuestion asks before one mail server replaces another.
func replaceQuestion(in step.Input) []state.Question {
	f, o := in.Facts, in.Facts.OtherMTA
	exim := in.Spec.Host.MTA == spec.Exim
	switch {
	case exim && f.Installed["postfix"]:
		return []state.Question{{
			ID: "mta postfix", Kind: state.AskMTA, Subject: "postfix",
			Text: "postfix is this machine's mail server. What waits in its queue (postqueue -p) would stay behind undelivered. Installing exim4 removes it.",
		}}
	case exim && f.Installed["exim4-daemon-light"] && inbound.NeedsEximSPF(in) && !f.Installed[inbound.EximSPFPackage]:
		return []state.Question{{
			ID: "mta exim4-daemon-light", Kind: state.AskMTA, Subject: "exim4-daemon-light",
			Text: "exim4-daemon-light cannot check SPF, and exim4-daemon-heavy can: the same exim4 with more built in. It takes over the configuration and what waits in the queue. While apt exchanges them nothing is taken for some seconds: other servers try again, a program that calls sendmail(8) then is told so.",
		}}
	case o == nil, f.Installed["postfix"], exim && strings.HasPrefix(o.Package, "exim4"):
		return nil
	}
	queue := "How many messages wait in its queue could not be found out. "
	switch {
	case o.Counted && o.Spool == "":
		queue = ""
	case o.Counted && o.Queue == 0:
		queue = "Its queue is empty. "
	case o.Counted:
		queue = countMessages(o.Queue, "waits", "wait") + " in its queue and would stay behind undelivered. "
	}
	stays := ""
	if strings.HasPrefix(o.Package, "exim4") && in.Spec.Host.MTA == "" && in.Keys.Copies == nil {
		stays = "With --mta exim4 it stays, and signs itself. "
	}
	return []state.Question{{
		ID: "mta " + o.Package, Kind: state.AskMTA, Subject: o.Package,
		Text: fmt.Sprintf("%s is this machine's mail server. %s%sInstalling %s removes it.", o.Package, stays, queue, map[bool]string{true: "exim4", false: "Postfix"}[exim]),
	}}
}

func countMessages(n int, verb, verbs string) string {
	if n == 1 {
		return "1 message " + verb
	}
	return fmt.Sprintf("%d messages %s", n, verbs)
}

// replacedMTA returns notes on what another mail server did, or keeps, and Postfix does
// not take over.
func replacedMTA(in step.Input) []state.Note {
	o := in.Facts.OtherMTA
	if o == nil {
		return nil
	}
	notes := append(leftInQueue(in.Facts), otherAliases(in.Facts)...)
	notes = append(notes, eximWords(in.Facts)...)
	if e := in.Facts.Exim; e != nil && len(e.Signs) > 0 && e.Hand == nil {
		notes = append(notes, state.Note{
			Topic: "keys", Informational: true,
			Text: fmt.Sprintf("exim4 was set up by hand to sign, in %s, in a way that mailsetup cannot take over: new keys sign from then on; the record of the old key may stay",
				step.EnumerateUpTo(e.Signs, 3)),
		})
	}
	if o.Relay != "" {
		notes = append(notes, state.Note{
			Topic: "relayhost",
			Text: fmt.Sprintf("%s hands all mail to %s; Postfix delivers it itself, from this machine's own addresses, unless you say so "+
				"(and where it wants a password: smtp_sasl_password_maps)", o.Package, o.Relay),
			Action: fmt.Sprintf("postconf -e 'relayhost = %s' && postfix reload", o.Relay),
		})
	}
	if o.Maildir {
		notes = append(notes, state.Note{
			Topic: "mailboxes", Text: o.Package + " puts local mail into ~/Maildir, Postfix into /var/mail",
			Action: "postconf -e home_mailbox=Maildir/ && postfix reload",
		})
	}
	return append(notes, otherMailname(in)...)
}

// leftInQueue returns notes about mail in the queue of a removed mail server.
func leftInQueue(f state.Facts) []state.Note {
	o := f.OtherMTA
	if o.Queue == 0 {
		return nil
	}
	if f.Installed["postfix"] {
		it := "it"
		if o.Queue > 1 {
			it = "them"
		}
		return []state.Note{{
			Topic: "queue",
			Text: fmt.Sprintf("%s behind in %s when %s was removed. To deliver %s, take %s to a machine where %s runs: here apt would remove Postfix for it",
				countMessages(o.Queue, "stayed", "stayed"), o.Spool, o.Package, it, o.Spool, o.Package),
			Action: "there: " + o.Flush,
		}}
	}
	they := "It STAYS"
	if o.Queue > 1 {
		they = "They STAY"
	}
	return []state.Note{{
		Topic: "queue", Informational: true,
		Text: fmt.Sprintf("%s in the queue of %s. %s BEHIND in %s, where nobody delivers mail any more: empty the queue first",
			countMessages(o.Queue, "waits", "wait"), o.Package, they, o.Spool),
		Action: o.Flush,
	}}
}

// otherAliases returns notes about aliases that Postfix would not read. Both read
// /etc/aliases.
func otherAliases(f state.Facts) []state.Note {
	o := f.OtherMTA
	switch {
	case o.Aliases == "":
		return nil
	case strings.HasPrefix(o.Package, "courier"): // a directory of them
		return []state.Note{{
			Topic: "aliases", Text: fmt.Sprintf("the aliases of %s are in %s, those of Postfix in %s", o.Package, o.Aliases, postfix.AliasFile),
			Action: fmt.Sprintf("write those that you need into %s, then run newaliases", postfix.AliasFile),
		}}
	}
	theirs := postfix.TableType(f) + ":" + string(o.Aliases)
	both := fmt.Sprintf("%s, %s:%s", theirs, postfix.TableType(f), postfix.AliasFile)
	return []state.Note{{
		Topic: "aliases", Text: fmt.Sprintf("the aliases of %s are in %s, those of Postfix in %s; it can read both", o.Package, o.Aliases, postfix.AliasFile),
		// The database first: local(8) defers all mail while one is missing.
		Action: fmt.Sprintf("postalias %s && postconf -e 'alias_maps = %s' 'alias_database = %s'", theirs, both, both),
	}}
}

// eximWords returns notes about words in aliases that are special in exim ("Special
// items in redirection lists" of its specification) and user names in Postfix.
func eximWords(f state.Facts) []state.Note {
	if !strings.HasPrefix(f.OtherMTA.Package, "exim") {
		return nil
	}
	var at, what []string
	number := 0
	for line := range strings.Lines(string(f.Files[postfix.AliasFile])) {
		number++
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, word := range []string{":blackhole:", ":fail:", ":defer:", ":unknown:"} {
			if strings.Contains(line, word) {
				at, what = append(at, strconv.Itoa(number)), append(what, word)
			}
		}
	}
	if len(at) == 0 {
		return nil
	}
	lines := "line "
	if len(at) > 1 {
		lines = "lines "
	}
	slices.Sort(what)
	return []state.Note{{
		Topic: "aliases",
		Text: fmt.Sprintf("%s has in %s what only exim understands (%s): Postfix bounces such mail as if for an unknown user",
			postfix.AliasFile, lines+step.EnumerateUpTo(at, 5), strings.Join(slices.Compact(what), ", ")),
		Action: "write /dev/null for :blackhole:, take :fail: lines out, then run newaliases",
	}}
}

// otherMailname says what the package postfix does to Debian's mail name.
func otherMailname(in step.Input) []state.Note {
	was, _, _ := strings.Cut(string(in.Facts.Files["/etc/mailname"]), "\n")
	was = strings.TrimSpace(was)
	if was == "" || was == signer.Mailname(in) || in.Facts.Installed["postfix"] {
		return nil
	}
	return []state.Note{{
		Topic: "mailname", Informational: true,
		Text: fmt.Sprintf("/etc/mailname says %s; the package postfix writes %s there, which is what follows the @ in mail from root and from programs",
			was, signer.Mailname(in)),
	}}
}

// replacedPostfix returns notes on what Postfix did, and an exim4 that is installed in its
// place does not.
func replacedPostfix(f state.Facts) []state.Note {
	if !f.Installed["postfix"] || f.Postfix == nil {
		return nil
	}
	notes := []state.Note{{
		Topic: "opendkim", Text: "OpenDKIM stays, and nobody asks it any more", Action: "systemctl disable --now opendkim, once you are sure",
	}}
	if relay := f.Postfix.Value["relayhost"]; relay != "" {
		notes = append(notes, state.Note{
			Topic: "relayhost", Text: fmt.Sprintf("Postfix hands all mail to %s; exim4 delivers it itself, from this machine's own addresses, unless you say so", relay),
			Action: "dpkg-reconfigure exim4-config, and choose the smarthost and a split configuration; then mailsetup init",
		})
	}
	return notes
}
