package zonefile_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

func raised(zone string) string { return strings.Replace(zone, "2026010101", "2026112201", 1) }

func TestApply(t *testing.T) {
	other := edit()
	other.Stamp = "ffffffff"
	oldLine := strings.Replace(includeLine, "0123abcd", "ffffffff", 1)
	crlf := strings.ReplaceAll(plainZone, "\n", "\r\n")
	for _, tt := range []struct{ name, zone, want string }{
		{"fresh", plainZone, raised(plainZone) + includeLine + "\n"},
		{"no final newline", strings.TrimSuffix(plainZone, "\n"), raised(plainZone) + includeLine + "\n"},
		{"ends in a comment", plainZone + "; the end", raised(plainZone) + "; the end\n" + includeLine + "\n"},
		{"CRLF", crlf, raised(crlf) + includeLine + "\r\n"},
		{"CRLF, no final newline", strings.TrimSuffix(crlf, "\r\n"), raised(crlf) + includeLine + "\r\n"},
		{"other stamp", plainZone + oldLine + "\nz A 192.0.2.1\n", raised(plainZone) + includeLine + "\nz A 192.0.2.1\n"},
		{
			"unquoted, lower case", plainZone + "$include /etc/bind/mailsetup/any.example.zone\nz A 192.0.2.1\n",
			raised(plainZone) + includeLine + "\nz A 192.0.2.1\n",
		},
		{"twice", plainZone + includeLine + "\n" + oldLine + "\n; end\n", raised(plainZone) + includeLine + "\n; end\n"},
		{"commented out", plainZone + ";" + includeLine + "\n", raised(plainZone) + ";" + includeLine + "\n" + includeLine + "\n"},
		{
			"somebody else's", plainZone + "$INCLUDE \"/etc/bind/www.zone\"\n",
			raised(plainZone) + "$INCLUDE \"/etc/bind/www.zone\"\n" + includeLine + "\n",
		},
		{"CRLF, other stamp", crlf + oldLine + "\r\n; end\r\n", raised(crlf) + includeLine + "\r\n; end\r\n"},
		{"as it should be", plainZone + includeLine + "\n", plainZone + includeLine + "\n"},
		{"as it should be, in the middle", plainZone + includeLine + "\nz A 192.0.2.1", plainZone + includeLine + "\nz A 192.0.2.1"},
	} {
		got := apply(t, edit(), tt.zone)
		if got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		if again := apply(t, edit(), got); again != got {
			t.Errorf("%s: the second time gives\n%s", tt.name, again)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	const where = "edit zone any.example. in /etc/bind/db.any.example: "
	for _, tt := range []struct {
		name, zone, want string
		spoil            func(*state.ZoneEdit)
	}{
		{"no file", "", where + "no SOA record", nil},
		{
			"SOA elsewhere", "$INCLUDE /etc/bind/soa.inc\n",
			where + `no SOA record here: it may be in "/etc/bind/soa.inc", included in line 1`, nil,
		},
		{"open quote", plainZone + "a TXT \"b\n", where + "line 7: quote is never closed", nil},
		{
			"quote in the path", plainZone, where + `$INCLUDE "/a\"b": not a path that a zone file can hold`,
			func(e *state.ZoneEdit) { e.Include = `/a"b` },
		},
		{
			"relative path", plainZone, where + `$INCLUDE "a": not a path that a zone file can hold`,
			func(e *state.ZoneEdit) { e.Include = "a" },
		},
		{
			"newline in the stamp", plainZone, where + `stamp "a\nb": not a plain word`,
			func(e *state.ZoneEdit) { e.Stamp = "a\nb" },
		},
		{
			"relative origin", plainZone, `edit zone any.example in /etc/bind/db.any.example: origin "any.example": not an absolute name`,
			func(e *state.ZoneEdit) { e.Origin = "any.example" },
		},
		{"no name server", "", where + "new zone has no name server", func(e *state.ZoneEdit) { e.New = &state.NewZone{Hostmaster: "h.any.example."} }},
		{"relative name server", "", where + `name "ns1": not an absolute name`, func(e *state.ZoneEdit) {
			e.New = &state.NewZone{NS: []string{"ns1"}, Hostmaster: "h.any.example."}
		}},
	} {
		e := edit()
		if tt.spoil != nil {
			tt.spoil(&e)
		}
		out, err := zonefile.Apply(e, []byte(tt.zone))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s\n%s", tt.name, err, tt.want, out)
		}
	}
}

func newEdit() state.ZoneEdit {
	e := edit()
	e.New = &state.NewZone{NS: []string{"mail.any.example.", "ns2.abc.example."}, Hostmaster: "hostmaster.any.example.", TTL: 3600}
	return e
}

const wantNewZone = `; Zone any.example.
; Started by mailsetup and yours to edit: only the $INCLUDE line is kept up to date.
$TTL 3600
any.example. IN SOA mail.any.example. hostmaster.any.example. (
	2026112201 ; serial
	14400      ; refresh: 4 hours
	3600       ; retry: 1 hour
	1209600    ; expire: 2 weeks
	900        ; negative answers: 15 minutes
	)
any.example. IN NS mail.any.example.
any.example. IN NS ns2.abc.example.

` + includeLine + "\n"

func TestNewZone(t *testing.T) {
	zone := apply(t, newEdit(), "")
	if zone != wantNewZone {
		t.Errorf("got\n%s\nwant\n%s", zone, wantNewZone)
	}
	if again := apply(t, newEdit(), zone); again != zone {
		t.Errorf("the second time gives\n%s", again)
	}
	if _, err := named(t, zone, string(zonefile.Fragment("any.example", mailRecords()))); err != nil {
		t.Errorf("named refuses it: %v", err)
	}
}

func TestRemove(t *testing.T) {
	for _, tt := range []struct{ name, zone, want string }{
		{"at the end", plainZone + includeLine + "\n", raised(plainZone)},
		{"no final newline", plainZone + includeLine, raised(plainZone)},
		{"in the middle", plainZone + includeLine + "\nz A 192.0.2.1", raised(plainZone) + "z A 192.0.2.1"},
		{"twice", plainZone + includeLine + "\n" + includeLine + "\n", raised(plainZone)},
		{"not there", plainZone, plainZone},
		{"not there, no SOA", "@ NS ns1\n", "@ NS ns1\n"},
	} {
		drop := edit()
		drop.Drop = true
		got, err := zonefile.Apply(drop, []byte(tt.zone))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got\n%s\n%v, want\n%s", tt.name, got, err, tt.want)
		}
	}
	if out, err := zonefile.Remove(edit(), []byte(includeLine+"\n")); err == nil {
		t.Errorf("no SOA to raise: accepted:\n%s", out)
	}
}

