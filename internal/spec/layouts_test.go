package spec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// laidOut writes the file of a domain as another editor would: any form that TOML has
// for a value or a table, any order, and remarks. It returns the line of each key.
func (c chooser) laidOut(d spec.Domain) (text string, lines map[string]int) {
	root, tables, table := []string{}, map[string][]string{}, ""
	for l := range strings.Lines(string(spec.MarshalBrief(d))) {
		l = strings.TrimSuffix(l, "\n")
		switch {
		case strings.HasPrefix(l, "["):
			table = strings.Trim(l, "[]")
		case table == "":
			root = append(root, l)
		default:
			tables[table] = append(tables[table], l)
		}
	}
	blocks := [][]string{} // of lines; the first word of a block's line is a key
	headers := [][]string{}
	for _, l := range root {
		blocks = append(blocks, []string{c.pair("", l)})
	}
	for _, name := range []string{"spf", "dmarc", "rfc2136"} {
		pairs := tables[name]
		if len(pairs) == 0 {
			continue
		}
		switch form := c.IntN(12); {
		case form < 5: // a table of its own
			block := []string{c.of("["+name+"]", "[ "+name+" ]  # the table", "[\""+name+"\"]")}
			for _, p := range pairs {
				block = append(block, c.pair("", p))
			}
			headers = append(headers, block)
		case form < 11: // dotted keys
			for _, p := range pairs {
				blocks = append(blocks, []string{c.pair(c.of(name+".", name+" . ", "'"+name+"'."), p)})
			}
		default: // inline
			blocks = append(blocks, []string{name + " = { " + strings.Join(pairs, ", ") + " }"})
		}
	}
	c.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	c.Shuffle(len(headers), func(i, j int) { headers[i], headers[j] = headers[j], headers[i] })
	lines = map[string]int{}
	var out strings.Builder
	for _, block := range append(blocks, headers...) {
		for _, l := range block {
			if c.IntN(4) == 0 {
				out.WriteString(c.of("\n", "# ttl = 7\n", "  # [spf]\n", "\t\n"))
			}
			key, _, _ := strings.Cut(l, "=")
			lines[strings.Trim(strings.TrimSpace(key), `"'`)] = 1 + strings.Count(out.String(), "\n")
			out.WriteString(c.of("", "", "  ") + l + "\n")
		}
	}
	text = out.String()
	if c.IntN(3) == 0 {
		text = strings.TrimSuffix(text, "\n")
	}
	if c.IntN(3) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return c.of("", "", "\ufeff") + text, lines
}

// pair writes one key and its value in some form.
func (c chooser) pair(table, line string) string {
	key, value, _ := strings.Cut(line, " = ")
	if c.IntN(4) == 0 {
		key = c.of(`"`+key+`"`, "'"+key+"'")
	}
	inside := strings.Trim(value, `"`)
	switch {
	case strings.HasPrefix(value, `"`):
		value = c.of(value, value, "'"+inside+"'", `"""`+inside+`"""`, "'''\n"+inside+"'''", "\"\"\"\\\n   "+inside+"\"\"\"", fmt.Sprintf(`"\u%04X%s"`, inside[0], inside[1:]))
	case strings.HasPrefix(value, "[\""):
		items := strings.Split(strings.Trim(value, "[]"), ", ")
		value = c.of(value, "[ "+strings.Join(items, " ,")+" ,]", "[\n\t"+strings.Join(items, ",\n\t")+",\n]", "["+strings.Join(items, ",\n")+"]")
	case value == "3600":
		value = c.of("3600", "3_600", "0xE10", "+3600")
	}
	remark := c.of("", "", " # \"remark\" = [1]", "\t#")
	return table + key + c.of(" = ", "=", " =\t") + value + remark
}

// A file says the same in each form that TOML has for it, to the human and to us.
func TestEachLayoutSaysTheSame(t *testing.T) {
	for seed := range uint64(250) {
		c := chooser{rand.New(rand.NewPCG(seed, 3629))}
		want := c.domain("shop.example")
		if want.DNS == "" && want.Update.KeyFile == "" {
			want.DNS = "manual"
		}
		text, _ := c.laidOut(want)
		got, err := spec.Parse([]byte(hostText), map[string][]byte{"shop.example": []byte(text)})
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, text)
		}
		if diff := sameSpec(want, got.Domains[0]); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s\nof\n%s", seed, diff, text)
		}
	}
}

