package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pure is a list with a line for each, since everybody adds to it.
var pure = strings.Fields(`
	steps
	steps/daemons
	steps/dns
	steps/exim
	steps/inbound
	steps/keys
	steps/newzone
	steps/postfix
	steps/recipients
	steps/records
	steps/sendonly
	steps/signer
	steps/step
	templates
	keygen
	zonefile
	internal/backup/archive
	internal/check/finding
	internal/check/ignore
	internal/check/memory
	internal/check/subject
	internal/dnsbl
	internal/dnsname
	internal/dnsprovider
	internal/domainlist
	internal/edits
	internal/eximconf
	internal/hint
	internal/inbound
	internal/jsondoc
	internal/keyring
	internal/livepath/route
	internal/maillog
	internal/mastercf
	internal/milters
	internal/namedconf
	internal/opendkim
	internal/opendmarc
	internal/parallel
	internal/policy
	internal/postconf
	internal/policydspf
	internal/recipient
	internal/reference
	internal/resolvconf
	internal/restrictions
	internal/same
	internal/spec
	internal/spec/syntax
	internal/state
	internal/tablefile
	internal/text
	internal/tomltext
	internal/wildcard
`)

// Pure packages reach neither the machine nor the network: directly for the
// standard library (fmt pulls in os already), transitively for our own.
func TestPurePackagesStayPure(t *testing.T) {
	const format = `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`
	out, err := exec.Command("go", "list", "-f", format, "mailsetup/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if !slices.Contains(pure, strings.TrimPrefix(f[0], "mailsetup/")) {
			continue
		}
		seen++
		for _, bad := range []string{"os", "os/exec", "net", "syscall"} {
			if slices.Contains(strings.Fields(f[1]), bad) {
				t.Errorf("%s imports %s", f[0], bad)
			}
		}
		if slices.Contains(strings.Fields(f[2]), "mailsetup/internal/system") {
			t.Errorf("%s reaches internal/system", f[0])
		}
	}
	if seen != len(pure) {
		t.Errorf("looked at %d pure packages, want %d", seen, len(pure))
	}
}

