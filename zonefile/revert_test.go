package zonefile_test

import (
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

const spfLine = "@ TXT \"v=spf1 mx -all\"\n"

// edited is a zone before and after a run that took our fragment in and changed
// the SPF record.
func edited(t *testing.T) (before, after string) {
	t.Helper()
	before = plainZone + spfLine + "www A 192.0.2.80\n"
	e := edit()
	e.Replace = []state.Replacement{toSPF("v=spf1 mx -all", "v=spf1 mx ip4:192.0.2.10 -all")}
	return before, apply(t, e, before)
}

func TestRevert(t *testing.T) {
	before, after := edited(t)
	for _, tt := range []struct {
		name     string
		old, new string // what was changed since
		want     string // the zone before, with that
	}{
		{"nothing", "", "", before},
		{"a line at the end", includeLine + "\n", includeLine + "\nlater A 192.0.2.44\n", before + "later A 192.0.2.44\n"},
		{"a line in the middle", "www A 192.0.2.80\n", "new A 192.0.2.45\nwww A 192.0.2.81\n", strings.Replace(before, "www A 192.0.2.80\n", "new A 192.0.2.45\nwww A 192.0.2.81\n", 1)},
		{"their line for ours", includeLine + "\n", "later A 192.0.2.44\n", ""},
		{"our line out already", includeLine + "\n", "", before},
		{"our line moved", "www A 192.0.2.80\n" + includeLine + "\n", includeLine + "\nwww A 192.0.2.80\n", ""},
		{"our line moved far", spfLine + "www A 192.0.2.80\n" + includeLine + "\n", includeLine + "\n" + spfLine + "www A 192.0.2.80\n", ""},
		{"the record changed again", "ip4:192.0.2.10 ", "ip4:192.0.2.10 ip4:192.0.2.11 ", ""},
	} {
		current := after
		if tt.old != "" {
			old := strings.Replace(tt.old, spfLine, strings.Replace(spfLine, "mx ", "mx ip4:192.0.2.10 ", 1), 1)
			new := strings.Replace(tt.new, spfLine, strings.Replace(spfLine, "mx ", "mx ip4:192.0.2.10 ", 1), 1)
			if current = strings.Replace(after, old, new, 1); current == after {
				t.Fatalf("%s: %q is not there", tt.name, old)
			}
		}
		current = strings.Replace(current, "2026112201", "2026112205", 1)
		got, err := zonefile.Revert([]byte(before), []byte(after), []byte(current))
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: not refused:\n%s", tt.name, got)
			}
			continue
		}
		if want := strings.Replace(tt.want, "2026010101", "2026112206", 1); err != nil || string(got) != want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", tt.name, err, got, want)
		}
	}
}

func TestRevertKeepsLinesApart(t *testing.T) {
	before := strings.TrimSuffix(plainZone, "\n")
	after := apply(t, edit(), before)
	got, err := zonefile.Revert([]byte(before), []byte(after), []byte(after+"later A 192.0.2.44\n"))
	if want := strings.Replace(plainZone, "2026010101", "2026112202", 1) + "later A 192.0.2.44\n"; err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	if _, err := zonefile.Revert([]byte(before), []byte(after), []byte("no zone\n")); err == nil {
		t.Error("a file that is no zone any more is not refused")
	}
}

// FuzzRevert: lines of others at the end stay as they are, and nothing of ours.
func FuzzRevert(f *testing.F) {
	f.Add(plainZone, "later A 192.0.2.44\n")
	f.Add(strings.ReplaceAll(plainZone, "\n", "\r\n"), "\n\n")
	f.Fuzz(func(t *testing.T, zone, more string) {
		if strings.Contains(zone+more, "mailsetup") || zone == "" || zone[len(zone)-1] != '\n' {
			return
		}
		after, err := zonefile.Apply(edit(), []byte(zone))
		if err != nil {
			return
		}
		current := string(after) + more
		if _, err := zonefile.Serial([]byte(current)); err != nil {
			return
		}
		got, err := zonefile.Revert([]byte(zone), after, []byte(current))
		if err != nil {
			return
		}
		text := withSerial(t, got, 7)
		want := withSerial(t, []byte(zone), 7) + more
		if text != want && text != want+"\n" && text != want+"\r\n" {
			t.Errorf("got\n%q\nwant\n%q", text, want)
		}
	})
}
