package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// site is a place in the source where a hint is made.
type site struct {
	pkg  string // its directory
	at   string // file and line
	text string // of the hint, with … for what is not known before it runs
}

// named are the names of fields, parameters and variables that hold hints. Whatever the
// source puts into one of them is a hint, as is what a function returns whose name says
// that it returns one.
var named = []string{"hint", "hints", "remedy", "remedies", "action", "then", "byHand", "orManual", "printed", "sameKey", "own", "elsewhere", "newKey"}

func isNamed(name string) bool {
	return slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, name) })
}

// returning are functions that return hints and are not named so.
var returning = []string{"restore", "own", "closeToOthers", "laterRuns", "whyUpdated", "chmodCommand"}

// source is the program without its tests, laboratory and generators, by directory.
func source(t *testing.T) (*token.FileSet, map[string][]*ast.File) {
	t.Helper()
	files, all := token.NewFileSet(), map[string][]*ast.File{}
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"e2e", "bench", "testdata", "findings", "tools", "packaging", "systemtest", "steptest", ".git"}, name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(files, p, nil, parser.SkipObjectResolution)
		if err == nil {
			dir := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(p)), "../")
			all[dir] = append(all[dir], f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, all
}

// makers are the functions with parameters for hints, by package and name, with the
// numbers of these parameters.
func makers(source map[string][]*ast.File) map[string][]int {
	all := map[string][]int{
		"hint.New": {0}, "hint.NewUsage": {0}, "hint.Again": {0}, "main.fail": {0}, "main.usage": {0}, "main.Hints": {0},
	}
	for _, files := range source {
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				name, params := "", (*ast.FieldList)(nil)
				switch n := n.(type) {
				case *ast.FuncDecl:
					name, params = n.Name.Name, n.Type.Params
				case *ast.AssignStmt: // refuse := func(hint, …)
					if fn, ok := n.Rhs[0].(*ast.FuncLit); ok {
						if id, ok := n.Lhs[0].(*ast.Ident); ok {
							name, params = id.Name, fn.Type.Params
						}
					}
				}
				if params == nil {
					return true
				}
				i := 0
				for _, field := range params.List {
					for _, p := range field.Names {
						if isNamed(p.Name) {
							all[f.Name.Name+"."+name] = append(all[f.Name.Name+"."+name], i)
						}
						i++
					}
				}
				return true
			})
		}
	}
	return all
}

// sites finds all hints of the source.
func sites(t *testing.T) []site {
	t.Helper()
	set, source := source(t)
	makers := makers(source)
	found := map[string]site{}
	for _, dir := range slices.Sorted(maps.Keys(source)) {
		for _, f := range source[dir] {
			add := func(at ast.Node, e ast.Expr) {
				for _, text := range texts(e) {
					if strings.Trim(text, "… ,:.;\n") != "" {
						pos := set.Position(at.Pos())
						found[dir+"\t"+text] = site{dir, pos.Filename + ":" + strconv.Itoa(pos.Line), text}
					}
				}
			}
			ast.Inspect(f, func(n ast.Node) bool { hintsOf(n, f.Name.Name, makers, add); return true })
		}
	}
	return slices.Collect(maps.Values(found))
}

