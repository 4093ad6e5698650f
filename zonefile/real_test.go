package zonefile_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// realZones are zone files as servers have them, in testdata/zones. Each has one
// SPF record of any.example with the same value, written in another way.
func realZones() []realZone {
	return []realZone{
		{"hoster.zone", 2026112298, 2026112299, `		IN	TXT	"v=spf1 mx a:web.any.example ip4:192.0.2.10 -all"	; who sends`, 16},
		{"origins.zone", 1763900000, uint32(day().Unix()), `any.example		3600 IN TXT "v=spf1 mx a:web.any.example ip4:192.0.2.10 -all"`, 28},
		{"generate.zone", 43, 44, `@ TXT "v=spf1 mx a:web.any.example ip4:192.0.2.10 -all"`, 5},
		{"includes.zone", 2026010101, 2026112201, `@	IN	TXT	"v=spf1 mx a:web.any.example ip4:192.0.2.10 -all"`, 16},
		{"texts.zone", 2026112199, 2026112201, "  IN TXT ( \"v=spf1 mx a:web.any.example ip4:192.0.2.10 -all\"\t\t\t; SPF, on several lines\n" +
			"\t   \t\t\t; our exchangers\n\t   \t\t; \"quotes\" in a comment ; and )\n\t    )\t\t\t; nobody else", 4},
		{"windows.zone", 7, 8, "@\tTXT\t(\t\"v=spf1 mx a:web.any.example ip4:192.0.2.10 -all\"\t; first\n\t\t )", 9},
		{"wrap.zone", 4294967295, 1, `any.example. 7200 IN TXT "v=spf1 mx a:web.any.example ip4:192.0.2.10 -all"`, 4},
		{"nottl.zone", 3000000000, 3000000001, `@	IN 300	TXT	"v=spf1 mx a:web.any.example ip4:192.0.2.10 -all"`, 4},
	}
}

type realZone struct {
	file        string
	old, raised uint32
	line        string // the SPF record as it will be
	number      int    // of that line
}

func (z realZone) text(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/zones", z.file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func realSPF() state.Replacement {
	return toSPF("v=spf1 mx a:web.any.example -all", "v=spf1 mx a:web.any.example ip4:192.0.2.10 -all")
}

func TestRealZones(t *testing.T) {
	if text := (realZone{file: "windows.zone"}).text(t); bytes.Count(text, []byte("\r\n")) != 12 {
		t.Fatalf("windows.zone lost its line ends:\n%q", text)
	}
	for _, z := range realZones() {
		t.Run(z.file, func(t *testing.T) {
			t.Parallel()
			zone := z.text(t)
			if got := serial(t, string(zone)); got != z.old {
				t.Fatalf("serial %d, want %d", got, z.old)
			}
			e := edit()
			once := twice(t, e, zone)
			if got := serial(t, string(once)); got != z.raised {
				t.Errorf("serial %d, want %d", got, z.raised)
			}
			onlyTheLine(t, zone, once, z)
			e.Include, e.Replace = "", []state.Replacement{realSPF()}
			changed := twice(t, e, zone)
			onlyTheRecord(t, zone, changed, z)
			e.Include = edit().Include
			both := twice(t, e, zone)
			onlyTheLine(t, changed, both, z)
			fragment := zonefile.Fragment("any.example", []state.Record{{Name: "_dmarc.new.any.example.", Type: "TXT", TTL: 300, Value: "v=DMARC1; p=none"}})
			loadsAlike(t, zone, once, both, fragment)
		})
	}
}

// twice applies an edit two times and insists that one was enough.
func twice(t *testing.T, e state.ZoneEdit, zone []byte) []byte {
	t.Helper()
	once := apply(t, e, string(zone))
	if again := apply(t, e, once); again != once {
		t.Errorf("the second time gives\n%s", again)
	}
	return []byte(once)
}