func TestNamedAcceptsEditedZones(t *testing.T) {
	fragment := string(zonefile.Fragment("any.example", mailRecords()))
	for name, zone := range map[string]string{
		"plain":            plainZone,
		"CRLF":             strings.ReplaceAll(plainZone, "\n", "\r\n"),
		"no final newline": strings.TrimSuffix(plainZone, "\n"),
	} {
		edited := apply(t, edit(), zone)
		out, err := named(t, edited, fragment)
		if err != nil {
			t.Errorf("%s: refused: %v", name, err)
		}
		if !strings.Contains(out, " 2026112201 ") || !strings.Contains(out, "192.0.2.10") {
			t.Errorf("%s: served\n%s", name, out)
		}
	}
}

// FuzzEdit: applying twice is applying once, restoring gives the zone back but
// for its serial, removing also but for its final newline, and the serial grows
// exactly when the text changes.
func FuzzEdit(f *testing.F) {
	f.Add(plainZone)
	f.Add(strings.TrimSuffix(strings.ReplaceAll(plainZone, "\n", "\r\n"), "\r\n"))
	f.Add(plainZone + "$INCLUDE /x\n; (\n a TXT \"(\" ( \";\"\n ) ; \"")
	f.Add(plainZone + "x\\")
	f.Add("@ SOA a b 4294967295 1 1 1 1")
	for _, z := range realZones() {
		text, err := os.ReadFile("testdata/zones/" + z.file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, form := range soaForms() {
		f.Add(strings.Replace(form, "S", "1", 1))
	}
	f.Fuzz(func(t *testing.T, zone string) {
		if strings.Contains(zone, string(edit().Include)) {
			return
		}
		once, err := zonefile.Apply(edit(), []byte(zone))
		if err != nil {
			return
		}
		if !zonefile.Newer(serial(t, string(once)), serial(t, zone)) {
			t.Errorf("the serial does not grow:\n%s", once)
		}
		twice, err := zonefile.Apply(edit(), once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("twice: %v\n%q\n%q", err, once, twice)
		}
		restored, err := zonefile.Restore([]byte(zone), once)
		if err != nil || !zonefile.Newer(serial(t, string(restored)), serial(t, string(once))) {
			t.Fatalf("restore: %v\n%q", err, restored)
		}
		if got, want := withSerial(t, restored, 7), withSerial(t, []byte(zone), 7); got != want {
			t.Errorf("restored:\n%q\nwant\n%q", got, want)
		}
		removed, err := zonefile.Remove(edit(), once)
		if err != nil || !zonefile.Newer(serial(t, string(removed)), serial(t, string(once))) {
			t.Fatalf("remove: %v\n%q", err, removed)
		}
		back, err := zonefile.WithSerial(removed, serial(t, zone))
		original, err2 := zonefile.WithSerial([]byte(zone), serial(t, zone))
		if err != nil || err2 != nil || !bytes.HasPrefix(back, original) || strings.Trim(string(back[len(original):]), "\r\n") != "" {
			t.Errorf("%v, %v: not the zone again:\n%q\n%q", err, err2, back, original)
		}
	})
}

func bigZone(records int) []byte {
	var b bytes.Buffer
	b.WriteString(plainZone)
	for i := range records {
		fmt.Fprintf(&b, "host%d\tIN A 192.0.2.%d ; machine %d\n", i, i%256, i)
	}
	return b.Bytes()
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		zone := bigZone(n)
		b.Run(fmt.Sprintf("%d records", n), func(b *testing.B) {
			b.SetBytes(int64(len(zone)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := zonefile.Apply(edit(), zone); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