// A change in a file of any layout says what was wanted and keeps every remark, or it is
// refused with the file's name and what to write, and then done by hand.
func TestChangesInEachLayout(t *testing.T) {
	made := 0
	for seed := range uint64(250) {
		c := chooser{rand.New(rand.NewPCG(seed, 3629))}
		before, after := c.domain("shop.example"), c.domain("shop.example")
		before.DNS, after.DNS = "manual", "manual"
		text, _ := c.laidOut(before)
		same, err := spec.SetDomain([]byte(text), before)
		if err != nil || string(same) != text {
			t.Fatalf("seed %d: what it says already: %v\n%q\n%q", seed, err, text, same)
		}
		changed, err := spec.SetDomain([]byte(text), after)
		if err != nil {
			if f, ok := err.(syntax.Findings); !ok || len(f) != 1 || !strings.HasPrefix(f[0].Field, "/etc/mailsetup/domains.d/shop.example.toml") || f[0].Hint == "" || changed != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			continue
		}
		made++
		got, err := spec.Parse([]byte(hostText), map[string][]byte{"shop.example": changed})
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, changed)
		}
		if diff := sameSpec(after, got.Domains[0]); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		for _, remark := range []string{"# \"remark\" = [1]", "# ttl = 7", "# [spf]", "# the table"} {
			if was, is := strings.Count(text, remark), strings.Count(string(changed), remark); is != was {
				t.Errorf("seed %d: %d remarks %q were there, %d are:\n%s\n%s", seed, was, remark, is, text, changed)
			}
		}
		if crlf := strings.Count(string(changed), "\r\n"); strings.Contains(text, "\r\n") && crlf != strings.Count(string(changed), "\n") {
			t.Errorf("seed %d: lines end in two ways:\n%q", seed, changed)
		}
		if strings.HasPrefix(text, "\ufeff") != strings.HasPrefix(string(changed), "\ufeff") {
			t.Errorf("seed %d: the mark at the begin came or went", seed)
		}
	}
	if made < 100 {
		t.Errorf("only %d changes were made", made)
	}
}

// A value that is refused is refused with its line, in whichever layout.
func TestRefusalsNameTheLine(t *testing.T) {
	for seed := range uint64(250) {
		c := chooser{rand.New(rand.NewPCG(seed, 3629))}
		d := c.domain("shop.example")
		d.DNS = "manual"
		bad := []struct {
			key  string
			make func(*spec.Domain)
		}{
			{"ttl", func(d *spec.Domain) { d.TTL = 5 }},
			{"key_bits", func(d *spec.Domain) { d.KeyBits = 512 }},
			{"selector", func(d *spec.Domain) { d.Selector = "a b" }},
			{"ns", func(d *spec.Domain) { d.NS = []string{"ns1.lab.example", "ns2"} }},
			{"also", func(d *spec.Domain) { d.Also = []string{"b.example", "@"} }},
			{"keep", func(d *spec.Domain) { d.Keep = []string{"mx"} }},
			{"repair", func(d *spec.Domain) { d.Repair = "maybe" }},
		}
		first, second := bad[c.IntN(len(bad))], bad[c.IntN(len(bad))]
		first.make(&d)
		second.make(&d)
		text, lines := c.laidOut(d)
		want := []string{fmt.Sprintf("%d: %s", lines[first.key], first.key), fmt.Sprintf("%d: %s", lines[second.key], second.key)}
		slices.Sort(want)
		want = slices.Compact(want)
		_, err := spec.Parse([]byte(hostText), map[string][]byte{"shop.example": []byte(text)})
		f, _ := err.(syntax.Findings)
		got := []string{}
		for _, one := range f {
			if one.Hint == "" || strings.Contains(one.String(), "\n") {
				t.Errorf("seed %d: %v", seed, one)
			}
			got = append(got, strings.TrimPrefix(one.Field, "/etc/mailsetup/domains.d/shop.example.toml:"))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: refused %q, want %q in\n%s", seed, got, want, text)
		}
	}
}
