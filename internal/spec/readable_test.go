package spec_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec"
)

// shortFile is the file of a domain that says nothing but its name and selector.
func shortFile(name string) []byte { return []byte("domain = \"" + name + "\"\nselector = \"s\"\n") }

// A file that somebody copied and did not finish takes no other domain with it, and
// brings none with it: neither the domain whose name it repeats nor one that has no file.
func TestCopiedFileHarmsNoOtherDomain(t *testing.T) {
	const dir = "/etc/mailsetup/domains.d/"
	for name, tt := range map[string]struct {
		files map[string]string // the domain that the file of a domain names
		says  string
	}{
		"a copy of the host's own domain": {
			map[string]string{"shop.example": "shop.example", "b.example": "b.example", "copy.example": "shop.example"},
			dir + `copy.example.toml:1: domain "shop.example" has a file already, ` + dir + `shop.example.toml; hint: write: domain = "copy.example"`,
		},
		"a copy of another": {
			map[string]string{"shop.example": "shop.example", "b.example": "b.example", "copy.example": "b.example"},
			dir + `copy.example.toml:1: domain "b.example" has a file already, ` + dir + `b.example.toml; hint: write: domain = "copy.example"`,
		},
		"a copy that sorts before it": {
			map[string]string{"shop.example": "shop.example", "b.example": "b.example", "a.example": "b.example"},
			dir + `a.example.toml:1: domain "b.example" has a file already, ` + dir + `b.example.toml; hint: write: domain = "a.example"`,
		},
		"a name that has no file": {
			map[string]string{"shop.example": "shop.example", "b.example": "b.example", "copy.example": "new.example"},
			dir + `copy.example.toml:1: domain "new.example" is not the name of the file; hint: rename the file to ` + dir + `new.example.toml`,
		},
	} {
		texts, faulty := map[string][]byte{}, ""
		for file, domain := range tt.files {
			if texts[file] = shortFile(domain); file != domain {
				faulty = file
			}
		}
		got, bad, err := spec.ParseReadable([]byte(hostText), texts)
		if err != nil || len(got.Domains) != 2 || got.Domains[0].Name != "b.example" || got.Domains[1].Name != "shop.example" {
			t.Errorf("%s: readable are %+v, %v", name, got.Domains, err)
		}
		if len(bad) != 1 || bad[faulty].Error() != tt.says {
			t.Errorf("%s: %v\nwant %s", name, bad, tt.says)
		}
		if _, err := spec.Parse([]byte(hostText), texts); err == nil || err.Error() != tt.says {
			t.Errorf("%s, read as a whole: %v\nwant %s", name, err, tt.says)
		}
	}
}

// faults are ways to break a file of a domain.
var faults = []func(name, text string) string{
	func(_, text string) string { return text + "ttl = 5\n" },
	func(_, text string) string { return text + "[spf\n" },
	func(_, text string) string { return text + "colour = \"red\"\n" },
	func(_, text string) string { return text[:len(text)-4] },
	func(_, _ string) string { return "" },
	func(name, text string) string { return strings.Replace(text, name, "other-"+name, 1) },
	func(name, text string) string { return strings.Replace(text, name, "shop.example", 1) },
	func(name, text string) string { return text + "spf.include = [\"" + name + "\"]\n" },
	func(_, text string) string { return text + "also = [\"shop.example\"]\n" },
	func(_, text string) string { return text + "dns = \"rfc2136\"\n" },
	func(_, text string) string { return text + "new_zone = true\ndns = \"bind\"\n" },
	func(_, text string) string { return text + "partial = true\n" },
	func(_, text string) string { return text + "\x00" },
	func(_, text string) string { return "\xff" + text },
}

