package recipients

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/daemons"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// Aliases sends root's and postmaster's mail to a person, if one was named. A
// Postfix that takes another mail server's place reads that one's aliases.
func Aliases(in step.Input) (state.Stage, []state.Note, error) {
	value := "hash:" + string(postfix.AliasFile)
	if in.Facts.Postfix != nil {
		value = in.Facts.Postfix.Value["alias_database"]
	}
	kind, ours := databaseKind(value)
	stage := state.Stage{}
	if to := in.Spec.Host.RootAlias; to != "" {
		if !ours {
			return stage, nil, step.Refuse("leave --root-alias out and set the alias by hand",
				"%s: alias_database = %s is not understood yet", postconf.MainCF, value)
		}
		set := []state.Setting{{Name: "root", Value: to}}
		if !hasAlias(in.Facts.Files[postfix.AliasFile], "postmaster") {
			set = append(set, state.Setting{Name: "postmaster", Value: "root"})
		}
		stage.Edits = []state.Edit{
			state.AliasEdit{Path: postfix.AliasFile, Set: set, Reason: "root's mail and reports reach a person"},
		}
		stage.Probes = rootProbes(in)
	}
	suffix, isFile := map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}[kind]
	if carried := in.Facts.OtherMTA != nil; isFile && ours && (carried || len(stage.Edits) > 0) {
		stage.Derived = []state.Derived{{
			Path: postfix.AliasFile + state.Path(suffix), From: postfix.AliasFile, Argv: []string{"newaliases"}, Always: carried,
		}}
	}
	return stage, nil, nil
}

// rootProbes ask whether Postfix takes and delivers root's mail. Only an agent
// that delivers here is asked: others would connect to the host that is next.
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

// databaseKind returns the type of the database of /etc/aliases in a list of them:
// alias_database, postconf(5).
func databaseKind(value string) (kind string, ok bool) {
	for _, word := range postconf.Words(value) {
		if kind, path, _ := strings.Cut(word, ":"); path == string(postfix.AliasFile) {
			return kind, true
		}
	}
	return "", false
}

func hasAlias(text []byte, name string) bool {
	for line := range bytes.Lines(text) {
		key, _, ok := strings.Cut(string(line), ":")
		if ok && strings.EqualFold(strings.Trim(strings.TrimSpace(key), `"`), name) {
			return true
		}
	}
	return false
}
