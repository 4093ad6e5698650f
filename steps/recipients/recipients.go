// Package recipients finds out who reads the mail that this server sends to people:
// root's, reports about domains.
package recipients

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/edits"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// Addressee is an address of the spec that needs a reader.
type Addressee struct {
	Address string // as Postfix gets it: root for the root alias
	Flag    string // that names it
	Domain  string // whose reports go there; "" for the host's
}

// Addressees returns the addresses of the run.
func Addressees(in step.Input) []Addressee {
	var list []Addressee
	if in.Scope.WholeHost() && in.Spec.Host.RootAlias != "" {
		list = append(list, Addressee{Address: "root", Flag: "--root-alias"})
	}
	if in.Scope.WholeHost() && in.Spec.Host.Notify != "" {
		list = append(list, Addressee{Address: in.Spec.Host.Notify, Flag: "--notify"})
	}
	for d := range in.Scope.Domains(in.Spec) {
		for _, r := range []struct {
			flag string
			uris []string
		}{{"--rua", d.DMARC.RUA}, {"--ruf", d.DMARC.RUF}} {
			for _, uri := range r.uris {
				if address, mail := strings.CutPrefix(uri, "mailto:"); mail {
					list = append(list, Addressee{address, r.flag, d.Name})
				}
			}
		}
	}
	return list
}

// isForReports reports whether others send mail to the address, so that smtpd(8) has to
// accept it.
func (a Addressee) isForReports() bool { return a.Domain != "" }

// isLost reports whether mail for the address reaches nobody.
func (a Addressee) isLost(r state.Recipient) bool { return r.Lost() || a.isForReports() && r.Refused }

// CheckReaders refuses addresses that do not exist. An address to which DNS already
// sends reports is no reason to stop: a note names it.
func CheckReaders(in step.Input) error {
	for _, a := range Addressees(in) {
		if r := in.Facts.Recipients[a.Address]; a.isLost(r) && !a.published(in) {
			return &step.Refusal{What: a.what(in) + ": " + a.why(r), Hint: a.hint(in, r)}
		}
	}
	return nil
}

// CheckReadersSince is CheckReaders for a run after others. An alias of root's in
// /etc/aliases that led nowhere before, too, is no reason to refuse the rest of the
// run: a note names it.
func CheckReadersSince(was, in step.Input) error {
	if was.Spec.Host.RootAlias == in.Spec.Host.RootAlias && was.Facts.Recipients["root"].Lost() && keepsRoot(in) {
		in.Facts.Recipients = maps.Clone(in.Facts.Recipients)
		delete(in.Facts.Recipients, "root")
	}
	return CheckReaders(in)
}

// keepsRoot reports whether the run leaves root's alias as it is.
func keepsRoot(in step.Input) bool {
	after := AliasesText(in)
	return after == nil || edits.AliasEntries(after)["root"] == edits.AliasEntries(in.Facts.Files[postfix.AliasFile])["root"]
}

// Notes returns notes about addresses that may not exist.
func Notes(in step.Input) []state.Note {
	notes := aliasUnused(in)
	unused := len(notes) > 0
	for _, a := range Addressees(in) {
		switch r := in.Facts.Recipients[a.Address]; {
		case unused && a.Address == "root": // whoever has the alias's address
		case a.isLost(r):
			notes = append(notes, state.Note{Topic: a.topic(), Text: a.what(in) + ": " + a.why(r), Action: a.hint(in, r)})
		case r.End == state.EndUnknown:
			notes = append(notes, state.Note{
				Topic: a.topic(), Text: fmt.Sprintf("could not find out whether somebody has %s: %s", a.asGiven(in), r.Why),
				Action: "send a message to " + a.Address + ", and see whether it arrives",
			})
		}
	}
	return notes
}

