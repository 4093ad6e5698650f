package zonefile_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

func spf(value string) state.Record {
	return state.Record{Name: "any.example.", Type: "TXT", TTL: 3600, Value: value}
}

func toSPF(old, value string) state.Replacement {
	return state.Replacement{Old: spf(old), New: spf(value)}
}

const (
	oldSPF = "v=spf1 mx -all"
	newSPF = "v=spf1 mx ip4:192.0.2.10 -all"
)

// The lines of the head stay; each case has the record in another form.
const replaceHead = "$TTL 1h\n@ IN SOA ns1 hostmaster 2026010101 4h 1h 2w 15m\n@ IN NS ns1\nns1 A 192.0.2.53\n"

func TestReplace(t *testing.T) {
	long := "v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 20) + "-all" // 291 octets
	for _, tt := range []struct{ name, zone, want, to string }{
		{"at the origin", "@ IN TXT \"v=spf1 mx -all\"\n", "@ IN TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n", newSPF},
		{"absolute, other case", "Any.Example. txt \"v=spf1 mx -all\" ; ours\n", "Any.Example. txt \"v=spf1 mx ip4:192.0.2.10 -all\" ; ours\n", newSPF},
		{
			"blank owner is that of the record before", "@ 300 IN MX 10 ns1\n\t\tTXT\t\"v=spf1 mx -all\"\t; tabs\n",
			"@ 300 IN MX 10 ns1\n\t\tTXT\t\"v=spf1 mx ip4:192.0.2.10 -all\"\t; tabs\n", newSPF,
		},
		{"class before the TTL", "@ IN 1h30m TXT \"v=spf1 mx -all\"\n", "@ IN 1h30m TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n", newSPF},
		{
			"origins", "$ORIGIN example.\nany TXT \"v=spf1 mx -all\"\n$ORIGIN sub.any\n@ TXT \"v=spf1 mx -all\"\n",
			"$ORIGIN example.\nany TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n$ORIGIN sub.any\n@ TXT \"v=spf1 mx -all\"\n", newSPF,
		},
		{
			"a blank owner keeps its origin", "@ A 192.0.2.1\n$ORIGIN sub\n\tTXT \"v=spf1 mx -all\"\n",
			"@ A 192.0.2.1\n$ORIGIN sub\n\tTXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n", newSPF,
		},
		{"bare", "@ TXT v=spf1\\ mx\\032-all\n", "@ TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n", newSPF},
		{"strings", "@ TXT \"v=spf1\" \" mx\"\" -all\"\n", "@ TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n", newSPF},
		{
			"lines in parentheses", "@ TXT ( \"v=spf1\"\n\t\t\" mx -all\" ) ; spf\nz A 192.0.2.1\n",
			"@ TXT ( \"v=spf1 mx ip4:192.0.2.10 -all\" ) ; spf\nz A 192.0.2.1\n", newSPF,
		},
		{
			"comments in parentheses", "@ TXT (\r\n  \"v=spf1\" ; one\r\n  \" mx -all\" ; two\r\n ) \r\n",
			"@ TXT (\r\n  \"v=spf1 mx ip4:192.0.2.10 -all\" ; one\r\n   ; two\r\n ) \r\n", newSPF,
		},
		{"more than a string holds", "@ TXT (\"v=spf1 mx -all\")\n", "@ TXT (\"" + long[:255] + "\" \"" + long[255:] + "\")\n", long},
		{"no final newline", "@ TXT \"v=spf1 mx -all\"", "@ TXT \"v=spf1 mx ip4:192.0.2.10 -all\"", newSPF},
		{
			"other records of the name", "@ TXT \"verify=1\"\n@ TXT \"v=spf1 mx -all\"\nmail TXT \"v=spf1 mx -all\"\n; @ TXT \"v=spf1 mx -all\"\n",
			"@ TXT \"verify=1\"\n@ TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\nmail TXT \"v=spf1 mx -all\"\n; @ TXT \"v=spf1 mx -all\"\n", newSPF,
		},
		{"to be escaped", "@ TXT \"v=spf1 mx -all\"\n", "@ TXT \"say \\\"\\\\\\\" \\195\\188\"\n", "say \"\\\" ü"},
	} {
		e := edit()
		e.Include, e.Replace = "", []state.Replacement{toSPF(oldSPF, tt.to)}
		got := apply(t, e, replaceHead+tt.zone)
		if want := raised(replaceHead) + tt.want; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
		if again := apply(t, e, got); again != got {
			t.Errorf("%s: the second time gives\n%s", tt.name, again)
		}
		if _, err := named(t, got, ""); err != nil {
			t.Errorf("%s: named refuses it: %v", tt.name, err)
		}
	}
}

