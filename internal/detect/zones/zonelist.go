package zones

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
)

// namedConfig is named.conf(5) with everything it includes. What is in effect for every
// zone is found once: there may be ten thousand.
type namedConfig struct {
	statements []namedconf.Statement
	options    []namedconf.Statement
	directory  string                           // that relative file names start from
	lists      map[string][]namedconf.Statement // of addresses, by lower-case name
}

func newConfig(statements []namedconf.Statement) *namedConfig {
	o, _ := namedconf.First(statements, "options")
	d, _ := namedconf.First(o.Block(), "directory")
	c := &namedConfig{statements, o.Block(), path.Join("/", d.Word(1)), map[string][]namedconf.Statement{}}
	for _, s := range statements {
		if name := strings.ToLower(s.Word(1)); s.Word(0) == "acl" && c.lists[name] == nil {
			c.lists[name] = s.Block()
		}
	}
	return c
}

// zoneConfig is a zone of named.conf, with what decides whether its file may be edited.
type zoneConfig struct {
	state.Zone
	// journal is the path of one that must not be there, "" where BIND keeps
	// one rightly: it would not load an edited file beside it.
	journal state.Path
}

// scope are the blocks that a zone takes its options from: its own, its view's, and the
// global ones.
type scope struct {
	config *namedConfig
	view   string
	blocks [][]namedconf.Statement
}

// zones returns the zones of class IN, without the built-in ones.
func (c *namedConfig) zones() []zoneConfig {
	var found []zoneConfig
	for _, sc := range c.scopes() {
		found = slices.Grow(found, len(sc.blocks[0])+1) // and one that is new
		for _, s := range sc.blocks[0] {
			if class := s.Word(2); s.Word(0) != "zone" || class != "" && !strings.EqualFold(class, "IN") {
				continue
			}
			if z := sc.describe(s); !builtIn(z.Zone) {
				found = append(found, z)
			}
		}
	}
	return found
}

// scopes returns where zones can be declared: in the whole file or, if there are views,
// in each view.
func (c *namedConfig) scopes() []scope {
	var views []scope
	for _, s := range c.statements {
		if s.Word(0) == "view" {
			views = append(views, scope{c, s.Word(1), [][]namedconf.Statement{s.Block(), c.options}})
		}
	}
	if len(views) > 0 {
		return views
	}
	return []scope{{c, "", [][]namedconf.Statement{c.statements, c.options}}}
}

// in returns the scope of a zone statement's own block.
func (s scope) in(zone []namedconf.Statement) scope {
	blocks := [][]namedconf.Statement{zone}
	if s.view != "" {
		blocks = append(blocks, s.blocks[0])
	}
	return scope{s.config, s.view, append(blocks, s.config.options)}
}

// option returns the statement that sets an option for the zone, and whether it is in
// the zone's own block.
func (s scope) option(name string) (found namedconf.Statement, own bool) {
	for i, block := range s.blocks {
		if o, ok := namedconf.First(block, name); ok {
			return o, i == 0
		}
	}
	return namedconf.Statement{}, true
}

func (s scope) value(name string) string {
	o, _ := s.option(name)
	return strings.ToLower(o.Word(1))
}

// describe parses one zone statement.
func (s scope) describe(zone namedconf.Statement) zoneConfig {
	sc := s.in(zone.Block())
	z := state.Zone{
		Origin: strings.ToLower(dnsname.TrimDot(zone.Word(1))) + ".", View: s.view,
	}
	if from, ok := namedconf.First(zone.Block(), "in-view"); ok {
		z.Kind = "in-view"
		z.Problem, z.Hint = "it is shared from view "+from.Word(1), printed
		return zoneConfig{Zone: z}
	}
	kind, _ := namedconf.First(zone.Block(), "type")
	z.Kind = currentType(kind.Word(1))
	updates := sc.updates()
	z.Dynamic = updates != ""
	policy := sc.value("dnssec-policy")
	z.Signed = z.Kind == "primary" && (yes(sc.value("inline-signing")) || policy != "" && policy != "none")
	file, _ := namedconf.First(zone.Block(), "file")
	z.File, z.Problem = absolutePath(s.config.directory, file.Word(1))
	if z.Problem == "" {
		z.Problem, z.Hint = sc.whyNotEditable(z, updates)
	}
	return zoneConfig{z, sc.journal(z)}
}

// updates returns the option by which others can change the zone, "" for none.
func (s scope) updates() string {
	if _, ok := namedconf.First(s.blocks[0], "update-policy"); ok {
		return "update-policy"
	}
	allow, own := s.option("allow-update")
	switch {
	case !s.admits(allow.Block(), 0):
		return ""
	case own:
		return "allow-update"
	}
	return "allow-update, inherited"
}

// admits reports whether an address match list lets anybody in. It follows nested
// lists, which may be circular, ten levels deep.
func (s scope) admits(list []namedconf.Statement, depth int) bool {
	return slices.ContainsFunc(list, func(e namedconf.Statement) bool {
		word := e.Word(0)
		if strings.HasPrefix(word, "!") || word == "none" || depth > 10 {
			return false
		}
		if list, known := s.config.lists[strings.ToLower(word)]; known {
			return s.admits(list, depth+1)
		}
		return true
	})
}

// journal returns the path at which a left-over journal would be; "" for zones that
// keep one on purpose: inline-signed ones, and those with ixfr-from-differences.
func (s scope) journal(z state.Zone) state.Path {
	differences := s.value("ixfr-from-differences")
	if z.Problem != "" || z.Signed || yes(differences) || differences == "primary" || differences == "master" {
		return ""
	}
	name, _ := namedconf.First(s.blocks[0], "journal")
	if name.Word(1) == "" {
		return z.File + ".jnl"
	}
	p, _ := absolutePath(s.config.directory, name.Word(1))
	return p
}

// absolutePath makes a file name of named.conf absolute.
func absolutePath(directory, file string) (state.Path, string) {
	if file == "" {
		return "", ""
	}
	if !path.IsAbs(file) {
		file = path.Join(directory, file)
	}
	p, err := state.ParsePath(file)
	if err != nil {
		return "", fmt.Sprintf("its file: %v", err)
	}
	return p, ""
}

// currentType returns the present word for a zone type that BIND 9.16 renamed.
func currentType(kind string) string {
	switch kind = strings.ToLower(kind); kind {
	case "master":
		return "primary"
	case "slave":
		return "secondary"
	default:
		return kind
	}
}

func yes(word string) bool { return slices.Contains([]string{"yes", "true", "1"}, word) }

// builtIn reports whether every server has the zone, because of Debian or RFC 6303.
func builtIn(z state.Zone) bool {
	if z.Kind == "hint" || z.Kind == "mirror" && z.Origin == "." {
		return true
	}
	names := []string{".", "localhost.", "127.in-addr.arpa.", "0.in-addr.arpa.", "255.in-addr.arpa."}
	files := []state.Path{"/etc/bind/db.empty", "/etc/bind/db.local", "/etc/bind/db.127", "/etc/bind/db.0", "/etc/bind/db.255"}
	return slices.Contains(names, z.Origin) || slices.Contains(files, z.File)
}