// hintsOf adds the hints that a node makes, without those of the nodes below it.
func hintsOf(n ast.Node, pkg string, makers map[string][]int, add func(at ast.Node, e ast.Expr)) {
	switch n := n.(type) {
	case *ast.CompositeLit: // Hint: "…", or all fields of an UnusableError in order
		if pkg == "apt" && n.Type == nil && len(n.Elts) == 3 { // what a tool says, the reason, the hint
			add(n.Elts[2], n.Elts[2])
		}
		for i, e := range n.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			switch {
			case ok && isNamed(nameOf(kv.Key)):
				add(kv, kv.Value)
			case !ok && nameOf(n.Type) == "UnusableError" && i == 3:
				add(e, e)
			}
		}
	case *ast.AssignStmt:
		for i, l := range n.Lhs {
			if len(n.Rhs) == len(n.Lhs) && isNamed(nameOf(l)) {
				add(n, n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if i < len(n.Values) && isNamed(name.Name) {
				add(n, n.Values[i])
			}
		}
	case *ast.CallExpr:
		if line := line(n); line != nil {
			add(n, line)
		}
		for _, i := range makers[called(n, pkg, makers)] {
			if i < len(n.Args) {
				add(n, n.Args[i])
			}
		}
	case *ast.FuncDecl:
		if n.Body != nil {
			for i, of := range resultsNamed(n.Type) {
				ast.Inspect(n.Body, func(b ast.Node) bool {
					if r, ok := b.(*ast.ReturnStmt); ok && len(r.Results) == of && of > 1 {
						add(r, r.Results[i])
					}
					return true
				})
			}
		}
		if name := strings.ToLower(n.Name.Name); n.Body != nil && (strings.Contains(name, "hint") || strings.Contains(name, "remed") || slices.Contains(returning, n.Name.Name)) {
			ast.Inspect(n.Body, func(b ast.Node) bool {
				if r, ok := b.(*ast.ReturnStmt); ok {
					for _, e := range r.Results {
						add(r, e)
					}
				}
				return true
			})
		}
	case *ast.BasicLit:
		if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && strings.Contains(text, "\nhint: ") {
			add(n, n)
		}
	}
}

// line returns what a call puts into a finding.Remedy, if that has something to type.
func line(call *ast.CallExpr) ast.Expr {
	if f, is := call.Fun.(*ast.SelectorExpr); is && len(call.Args) > 0 {
		lit, constant := call.Args[0].(*ast.BasicLit)
		switch {
		case f.Sel.Name == "Command" && constant && lit.Kind == token.STRING:
			return lit
		case f.Sel.Name == "Text" && len(call.Args) == 1 && commands.MatchString(text(call.Args[0])):
			return call.Args[0]
		}
	}
	return nil
}

// resultsNamed returns the numbers of results that are named as hints are, each with how
// many results there are.
func resultsNamed(f *ast.FuncType) map[int]int {
	all := map[int]int{}
	if f.Results == nil {
		return all
	}
	i := 0
	for _, field := range f.Results.List {
		for _, name := range field.Names {
			if isNamed(name.Name) {
				all[i] = f.Results.NumFields()
			}
			i++
		}
	}
	return all
}

// called returns the function of a call as makers has it.
func called(call *ast.CallExpr, pkg string, makers map[string][]int) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return pkg + "." + f.Name
	case *ast.SelectorExpr:
		if other := nameOf(f.X) + "." + f.Sel.Name; makers[other] != nil {
			return other
		}
		return pkg + "." + f.Sel.Name
	}
	return ""
}

// nameOf returns the last name of an expression: that of a field, a variable, a type.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.IndexExpr:
		return nameOf(e.X)
	case *ast.StarExpr:
		return nameOf(e.X)
	}
	return ""
}

// texts returns the hints that an expression is, each for itself.
func texts(e ast.Expr) []string {
	var all []ast.Expr
	switch e := e.(type) {
	case *ast.CompositeLit:
		for _, x := range e.Elts {
			if kv, ok := x.(*ast.KeyValueExpr); ok {
				x = kv.Value
			}
			all = append(all, x)
		}
	case *ast.IndexExpr: // of a table
		return texts(e.X)
	case *ast.CallExpr:
		if !slices.Contains([]string{"append", "One", "Lines", "Or", "Join", "TrimSuffix", "Concat"}, nameOf(e.Fun)) {
			return []string{text(e)}
		}
		all = e.Args
	default:
		return []string{text(e)}
	}
	var out []string
	for _, x := range all {
		out = append(out, texts(x)...)
	}
	return out
}

// text returns the constant parts of a text, with … for others and for verbs of fmt.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return strings.ReplaceAll(s, "%s", "…")
		}
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	case *ast.ParenExpr:
		return text(e.X)
	case *ast.CallExpr:
		if nameOf(e.Fun) == "Sprintf" {
			return verbs.ReplaceAllString(text(e.Args[0]), "…")
		}
	}
	return "…"
}