// onlyTheLine insists that an edited zone is the one before under a higher
// serial, and the line; and that taking the line out gives the zone back.
func onlyTheLine(t *testing.T, before, after []byte, z realZone) {
	t.Helper()
	end := "\n"
	if bytes.Contains(before, []byte("\r\n")) {
		end = "\r\n"
	}
	want := withSerial(t, before, z.raised)
	if !strings.HasSuffix(want, end) {
		want += end
	}
	if want += includeLine + end; string(after) != want {
		t.Errorf("got\n%q\nwant\n%q", after, want)
	}
	removed, err := zonefile.Remove(edit(), after)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := withSerial(t, removed, 1), strings.TrimSuffix(want, includeLine+end); got != withSerial(t, []byte(want), 1) {
		t.Errorf("without the line again:\n%q\nwant\n%q", got, want)
	}
	if !zonefile.Newer(serial(t, string(removed)), z.raised) {
		t.Errorf("serial %d after %d", serial(t, string(removed)), z.raised)
	}
}

func withSerial(t *testing.T, zone []byte, n uint32) string {
	t.Helper()
	out, err := zonefile.WithSerial(zone, n)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// onlyTheRecord insists that the lines of the SPF record changed as they were
// said to, and nothing else but the serial.
func onlyTheRecord(t *testing.T, before, after []byte, z realZone) {
	t.Helper()
	p, err := zonefile.Find(before, origin, realSPF().Old)
	if err != nil {
		t.Fatal(err)
	}
	would := p.With(realSPF().New)
	if got := strings.ReplaceAll(would, "\r\n", "\n"); p.Line != z.number || got != z.line {
		t.Errorf("line %d would be\n%s\nwant line %d\n%s", p.Line, got, z.number, z.line)
	}
	if n := bytes.Count(before, []byte(p.Text)); n != 1 {
		t.Fatalf("%q is there %d times", p.Text, n)
	}
	if want := strings.Replace(withSerial(t, before, z.raised), p.Text, would, 1); string(after) != want {
		t.Errorf("got\n%q\nwant\n%q", after, want)
	}
}

// loadsAlike has BIND load all three: the line adds the records of the
// fragment, the replacement changes the one record, and both move the serial.
func loadsAlike(t *testing.T, zone, once, both, fragment []byte) {
	t.Helper()
	was, with, changed := loaded(t, zone, nil), loaded(t, once, fragment), loaded(t, both, fragment)
	if len(was) < 4 {
		t.Fatalf("named loads hardly anything: %q", was)
	}
	want := append(slices.Clone(was), `_dmarc.new.any.example. 300 IN TXT "v=DMARC1; p=none"`)
	slices.Sort(want)
	if !slices.Equal(with, want) {
		t.Errorf("served with the line:\n%s\nwant\n%s", strings.Join(with, "\n"), strings.Join(want, "\n"))
	}
	spf := 0
	for i, line := range want {
		if strings.HasPrefix(line, "any.example.") && strings.Contains(line, `"v=spf1`) {
			ttl, _, _ := strings.Cut(line, " IN TXT ")
			want[i] = ttl + ` IN TXT "v=spf1 mx a:web.any.example ip4:192.0.2.10 -all"`
			spf++
		}
	}
	slices.Sort(want)
	if spf != 1 || !slices.Equal(changed, want) {
		t.Errorf("served with the record:\n%s\nwant\n%s", strings.Join(changed, "\n"), strings.Join(want, "\n"))
	}
}

// loaded are the records as named-checkzone(1) loads them, without the serial
// and without the records that the file includes from elsewhere.
func loaded(t *testing.T, zone, fragment []byte) []string {
	t.Helper()
	program, err := exec.LookPath("named-checkzone")
	if err != nil {
		t.Skip("SKIPPED: named-checkzone is missing, install Debian package bind9-utils")
	}
	dir := t.TempDir()
	hosts, err := os.ReadFile("testdata/zones/hosts.inc")
	if err != nil {
		t.Fatal(err)
	}
	zone = bytes.ReplaceAll(zone, []byte(edit().Include), []byte(dir+"/fragment"))
	for name, text := range map[string][]byte{"zone": zone, "fragment": fragment, "hosts.inc": hosts} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(program, "-i", "local", "-s", "full", "-w", dir, "-D", "-o", "-", origin, "zone").Output()
	if err != nil {
		t.Fatalf("named-checkzone: %v\n%s\n%s", err, out, zone)
	}
	var records []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) > 6 && f[3] == "SOA" {
			f[6] = "SERIAL"
		}
		if len(f) > 0 && f[0] != ";" {
			records = append(records, strings.Join(f, " "))
		}
	}
	slices.Sort(records)
	return records
}
