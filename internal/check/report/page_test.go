package report_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
)

// docs/checks.md has all checks, with the faults that end-to-end tests make to see them
// found. It is written by go test ./internal/check/report -update.
func TestPageOfChecks(t *testing.T) {
	tried := faults(t)
	var b strings.Builder
	b.WriteString(`# What mailsetup check looks at

<!-- Written by go test ./internal/check/report -update; do not edit. -->

` + "`mailsetup check --explain ID`" + ` says the same on a terminal. A *problem*: mail is lost,
unsigned or refused. A *warning*: it will become one, or it weakens. A *note*: worth
knowing. *Unknown*: it could not be found out, which is neither passed nor failed.
The faults are made one by one on booted Debian servers, where nothing else may be found.
`)
	b.WriteString(score(t))
	group, kinds := "", finding.Catalogue()
	for _, k := range kinds {
		if k.Group() != group {
			group = k.Group()
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n**%s**: %s", k.ID, k.Title)
		if k.Why != "" {
			fmt.Fprintf(&b, ". %s", report.Sentence(k.Why))
		}
		b.WriteString("\n")
		for _, row := range []struct{ label, what string }{
			{"Judged", report.Sentence(finding.Judged(k.ID))},
			{"Source", k.Source},
			{"Needs", report.Needs(k)},
			{"Faults", strings.Join(tried[k.ID], "; ")},
		} {
			if row.what != "" {
				fmt.Fprintf(&b, "- %s: %s\n", row.label, markdown(row.what))
			}
		}
	}
	b.WriteString("\n## Not checked\n\nOther tools look at these, too.\n\n")
	for _, k := range finding.Excluded() {
		fmt.Fprintf(&b, "- **%s**, %s: %s\n", k.ID, k.Title, markdown(report.Sentence(k.Excluded)))
	}
	golden(t, filepath.Join("..", "..", "..", "..", "docs", "checks.md"), b.String())
	for id := range tried {
		if _, err := finding.Select("--only", id); err != nil {
			t.Errorf("a fault yields %s: %v", id, err)
		}
	}
}

// score are the weights of the score: what a problem in each area costs.
func score(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n## The score\n\nOut of ten, as web testers give. A problem costs all that its area has, warnings alone a third.\n\n| Area | Points | Checks |\n|---|---|---|\n")
	var order []string
	points, groups := map[string]string{}, map[string][]string{}
	for _, k := range finding.Catalogue() {
		lost := of(t, asked(), "problem "+k.ID).Score.Lost[0]
		if points[lost.Area] == "" {
			order = append(order, lost.Area)
		}
		points[lost.Area] = lost.Points.String()
		if !slices.Contains(groups[lost.Area], k.Group()) {
			groups[lost.Area] = append(groups[lost.Area], k.Group())
		}
	}
	for _, a := range order {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a, points[a], strings.Join(groups[a], " "))
	}
	return b.String()
}

// markdown keeps a text from being taken for marks.
func markdown(s string) string {
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`).Replace(s)
}

// faults are the names of the faults in internal/e2e, by the ID of what they yield.
func faults(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../e2e/checkfaults_*_test.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of faults, %v", len(files), err)
	}
	all := map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, is := n.(*ast.CompositeLit)
			if !is {
				return true
			}
			fields := map[string]string{}
			for _, e := range lit.Elts {
				if kv, is := e.(*ast.KeyValueExpr); is {
					if key, is := kv.Key.(*ast.Ident); is {
						if v, is := kv.Value.(*ast.BasicLit); is {
							fields[key.Name], _ = strconv.Unquote(v.Value)
						}
					}
				}
			}
			if fields["id"] != "" && fields["name"] != "" {
				all[fields["id"]] = append(all[fields["id"]], fields["name"])
			}
			return true
		})
	}
	return all
}
