package recipients

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/daemons"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// Aliases sends root's, postmaster's and abuse's mail to a person, if one was named and
// Postfix reads /etc/aliases. A Postfix that replaces another mail server reads that one's
// aliases.
func Aliases(in step.Input) (state.Stage, []state.Note, error) {
	if in.Spec.Host.MTA == spec.Exim {
		return eximAliases(in), nil, nil
	}
	types, read := aliasTypes(postfix.Settings(in)["alias_maps"])
	carried := in.Facts.OtherMTA != nil
	stage := state.Stage{}
	switch to := in.Spec.Host.RootAlias; {
	case to != "" && !read:
		return stage, nil, nil // Notes tells of it
	case to != "":
		stage.Edits = []state.Edit{aliasEdit(in)}
		stage.Probes = rootProbes(in)
	case !carried:
		return stage, nil, nil
	}
	for _, t := range types {
		if suffix, isFile := suffixes[t]; isFile {
			stage.Derived = append(stage.Derived, state.Derived{
				Path: postfix.AliasFile + suffix, From: postfix.AliasFile,
				// Not newaliases(1), which makes all of alias_database: one that is
				// missing would fail the run, and one that was edited would go live.
				Argv: []string{"postalias", t + ":" + string(postfix.AliasFile)}, Always: carried || outdated(in, t),
			})
		}
	}
	return stage, nil, nil
}

// outdated reports whether somebody has made a table of another type of /etc/aliases since.
func outdated(in step.Input, typ string) bool {
	p := in.Facts.Postfix
	return p != nil && slices.Contains(p.Outdated, typ+":"+string(postfix.AliasFile))
}

// aliasEdit sets the aliases that lead to whom the spec names.
func aliasEdit(in step.Input) state.AliasEdit {
	set := []state.Setting{{Name: "root", Value: in.Spec.Host.RootAlias}}
	if !hasAlias(in.Facts.Files[postfix.AliasFile], "postmaster") {
		set = append(set, state.Setting{Name: "postmaster", Value: "root"})
	}
	if abuseIsFree(in) {
		set = append(set, state.Setting{Name: "abuse", Value: "root"})
	}
	return state.AliasEdit{Path: postfix.AliasFile, Set: set, Reason: "root's mail and reports reach a person"}
}

// eximAliases sets the aliases for exim4, which reads the file itself for each message.
func eximAliases(in step.Input) state.Stage {
	if in.Spec.Host.RootAlias == "" {
		return state.Stage{}
	}
	return state.Stage{Edits: []state.Edit{aliasEdit(in)}}
}

// suffixes are those of the files that postalias(1) makes, by the type of the table.
var suffixes = map[string]state.Path{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}

// aliasTypes returns the types of the tables with which a list of them reads
// /etc/aliases, and whether it reads that file at all.
func aliasTypes(maps string) (types []string, read bool) {
	for _, word := range postconf.Words(maps) {
		t, path, _ := strings.Cut(strings.TrimPrefix(word, "proxy:"), ":")
		if path == string(postfix.AliasFile) {
			types, read = append(types, t), true
		}
	}
	return types, read
}

// rootProbes probe whether Postfix accepts and delivers root's mail. Only a local
// delivery agent is asked: others would connect to the next host.
func rootProbes(in step.Input) []state.Probe {
	root, known := in.Facts.Recipients["root"]
	if !known {
		return nil
	}
	if slices.ContainsFunc(daemons.Halted(in), func(h daemons.Halt) bool { return h.Unit != "named.service" }) {
		return nil // while somebody has Postfix or the signer stopped, no mail is taken
	}
	p := state.Probe{Kind: state.ProbeRecipients, Within: 10 * time.Second}
	if address := postfix.SMTPAddress(in.Facts); address != "" && !root.Refused {
		p.Address, p.Recipients = address, []string{"root"}
	}
	set := postfix.Settings(in)
	copies := set["always_bcc"] + set["recipient_bcc_maps"] + set["sender_bcc_maps"] // which may go elsewhere
	if (root.Agent == "local" || root.Agent == "virtual") && copies == "" {
		p.Deliver = "root"
	}
	if p.Address == "" && p.Deliver == "" {
		return nil
	}
	return []state.Probe{p}
}

// abuseIsFree reports whether nobody has the mail for abuse (RFC 2142 section 2): no
// alias here or, perhaps, in another table, and no user.
func abuseIsFree(in step.Input) bool {
	tables := postconf.Words(postfix.Settings(in)["alias_maps"])
	return len(tables) == 1 && !hasAlias(in.Facts.Files[postfix.AliasFile], "abuse") && !hasAlias(in.Facts.Files[UsersFile], "abuse")
}

// UsersFile is passwd(5).
const UsersFile state.Path = "/etc/passwd"

// hasAlias reports whether a name stands in front of the first colon of a line.
func hasAlias(text []byte, name string) bool {
	for line := range bytes.Lines(text) {
		key, _, ok := strings.Cut(string(line), ":")
		if ok && strings.EqualFold(strings.Trim(strings.TrimSpace(key), `"`), name) {
			return true
		}
	}
	return false
}