func TestReplaceWithTheInclude(t *testing.T) {
	e := edit()
	dmarc := func(value string) state.Record {
		return state.Record{Name: "_dmarc.any.example.", Type: "TXT", Value: value}
	}
	e.Replace = []state.Replacement{
		toSPF(oldSPF, newSPF),
		{Old: dmarc("v=DMARC1; p=none"), New: dmarc("v=DMARC1; p=reject")},
		{Old: state.Record{Name: "ANY.example.", Type: "MX", Value: "10 ns1.any.example."}, New: state.Record{Name: "any.example.", Type: "MX", Value: "10 mail.any.example."}},
	}
	zone := replaceHead + "_dmarc TXT \"v=DMARC1; p=none\"\n@ MX ( 10 ; preference\n NS1 )\n@ TXT \"v=spf1 mx -all\""
	want := raised(replaceHead) + "_dmarc TXT \"v=DMARC1; p=reject\"\n@ MX ( 10 mail.any.example. ; preference\n  )\n" +
		"@ TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n" + includeLine + "\n"
	if got := apply(t, e, zone); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReplaceRefuses(t *testing.T) {
	const where = "edit zone any.example. in /etc/bind/db.any.example: "
	const old = `the TXT record "v=spf1 mx -all" of any.example.`
	for _, tt := range []struct {
		name, zone, want string
		list             []state.Replacement
	}{
		{"nowhere", "@ TXT \"v=spf1 -all\"\n", "no line is " + old, nil},
		{"twice", "@ TXT \"v=spf1 mx -all\"\n@ 60 TXT v=spf1 \" mx -all\"\n", "lines 5 and 6: both are " + old + ": take one of them out", nil},
		{"in an included file", "$INCLUDE \"mail records.inc\" ; mail\n", old + ` stands in "mail records.inc", included in line 5: change it there`, nil},
		{"generated", "$GENERATE 1-2 @ TXT \"v=spf1 mx -all\"\n", old + ` is made by $GENERATE in line 5: change it there`, nil},
		{
			"one of several, ours is not", "$INCLUDE a\n$GENERATE 1-2 @ TXT x\n" + includeLine + "\n$INCLUDE b\n",
			old + ` comes from one of $INCLUDE a (line 5), $GENERATE (line 6), $INCLUDE b (line 8): change it there`, nil,
		},
		{"new and old", "@ TXT \"v=spf1 mx -all\"\n@ TXT \"v=spf1 mx ip4:192.0.2.10 -all\"\n", `line 6: is the TXT record "v=spf1 mx ip4:192.0.2.10 -all" of any.example. already: take line 5 out`, nil},
		{"two wishes", "@ TXT \"v=spf1 mx -all\"\n", "two changes of " + old, []state.Replacement{toSPF(oldSPF, newSPF), toSPF(oldSPF, "v=spf1 -all")}},
		{"another type", "@ TXT \"v=spf1 mx -all\"\n", old + ": its replacement has another name or type", []state.Replacement{{Old: spf(oldSPF), New: state.Record{Name: "any.example.", Type: "A", Value: "192.0.2.1"}}}},
	} {
		e := edit()
		e.Replace = tt.list
		if tt.list == nil {
			e.Replace = []state.Replacement{toSPF(oldSPF, newSPF)}
		}
		out, err := zonefile.Apply(e, []byte(replaceHead+tt.zone))
		if err == nil || err.Error() != where+tt.want {
			t.Errorf("%s: got  %v\nwant %s%s\n%s", tt.name, err, where, tt.want, out)
		}
	}
}

func TestFind(t *testing.T) {
	zone := []byte(replaceHead + "\n@ TXT ( \"v=spf1\"\n\t\" mx -all\" ) ; spf\nz A 192.0.2.1\nz AAAA 2001:DB8:0::1\n")
	p, err := zonefile.Find(zone, "any.example.", spf(oldSPF))
	if err != nil || p.Line != 6 || p.Text != "@ TXT ( \"v=spf1\"\n\t\" mx -all\" ) ; spf" {
		t.Errorf("got line %d %q, %v", p.Line, p.Text, err)
	}
	if got, want := p.With(spf(newSPF)), "@ TXT ( \"v=spf1 mx ip4:192.0.2.10 -all\" ) ; spf"; got != want {
		t.Errorf("would be %q, want %q", got, want)
	}
	p, err = zonefile.Find(zone, "any.example.", state.Record{Name: "z.any.example.", Type: "AAAA", Value: "2001:db8::1"})
	if err != nil || p.Line != 9 {
		t.Errorf("AAAA: line %d, %v", p.Line, err)
	}
	if p, err := zonefile.Find([]byte("\"open\n"), "any.example.", spf(oldSPF)); err == nil {
		t.Errorf("an open quote: got %+v", p)
	}
}

// FuzzReplace: as another parser reads it, a replacement changes the data of
// the one record and the serial, and replacing back gives the records back.
func FuzzReplace(f *testing.F) {
	for _, z := range realZones() {
		text, err := os.ReadFile("testdata/zones/" + z.file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), newSPF)
	}
	f.Add(replaceHead+"@ TXT \"v=spf1\"(\" mx\"\n) \\\"; x\n", "\"\\\r\n;\x00ü"+strings.Repeat("x", 600))
	f.Fuzz(func(t *testing.T, zone, value string) {
		if strings.Contains(strings.ToUpper(zone), "$GENERATE") {
			return // may make a million
		}
		before, err := zonefile.Parse([]byte(zone), origin, nil)
		if err != nil {
			return
		}
		i := slices.IndexFunc(before, func(r state.Record) bool { return r.Type == "TXT" })
		if i < 0 {
			return
		}
		e := edit()
		old, changed := before[i], before[i]
		changed.Value = value
		e.Include, e.Replace = "", []state.Replacement{{Old: old, New: changed}}
		for j, r := range before {
			if j != i && r.Name == old.Name && (r.Value == old.Value || r.Value == value) {
				return
			}
		}
		out, err := zonefile.Apply(e, []byte(zone))
		if err != nil {
			if strings.Contains(err.Error(), "no line is") {
				t.Errorf("%v\n%q\n%+v", err, zone, old)
			}
			return
		}
		before[i] = changed
		reads(t, out, before)
		if again := apply(t, e, string(out)); again != string(out) {
			t.Errorf("twice:\n%q\n%q", out, again)
		}
		e.Replace = []state.Replacement{{Old: changed, New: old}}
		before[i] = old
		reads(t, []byte(apply(t, e, string(out))), before)
	})
}

// reads insists that a zone holds the records, whatever its serial.
func reads(t *testing.T, zone []byte, want []state.Record) {
	t.Helper()
	got, err := zonefile.Parse(zone, origin, nil)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %d records, want %d:\n%q", err, len(got), len(want), zone)
	}
	for i := range got {
		if got[i] != want[i] && want[i].Type != "SOA" {
			t.Errorf("%+v, want %+v in\n%q", got[i], want[i], zone)
		}
	}
}