// aliasUnused returns notes about settings with which Postfix does not look up root's
// alias: mail for root leaves before local(8) gets it, or local(8) does not read the
// file.
func aliasUnused(in step.Input) []state.Note {
	if in.Spec.Host.RootAlias == "" || !in.Scope.WholeHost() {
		return nil
	}
	root := in.Facts.Recipients["root"]
	if root.Lost() {
		return nil
	}
	if root.End == state.EndElsewhere && root.Agent != "local" && strings.HasPrefix(root.Address, "root@") {
		return []state.Note{{
			Topic: "aliases",
			Text: fmt.Sprintf("mail for root is mail for %s (myorigin), which another host gets: the alias for %s is not looked at",
				root.Address, in.Spec.Host.RootAlias),
			Action: "set myorigin to a name that is in mydestination, if root's mail is to be read there",
		}}
	}
	set := postfix.Settings(in)
	if _, read := aliasTypes(set["alias_maps"]); !read {
		return []state.Note{unreadAliases(in, root, set)}
	}
	return nil
}

// unreadAliases says that an alias in /etc/aliases would do nothing, and what would.
func unreadAliases(in step.Input, root state.Recipient, set map[string]string) state.Note {
	is := "alias_maps is empty"
	if set["alias_maps"] != "" {
		is = "alias_maps = " + set["alias_maps"]
	}
	n := state.Note{Topic: "aliases", Text: fmt.Sprintf("%s: Postfix does not read %s, and no alias there sends root's mail to %s",
		is, postfix.AliasFile, in.Spec.Host.RootAlias)}
	if root.Class == state.ClassVirtualMailbox || root.Class == state.ClassVirtualAlias {
		n.Action = fmt.Sprintf("give root@%s an alias for it in a table of virtual_alias_maps", set["myorigin"])
		return n
	}
	table := postfix.TableType(in.Facts) + ":" + string(postfix.AliasFile)
	commands := []string{
		"postalias " + table, // local(8) defers all mail while it is missing
		fmt.Sprintf("postconf -e 'alias_maps = %s'", strings.TrimLeft(set["alias_maps"]+", "+table, ", ")),
		"postfix reload", "mailsetup init --yes",
	}
	if in.Facts.Files[postfix.AliasFile] == nil {
		commands = append([]string{"touch " + string(postfix.AliasFile)}, commands...)
	}
	n.Action = strings.Join(commands, " && ")
	return n
}

func (a Addressee) topic() string {
	if a.isForReports() {
		return "dmarc"
	}
	return "aliases"
}

// asGiven returns the address as the administrator gave it.
func (a Addressee) asGiven(in step.Input) string {
	if a.Address == "root" {
		return in.Spec.Host.RootAlias
	}
	return a.Address
}

func (a Addressee) what(in step.Input) string {
	switch {
	case a.isForReports():
		return fmt.Sprintf("%s %s: the reports about %s would reach nobody", a.Flag, a.Address, a.Domain)
	case a.Address == "root":
		return fmt.Sprintf("--root-alias %s: root's mail would be lost", a.asGiven(in))
	}
	return fmt.Sprintf("%s %s: what is mailed there would be lost", a.Flag, a.Address)
}

func (a Addressee) why(r state.Recipient) string {
	if r.Lost() {
		return r.Why
	}
	return "Postfix takes no mail for it from others"
}

// published reports whether the domain's DMARC record sends reports there
// already.
func (a Addressee) published(in step.Input) bool {
	if !a.isForReports() {
		return false
	}
	name := dnsname.Policy(a.Domain)
	texts := slices.Clone(in.Facts.Live[name].TXT)
	if zone, ok := in.Facts.Zones.Closest(name + "."); ok {
		texts = append(texts, ofType(slices.Concat(zone.Records, zone.OurRecords), name, "TXT")...)
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		d, err := policy.ParseDMARC(text)
		return err == nil && slices.ContainsFunc(d.URIs(strings.TrimPrefix(a.Flag, "--")), func(uri string) bool { return records.SameURI(uri, "mailto:"+a.Address) })
	})
}

// login is what adduser(8) takes for a user by default.
var login = regexp.MustCompile(`^[a-z][-a-z0-9_]{0,31}$`)

