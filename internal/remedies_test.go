package internal_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
)

// Each line of a remedy in the source is of its kind, whatever fills it in: a command for a
// shell, or prose that does not begin as one. That words are quoted, the type of
// finding.Command sees to.
func TestRemedyLines(t *testing.T) {
	set, source := source(t)
	lines := 0
	for dir, files := range source {
		if !strings.HasPrefix(dir, "internal/check") {
			continue
		}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				call, is := n.(*ast.CallExpr)
				if !is || len(call.Args) == 0 {
					return true
				}
				name, is := call.Fun.(*ast.SelectorExpr)
				if !is || !slices.Contains([]string{"Command", "Text"}, name.Sel.Name) {
					return true
				}
				l := finding.Line{Kind: finding.LineText, Text: strings.ReplaceAll(text(call.Args[0]), "…", "x")}
				if lit, constant := call.Args[0].(*ast.BasicLit); name.Sel.Name == "Command" {
					if !constant || lit.Kind != token.STRING {
						return true // system.Command and the like
					}
					l.Kind, l.Text = finding.LineCommand, strings.TrimSuffix(l.Text, " x")
				}
				lines++
				findingtest.Remedies(t, []finding.Finding{{ID: set.Position(call.Pos()).String(), Remedy: finding.Remedy{l}}})
				return true
			})
		}
	}
	if lines < 200 {
		t.Errorf("%d lines: is it looked for in the right places?", lines)
	}
}
