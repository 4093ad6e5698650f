package inbound

import (
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/edits"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// ownResults is the table that takes results in our name out of mail that comes in.
const ownResults state.Path = "/etc/postfix/mailsetup_header_checks"

// forgedBlock is the name of our lines in main.cf.
const forgedBlock = "DMARC"

// takeOutForged has cleanup(8) remove Authentication-Results in the name of this server from mail
// that comes in, before any milter sees it: so nothing depends on how the next one reads such a
// field. What milters add themselves does not meet these tables.
func takeOutForged(in step.Input, stage *state.Stage) []state.Note {
	_, theirs, _ := edits.BlockLines(content(in, postconf.MainCF), forgedBlock)
	block, element, tables := forgedEdits(theirs)
	if why := unstripped(in, tables); why != "" {
		return []state.Note{{
			Topic: "dmarc", Informational: true,
			Text: "Authentication-Results that somebody forged in the name of this server may stay in a message: OpenDKIM removes most of them, and " + why,
		}}
	}
	var all []state.Edit
	if len(tables) == 0 {
		block.Lines = append(block.Lines, "header_checks = "+element.Element)
	} else {
		all = append(all, element)
	}
	for _, name := range []string{"mime_header_checks", "nested_header_checks"} { // which follow the first
		if _, set := valueIn(theirs, name); !set {
			block.Lines = append(block.Lines, strings.TrimSpace(name+" = "+strings.Join(tables, ", ")))
		}
	}
	reload := postfix.Stage(in, append(all, block)...)
	stage.Edits = append(stage.Edits, reload.Edits...)
	stage.Units = append(stage.Units, reload.Units...)
	stage.Validators = append(stage.Validators, reload.Validators...)
	stage.Files = append(stage.Files, state.File{
		Path: ownResults, Mode: 0o644, Owner: state.Root, Content: resultsTable(postfix.OwnNames(in)),
		Why: "which results go: those in the name of this server that came along with a message",
	})
	return nil
}

// forgedEdits returns the edits of main.cf, and the tables that header_checks has there.
func forgedEdits(main string) (block state.BlockEdit, element state.RestrictionEdit, tables []string) {
	const why = "results in the name of this server count only if this server wrote them"
	const table = "regexp:" + string(ownResults)
	was, _ := valueIn(main, "header_checks")
	tables = slices.DeleteFunc(postconf.Words(was), func(w string) bool { return w == table })
	block = state.BlockEdit{Path: postconf.MainCF, Name: forgedBlock, Stamp: true, Reason: why}
	element = state.RestrictionEdit{Path: postconf.MainCF, Parameter: "header_checks", Element: table, Index: len(tables), Reason: why}
	return block, element, tables
}

// letForgedBe returns what takes that out of main.cf again.
func letForgedBe(in step.Input) state.Stage {
	_, theirs, there := edits.BlockLines(content(in, postconf.MainCF), forgedBlock)
	if !there {
		return state.Stage{}
	}
	block, element, tables := forgedEdits(theirs)
	block.Drop, element.Drop = true, true
	all := []state.Edit{block}
	if len(tables) > 0 {
		all = append(all, element)
	}
	stage := postfix.Stage(in, all...)
	stage.Remove = []state.Path{ownResults}
	return stage
}

// plainTable is a table without a text of its own.
var plainTable = regexp.MustCompile(`^[a-z]+:/[-+.\w/]+$`)

// unstripped says why Postfix's own tables are left alone, "" if they need not be.
func unstripped(in step.Input, tables []string) string {
	if p := in.Facts.Postfix; p != nil && len(postconf.ContentFilters(p)) > 0 {
		return "mail that a content filter hands back would lose its own as well if Postfix did"
	}
	if slices.ContainsFunc(tables, func(t string) bool { return !plainTable.MatchString(t) }) {
		return "header_checks of main.cf stays as it is: it is not a list of files"
	}
	return ""
}

// valueIn returns what a text of main.cf says of a parameter, as it is written.
func valueIn(text, name string) (value string, set bool) {
	all := regexp.MustCompile(`(?m)^`+name+`[ \t]*=(.*(?:\n[ \t]+.*)*)`).FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1][1], true
}

// resultsTable is that table, regexp_table(5). What has comments, quotes or blanks in front of
// the first result goes as well, whatever the name: servers that write results plainly have none.
func resultsTable(names []string) []byte {
	var quoted []string
	for _, n := range names {
		if n = regexp.QuoteMeta(strings.ToLower(n)); strings.ContainsAny(n, "abcdefghijklmnopqrstuvwxyz") && strings.Contains(n, ".") && !slices.Contains(quoted, n) {
			quoted = append(quoted, n)
		}
	}
	return []byte(`# Made by mailsetup: Authentication-Results that came along in the name of this server.
if /^Authentication-Results[[:space:]]*:/
/^[^:]*:[[:space:]]*(` + strings.Join(quoted, "|") + `)[.]?([[:space:];]|$)/ IGNORE
/^[^:]*:[^;=]*(["(\\]|[.][[:space:]]|[[:space:]][.])/ IGNORE
endif
`)
}
