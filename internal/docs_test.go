package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// described is what the pages about the code may name.
type described struct {
	docs     map[string]string // by import path without the module: the doc comment
	declared map[string]bool   // package.Name, package.Type.Name
	names    map[string]bool   // of packages
}

// Pages about the code name packages, identifiers and files that exist, and the
// picture of the layers has every package of the product.
func TestPagesNameWhatExists(t *testing.T) {
	d := describe(t)
	for _, page := range []string{"docs/design.md", "CONTRIBUTING.md"} {
		text := read(t, page)
		for _, code := range regexp.MustCompile("`[^`\n]+`").FindAllString(fences(text), -1) {
			if wrong := d.wrong(t, strings.Trim(code, "`")); wrong != "" {
				t.Errorf("%s: %s: %s", page, code, wrong)
			}
		}
	}
	words := map[string]bool{}
	for _, w := range regexp.MustCompile(`[a-z0-9]+`).FindAllString(read(t, "docs/design.md"), -1) {
		words[w] = true
	}
	for pkg := range d.docs {
		if name := path.Base(pkg); !words[name] && !strings.HasSuffix(name, "test") {
			t.Errorf("docs/design.md does not name %s", pkg)
		}
	}
}

// The first sentences of the packages, read one after the other, say what the
// product is made of.
func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	for pkg, doc := range describe(t).docs {
		want := "Package " + path.Base(pkg) + " "
		if pkg == "cmd/mailsetup" {
			want = "Mailsetup "
		}
		if !strings.HasPrefix(doc, want) {
			t.Errorf("%s: the comment of the package begins with %.40q, want %q", pkg, doc, want)
		}
	}
}

// fences returns the text of a page without its blocks of code.
func fences(text string) string {
	parts := strings.Split(text, "```")
	var out strings.Builder
	for i := 0; i < len(parts); i += 2 {
		out.WriteString(parts[i])
	}
	return out.String()
}

var (
	identifier = regexp.MustCompile(`^(\w+)\.([A-Z]\w*(?:\.[A-Z]\w*)?)(?:\(.*\))?$`)
	ownPath    = regexp.MustCompile(`^(?:internal|steps|cmd|docs|findings)/[\w/.]+$`)
	statePath  = regexp.MustCompile(`^/var/lib/mailsetup(/[\w.-]+)`)
)

// wrong says what is wrong with a piece of code on a page, "" for nothing.
func (d described) wrong(t *testing.T, code string) string {
	if m := identifier.FindStringSubmatch(code); m != nil {
		switch {
		case !d.names[m[1]]:
			return "there is no such package"
		case !d.declared[m[1]+"."+m[2]]:
			return "the package has no such name"
		}
	}
	if ownPath.MatchString(code) {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(code))); err != nil {
			return "there is no such file"
		}
	}
	if m := statePath.FindStringSubmatch(code); m != nil && !strings.Contains(read(t, "internal/state/ownfiles.go"), `"`+m[1]+`"`) {
		return "mailsetup has no such file"
	}
	return ""
}

// describe reads all packages. Those of the laboratory and of tests have names, and
// are no part of the picture.
func describe(t *testing.T) described {
	t.Helper()
	d := described{docs: map[string]string{}, declared: map[string]bool{}, names: map[string]bool{}}
	err := filepath.WalkDir("..", func(name string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel("..", name)
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == "testdata" || rel == "tools" || rel == "packaging" || rel == "findings" || strings.HasPrefix(e.Name(), ".") && rel != "."):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err == nil {
			d.add(path.Dir(filepath.ToSlash(rel)), file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d described) add(pkg string, file *ast.File) {
	name := file.Name.Name
	if !slices.ContainsFunc(outside, func(dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }) {
		d.docs[pkg] += file.Doc.Text()
	}
	d.names[name] = true
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			of := name
			if decl.Recv != nil {
				of += "." + receiver(decl.Recv.List[0].Type)
			}
			d.declared[of+"."+decl.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range decl.Specs {
				d.addSpec(name, s)
			}
		}
	}
}

// addSpec adds types with their fields or methods, constants and variables.
func (d described) addSpec(pkg string, s ast.Spec) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			d.declared[pkg+"."+n.Name] = true
		}
	case *ast.TypeSpec:
		of := pkg + "." + s.Name.Name
		d.declared[of] = true
		var members *ast.FieldList
		switch x := s.Type.(type) {
		case *ast.StructType:
			members = x.Fields
		case *ast.InterfaceType:
			members = x.Methods
		default:
			return
		}
		for _, f := range members.List {
			for _, n := range f.Names {
				d.declared[of+"."+n.Name] = true
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Links of the pages lead somewhere: to a file of the tree, and to a heading of it.
func TestLinksOfPages(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) < 4 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md", "../findings/README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(fences(string(text)), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			name, heading, _ := strings.Cut(m[1], "#")
			target := page
			if name != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(name))
			}
			to, err := os.ReadFile(target)
			if fi, statErr := os.Stat(target); statErr == nil && fi.IsDir() {
				to, err = nil, nil
			}
			if err != nil || heading != "" && !slices.Contains(anchors(string(to)), heading) {
				t.Errorf("%s: no %s", page, m[1])
			}
		}
	}
}

// anchors are the names that GitHub gives the headings of a page.
func anchors(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fences(text), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		names = append(names, name)
	}
	return names
}

// The README is one page, and its pictures are soon there.
func TestTheReadmeIsOnePage(t *testing.T) {
	text := read(t, "README.md")
	if n := strings.Count(text, "\n"); n > 150 {
		t.Errorf("%d lines: what is longer belongs into docs", n)
	}
	var size int64
	pictures := regexp.MustCompile(`!\[[^\]]+\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1)
	for _, m := range pictures {
		fi, err := os.Stat(filepath.Join("..", filepath.FromSlash(m[1])))
		if err != nil {
			t.Fatal(err)
		}
		size += fi.Size()
	}
	if len(pictures) < 3 || size > 150_000 {
		t.Errorf("%d pictures of %d octets", len(pictures), size)
	}
}