// Only the wizard knows huh, only cmd knows the command line library.
func TestLibrariesHaveOneHome(t *testing.T) {
	homes := map[string]string{
		"github.com/charmbracelet/huh": "mailsetup/internal/wizard",
		"github.com/urfave/cli/v2":     "mailsetup/cmd/mailsetup",
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}`, "mailsetup/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), "|")
		for lib, home := range homes {
			if slices.Contains(strings.Fields(imports), lib) && pkg != home {
				t.Errorf("%s imports %s, which belongs to %s", pkg, lib, home)
			}
		}
	}
}

// resolvers are what asks the system's resolver, which reads /etc/hosts and the
// search list of resolv.conf: neither may decide what is said of DNS. A Dialer
// asks it too, where it is given a name.
var resolvers = map[string][]string{
	"net": {
		"DefaultResolver", "Resolver", "Dialer", "Dial", "DialTimeout", "ResolveIPAddr", "ResolveTCPAddr", "ResolveUDPAddr",
		"LookupAddr", "LookupCNAME", "LookupHost", "LookupIP", "LookupMX", "LookupNS", "LookupPort", "LookupSRV", "LookupTXT",
	},
	"blitiri.com.ar/go/spf":                {"CheckHost", "CheckHostWithSender"},
	"github.com/emersion/go-msgauth/dkim":  {"Verify", "VerifyWithOptions"},
	"github.com/emersion/go-msgauth/dmarc": {"Lookup", "LookupWithOptions"},
	"github.com/miekg/dns":                 {"Client", "Dial", "DialTimeout", "Exchange", "ExchangeContext"},
	"net/http":                             {"Get", "Post", "DefaultClient", "Client"},
	"net/smtp":                             {"Dial", "SendMail"},
}

// harmless are the uses that were looked at, with the reason.
var harmless = map[string]string{
	"internal/probe/milterconn.go net.Dialer":                 "a milter of this machine, which found its own address in the same way",
	"internal/probe/smtp.go net.Dialer":                       "Postfix on this machine, which found its own address in the same way",
	"internal/probe/door.go net.Dialer":                       "a socket file, and Postfix on this machine",
	"internal/probe/recipient.go net.Dialer":                  "Postfix on this machine, which found its own address in the same way",
	"internal/livepath/message.go net.Dialer":                 "Postfix on this machine, which found its own address in the same way",
	"internal/livepath/resolve.go net.Dialer":                 "a socket file of Postfix",
	"internal/system/units.go net.DialTimeout":                "a socket file",
	"internal/probe/testmessage.go dkim.VerifyWithOptions":    "LookupTXT",
	"internal/probe/othermilters.go dkim.VerifyWithOptions":   "LookupTXT",
	"internal/livepath/result.go dkim.VerifyWithOptions":      "LookupTXT",
	"internal/dnsclient/resolver.go dns.Client":               "addresses of resolv.conf and of name servers",
	"internal/check/transport/session.go net.Dialer":          "addresses, which dnsclient looked up",
	"internal/check/outside/outside.go net.Dialer":            "addresses, which dnsclient looked up",
	"internal/check/outside/outside.go http.Client":           "DialContext",
	"internal/check/transport/fetch.go net.Dialer":            "addresses, which dnsclient looked up",
	"internal/check/transport/fetch.go http.Client":           "DialContext",
	"internal/nsupdate/conn.go dns.Client":                    "addresses, which endpoints asks our resolver for",
	"internal/probe/relay.go net.Dialer":                      "Postfix on this machine, which found its own address in the same way",
	"internal/check/live/signature.go dkim.VerifyWithOptions": "LookupTXT",
}

// What the product says of DNS comes from dnsclient.
func TestSystemResolverDecidesNothing(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel("..", name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (rel == "internal/e2e" || rel == "internal/bench" || rel == "tools" || rel == "packaging" || strings.HasPrefix(d.Name(), ".git")):
			return fs.SkipDir // the laboratory is no part of the product
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		for _, use := range uses(file) {
			use = filepath.ToSlash(rel) + " " + use
			if seen[use] = true; harmless[use] == "" {
				t.Errorf("%s: asks the system's resolver; use dnsclient", use)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for use := range harmless {
		if !seen[use] {
			t.Errorf("%s is gone: take it off the list", use)
		}
	}
}

// uses are the names of resolvers that a file uses, as package.Name.
func uses(file *ast.File) []string {
	imported := map[string]string{} // path by local name
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		imported[name] = path
	}
	var list []string
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(resolvers[imported[pkg.Name]], sel.Sel.Name) {
				list = append(list, pkg.Name+"."+sel.Sel.Name)
			}
		}
		return true
	})
	return list
}

// Budgets keep packages from growing until nobody finds anything in them.
const (
	cmdLines     = 2600 // of cmd/mailsetup
	packageLines = 2600
	typeMethods  = 28
	structFields = 12 // of a struct that is not plain data: one with fields of its own
	cmdImports   = 22 // of ours
	longPercent  = 3  // of functions over 60 lines
)

// over is what has more than its budget, and how much. Figures go down, and
// entries go.
var over = map[string]int{}

// notInCmd are packages that the command line does not need: others know what is
// there, and what is to be done with files.
var notInCmd = map[string]bool{
	"internal/apply": true, "internal/apt": true, "internal/detect": true, "internal/edits": true,
	"internal/mastercf": true, "internal/milters": true, "internal/opendkim": true,
}

// measured is what the budgets are about.
type measured struct {
	lines, methods, fields map[string]int // by package, by type
	unexported             map[string]bool
	functions, long        int
	statePaths             []string // files that spell out where our own files are
}

func TestBudgets(t *testing.T) {
	m, imports := measure(t), importsOf(t)
	ours := slices.DeleteFunc(imports["cmd/mailsetup"], func(p string) bool { return !strings.HasPrefix(p, "mailsetup/") })
	check := func(what string, n, budget int) {
		t.Helper()
		if budget = max(budget, over[what]); n > budget {
			t.Errorf("%s: %d; the budget is %d", what, n, budget)
		}
	}
	for pkg, n := range m.lines {
		check("lines of "+pkg, n, map[bool]int{true: cmdLines, false: packageLines}[pkg == "cmd/mailsetup"])
	}
	for name, n := range m.methods {
		check("methods of "+name, n, typeMethods)
	}
	for name, n := range m.fields {
		if m.unexported[name] {
			check("fields of "+name, n, structFields)
		}
	}
	check("imports of cmd/mailsetup", len(ours), cmdImports)
	check("files with /var/lib/mailsetup", len(m.statePaths), 1)
	check("long functions in a hundred", 100*m.long/m.functions, longPercent)
	if t.Failed() {
		t.Logf("cmd/mailsetup imports %s", strings.Join(ours, " "))
		t.Logf("/var/lib/mailsetup is spelt in %s", strings.Join(m.statePaths, " "))
	}
	for _, p := range ours {
		if p = strings.TrimPrefix(p, "mailsetup/"); notInCmd[p] {
			t.Errorf("cmd/mailsetup imports %s", p)
		}
	}
	for pkg, list := range imports {
		if slices.Contains(list, "mailsetup/cmd/mailsetup") {
			t.Errorf("%s imports cmd/mailsetup", pkg)
		}
	}
	for _, above := range []string{"rotation", "rollback"} {
		if slices.Contains(imports["internal/provision"], "mailsetup/internal/"+above) {
			t.Errorf("internal/provision imports internal/%s, which stands above it", above)
		}
	}
}

// importsOf are the imports of each of our packages.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}`, "mailsetup/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), "|")
		all[strings.TrimPrefix(pkg, "mailsetup/")] = strings.Fields(imports)
	}
	return all
}

// measure reads all Go files but those of tests, the laboratory and the bench.
func measure(t *testing.T) measured {
	t.Helper()
	m := measured{lines: map[string]int{}, methods: map[string]int{}, fields: map[string]int{}, unexported: map[string]bool{}}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel("..", name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(outside, rel) || strings.HasPrefix(d.Name(), ".") && rel != "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			return err
		}
		m.add(set, filepath.ToSlash(rel), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// outside is what is no part of the product.
var outside = []string{"internal/e2e", "internal/bench", "internal/system/systemtest", "findings", "tools", "packaging"}

func (m *measured) add(set *token.FileSet, name string, file *ast.File) {
	pkg := name[:strings.LastIndexByte(name, '/')]
	m.lines[pkg] += set.File(file.Pos()).LineCount()
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			m.functions++
			if set.Position(n.End()).Line-set.Position(n.Pos()).Line >= 60 {
				m.long++
			}
			if n.Recv != nil {
				m.methods[pkg+"."+receiver(n.Recv.List[0].Type)]++
			}
		case *ast.TypeSpec:
			if st, ok := n.Type.(*ast.StructType); ok {
				m.structure(pkg+"."+n.Name.Name, st)
			}
		case *ast.BasicLit:
			if strings.Contains(n.Value, "/var/lib/mailsetup") && !slices.Contains(m.statePaths, name) {
				m.statePaths = append(m.statePaths, name)
			}
		}
		return true
	})
}

func (m *measured) structure(name string, st *ast.StructType) {
	for _, f := range st.Fields.List {
		m.fields[name] += max(1, len(f.Names))
		for _, field := range f.Names {
			m.unexported[name] = m.unexported[name] || !field.IsExported()
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
