package edits

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
)

// The comment lines around our statement of a zone begin with these words.
const zoneBegins, zoneEnds = "// mailsetup: zone ", "// mailsetup: end of zone "

// ZoneStatement returns the statement of a zone, between its two comment lines.
func ZoneStatement(z state.NamedZone) string {
	return fmt.Sprintf("%s%s\nzone \"%s\" {\n\ttype primary;\n\tfile \"%s\";\n};\n%s%s\n", zoneBegins, z.Origin, z.Origin, z.File, zoneEnds, z.Origin)
}

// Named returns named.conf text with the statements of zones in it, each between two
// comment lines, or without them. A statement of ours that has the right type and file
// is left as it is, whatever the administrator added to it; another one is replaced in
// place. With ours goes the empty line before it. A statement for the zone that is not
// ours is an error: named refuses two.
func Named(e state.NamedEdit, current []byte) ([]byte, error) {
	wanted := make(map[string]bool, len(e.Zones))
	for _, z := range e.Zones {
		if err := checkZone(z); err != nil {
			return nil, err
		}
		wanted[z.Origin] = true
	}
	text := string(current)
	blocks, err := findBlocks(e.Path, text, wanted)
	if err != nil {
		return nil, err
	}
	if !e.Drop {
		if err := checkDeclared(e, text, blocks); err != nil {
			return nil, err
		}
	}
	return []byte(splice(e, text, blocks)), nil
}

// splice puts the statements in, or takes them out.
func splice(e state.NamedEdit, text string, blocks []namedBlock) string {
	missing := make(map[string]state.NamedZone, len(e.Zones))
	for _, z := range e.Zones {
		missing[z.Origin] = z
	}
	out := make([]byte, 0, len(text)+200*len(e.Zones))
	from := 0
	for _, at := range blocks {
		z, own := missing[at.origin], text[at.start:at.end]
		delete(missing, at.origin)
		out = append(out, text[from:at.start]...)
		from = at.end
		switch {
		case e.Drop && bytes.HasSuffix(out, []byte("\n\n")):
			out = out[:len(out)-1]
		case e.Drop:
		case isPrimaryWithFile(own, z):
			out = append(out, own...)
		default:
			out = append(out, ZoneStatement(z)...)
		}
	}
	out = append(out, text[from:]...)
	for _, z := range e.Zones {
		if _, is := missing[z.Origin]; e.Drop || !is {
			continue
		}
		if len(out) > 0 {
			out = append(bytes.TrimSuffix(out, []byte("\n")), "\n\n"...)
		}
		out = append(out, ZoneStatement(z)...)
	}
	return string(out)
}

func checkZone(z state.NamedZone) error {
	if err := checkPlain("zone", z.Origin); err != nil {
		return err
	}
	if strings.ContainsAny(z.Origin, " /;{}") {
		return fmt.Errorf("zone %q: not a domain name", z.Origin)
	}
	return checkPlain("zone file", string(z.File))
}

// namedBlock is where the statement of a zone of ours stands, with its comment lines.
type namedBlock struct {
	origin     string
	start, end int
}

// findBlocks returns the blocks of zones, in the order of the text.
func findBlocks(file state.Path, text string, wanted map[string]bool) ([]namedBlock, error) {
	var blocks []namedBlock
	seen := map[string]bool{}
	open, start, pos := "", 0, 0
	for line := range strings.Lines(text) {
		next := pos + len(line)
		mark := strings.TrimSpace(line)
		begins, isBegin := strings.CutPrefix(mark, zoneBegins)
		ends, isEnd := strings.CutPrefix(mark, zoneEnds)
		switch {
		case isBegin && wanted[begins] && seen[begins]:
			return nil, fmt.Errorf("%s: has two lines %q", file, mark)
		case isBegin && wanted[begins] && open == "":
			open, start, seen[begins] = begins, pos, true
		case isEnd && ends == open:
			blocks = append(blocks, namedBlock{open, start, next})
			open = ""
		}
		pos = next
	}
	if open != "" {
		return nil, fmt.Errorf("%s: the line %q is missing", file, zoneEnds+open)
	}
	return blocks, nil
}

// zoneNames finds the statements of zones in a text without comments.
var zoneNames = regexp.MustCompile(`(?i)(?:^|[\s;{}])zone\s+"?([^\s"{};]+)"?(?:[\s{]|$)`)

// declaredZones returns the zones that a text has a statement for, outside of comments.
func declaredZones(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range zoneNames.FindAllStringSubmatch(namedconf.Uncomment(text), -1) {
		names[strings.ToLower(strings.TrimSuffix(m[1], "."))] = true
	}
	return names
}

// fewZones are so many that to look for the name of each costs less than to parse the
// text.
const fewZones = 20

// checkDeclared refuses statements beside ours.
func checkDeclared(e state.NamedEdit, text string, blocks []namedBlock) error {
	var b strings.Builder
	from := 0
	for _, at := range blocks {
		b.WriteString(text[from:at.start])
		from = at.end
	}
	b.WriteString(text[from:])
	others := strings.ToLower(b.String())
	// Most often few zones are new, and a text of ten thousand does not have their names.
	if len(e.Zones) <= fewZones && !slices.ContainsFunc(e.Zones, func(z state.NamedZone) bool { return strings.Contains(others, strings.ToLower(z.Origin)) }) {
		return nil
	}
	names := declaredZones(others)
	for _, z := range e.Zones {
		switch {
		case !names[strings.ToLower(z.Origin)]:
		case slices.ContainsFunc(blocks, func(b namedBlock) bool { return b.origin == z.Origin }):
			return fmt.Errorf("%s: has zone %q twice, once not written by mailsetup", e.Path, z.Origin)
		default:
			return fmt.Errorf("%s: has a zone %q that mailsetup did not write", e.Path, z.Origin)
		}
	}
	return nil
}

// isPrimaryWithFile reports whether our block makes the zone a primary one with the
// file.
func isPrimaryWithFile(block string, z state.NamedZone) bool {
	if block == ZoneStatement(z) {
		return true
	}
	code := namedconf.Uncomment(block)
	kind := regexp.MustCompile(`(?i)[\s;{]type\s+(primary|master)\s*;`)
	file := regexp.MustCompile(`(?i)[\s;{]file\s+"` + regexp.QuoteMeta(string(z.File)) + `"\s*;`)
	return declaredZones(block)[strings.ToLower(z.Origin)] && kind.MatchString(code) && file.MatchString(code)
}