// However files of some domains are broken, each of the others is read as if the broken
// ones were not there, and each broken one is named, once, with a hint.
func TestReadableDomainsAreReadWhateverTheOthersSay(t *testing.T) {
	for seed := range uint64(300) {
		c := chooser{rand.New(rand.NewPCG(seed, 2606))}
		texts, whole, broken := map[string][]byte{"shop.example": shortFile("shop.example")}, []string{"shop.example"}, []string{}
		for _, name := range []string{"a.example", "b.example", "sub.shop.example", "z.example"} {
			text := string(shortFile(name))
			if c.IntN(2) == 0 {
				text = faults[c.IntN(len(faults))](name, text)
				broken = append(broken, name)
			} else {
				whole = append(whole, name)
			}
			texts[name] = []byte(text)
		}
		slices.Sort(whole)
		got, bad, err := spec.ParseReadable([]byte(hostText), texts)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		names := []string{}
		for _, d := range got.Domains {
			names = append(names, d.Name)
			if d.KeyBits != 2048 || d.TTL != 3600 || d.Selector != "s" {
				t.Errorf("seed %d: %s is read as %+v", seed, d.Name, d)
			}
		}
		if !slices.Equal(names, whole) || !slices.Equal(slices.Sorted(maps.Keys(bad)), broken) {
			t.Fatalf("seed %d: readable %q, want %q; bad %q, want %q", seed, names, whole, slices.Sorted(maps.Keys(bad)), broken)
		}
		for name, f := range bad {
			if len(f) != 1 || f[0].Hint == "" || !strings.Contains(f[0].Field, name) {
				t.Errorf("seed %d: %s: %v", seed, name, f)
			}
		}
		if f := got.Validate(); f != nil {
			t.Errorf("seed %d: what is readable is not valid: %v", seed, f)
		}
		_, err = spec.Parse([]byte(hostText), texts)
		if (err == nil) != (len(broken) == 0) {
			t.Errorf("seed %d: %d broken files, and as a whole: %v", seed, len(broken), err)
		}
	}
}

// Without the host's file, or that of the domain the host's own mail is signed for,
// nothing is readable; the answer names that file.
func TestNothingIsReadableWithoutTheHost(t *testing.T) {
	good := map[string][]byte{"shop.example": shortFile("shop.example"), "b.example": shortFile("b.example")}
	for _, tt := range []struct {
		host  string
		files map[string][]byte
		says  string
	}{
		{"", good, "/etc/mailsetup/host.toml: version: version 0 is not known"},
		{"version = 1\n", good, "host: hostname"},
		{hostText + "dns = 5\n", good, "/etc/mailsetup/host.toml:5: dns: takes a text in quotes, and not 5"},
		{hostText + "rotate_every = \"1s\"\nlag = \"x\"\n", good, `/etc/mailsetup/host.toml:6: lag "x" is no span of time`},
		{hostText, map[string][]byte{"b.example": shortFile("b.example")}, `host: domain "shop.example" has no file in /etc/mailsetup/domains.d`},
		{hostText, map[string][]byte{"shop.example": []byte("x"), "b.example": shortFile("b.example")}, "/etc/mailsetup/domains.d/shop.example.toml:1: "},
		{hostText, map[string][]byte{"shop.example": append(shortFile("shop.example"), "partial = true\n"...)}, "shop.example: partial: leaves nobody"},
		{strings.Replace(hostText, "[\"192.0.2.25\"]", "[]", 1), good, "host: addresses: are missing"},
		{hostText + "spf.redirect = \"_spf.b.example\"\nspf.include = [\"c.example\"]\n", good, "host: spf.include: does not count beside a redirect"},
		{hostText + "root_alias = \"root@mail.shop.example\"\n", good, `host: root_alias "root@mail.shop.example" is delivered here`},
	} {
		_, _, err := spec.ParseReadable([]byte(tt.host), tt.files)
		if err == nil || !strings.HasPrefix(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %s", tt.host, err, tt.says)
		}
	}
}

// What is no name is no domain of the server, and not its first one either.
func TestNoDomainHasAnImpossibleName(t *testing.T) {
	s, err := parse("", "")
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]bool{
		"": true, "shop.example": true, "Shop.Example.": true, " shop.example ": true,
		"host": false, "shop..example": false, "ann@shop.example": false, "*.shop.example": false, "b.example": false, "192.0.2.25": false,
	} {
		if got := s.Has(given); got != want {
			t.Errorf("it has %q: %v", given, got)
		}
	}
}