// hint says how the address gets a reader, or names another one.
func (a Addressee) hint(in step.Input, r state.Recipient) string {
	user, domain, _ := strings.Cut(r.Address, "@")
	other := fmt.Sprintf("name an address that somebody reads: %s ADDRESS", a.Flag)
	if a.isForReports() && a.Domain != in.Spec.Host.Domain && in.Scope.WholeHost() { // others are named by the command
		other = fmt.Sprintf("name an address that somebody reads: mailsetup init --domain %s %s ADDRESS", a.Domain, a.Flag)
	}
	value := func(name string) string {
		if p := in.Facts.Postfix; p != nil && p.Value[name] != "" {
			return fmt.Sprintf("%s (%s)", name, p.Value[name])
		}
		return name
	}
	first := ""
	switch {
	case user == "root" && r.Class == state.ClassDefault && a.Address == "root": // whatever the alias says
		return fmt.Sprintf("mail for root is mail for %s (myorigin): let Postfix take mail for %s, or set myorigin to a name that is in mydestination", r.Address, domain)
	case r.End == state.EndLoop, strings.Contains(r.Why, "/dev/null"):
	case r.Class == state.ClassLocal && !r.Refused && login.MatchString(user) && strings.HasPrefix(r.Why, "there is no user"):
		first = "make that user first: adduser " + user
	case r.Class == state.ClassVirtualMailbox:
		first = fmt.Sprintf("give %s a mailbox in %s", r.Address, value("virtual_mailbox_maps"))
	case r.Class == state.ClassVirtualAlias:
		first = fmt.Sprintf("give %s an alias in %s", r.Address, value("virtual_alias_maps"))
	case r.Class == state.ClassDefault && MailRoutes(in)(domain) == state.RouteHere:
		first = fmt.Sprintf("let Postfix take mail for %s first (%s)", domain, postfix.ListFor(in.Facts, domain))
	}
	if first == "" {
		return other
	}
	return first + "; or " + other
}

// WithoutUnread returns the spec without report addresses that do not exist. It is for
// domains whose addresses were proposed and not chosen.
func WithoutUnread(in step.Input) spec.Spec {
	out := in.Spec
	out.Domains = slices.Clone(out.Domains)
	for i := range out.Domains {
		d := &out.Domains[i]
		if in.Scope.Selects(d.Name) {
			d.DMARC.RUA = slices.DeleteFunc(slices.Clone(d.DMARC.RUA), func(uri string) bool {
				a := Addressee{strings.TrimPrefix(uri, "mailto:"), "--rua", d.Name}
				return a.isLost(in.Facts.Recipients[a.Address]) && !a.published(in)
			})
		}
	}
	return out
}

// AliasesText returns /etc/aliases after the run, nil if it does not change it.
func AliasesText(in step.Input) []byte {
	stage, _, err := Aliases(in)
	if err != nil {
		return nil
	}
	text := bytes.Clone(in.Facts.Files[postfix.AliasFile])
	for _, e := range stage.Edits {
		if edit, ok := e.(state.AliasEdit); ok {
			if text, err = edits.Alias(edit, text); err != nil {
				return nil
			}
		}
	}
	if in.Facts.Postfix != nil && bytes.Equal(text, in.Facts.Files[postfix.AliasFile]) {
		return nil // nor its table
	}
	return append([]byte{}, text...)
}

// SuggestReader returns an address for reports about a domain: an existing one of the
// host's own, else a placeholder.
func SuggestReader(in step.Input) string {
	for _, d := range in.Spec.Domains {
		if d.Name != in.Spec.Host.Domain {
			continue
		}
		for _, uri := range d.DMARC.RUA {
			a := Addressee{strings.TrimPrefix(uri, "mailto:"), "--rua", d.Name}
			if r := in.Facts.Recipients[a.Address]; !a.isLost(r) {
				return a.Address
			}
		}
	}
	return cmp.Or(in.Spec.Host.RootAlias, "ADDRESS")
}
