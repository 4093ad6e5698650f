package zonefile_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"mailsetup/zonefile"
)

func TestNewer(t *testing.T) {
	for _, tt := range []struct {
		a, b uint32
		want bool
	}{
		{1, 0, true},
		{0, 1, false},
		{5, 5, false},
		{0, 4294967295, true},
		{4294967295, 0, false},
		{2147483647, 0, true},
		{2147483648, 0, false},
		{2147483648, 1, true},
	} {
		if got := zonefile.Newer(tt.a, tt.b); got != tt.want {
			t.Errorf("Newer(%d, %d) = %v", tt.a, tt.b, got)
		}
	}
}

// A server that lags behind another is one whose serial the other's comes after,
// but where RFC 1982 knows no order: there both count as behind.
func TestSerialBehind(t *testing.T) {
	for _, c := range []struct {
		a, b uint32
		want bool
	}{
		{1, 1, false},
		{1, 2, true},
		{2, 1, false},
		{4294967295, 0, true},
		{0, 4294967295, false},
		{0, 1 << 31, true},
		{1 << 31, 0, true},
		{1<<31 + 1, 0, true},
		{0, 1<<31 + 1, false},
	} {
		if got := zonefile.SerialBehind(c.a, c.b); got != c.want {
			t.Errorf("SerialBehind(%d, %d) = %v", c.a, c.b, got)
		}
		if half := c.b-c.a == 1<<31; !half && zonefile.Newer(c.b, c.a) != c.want || half && zonefile.Newer(c.b, c.a) {
			t.Errorf("Newer(%d, %d) = %v", c.b, c.a, zonefile.Newer(c.b, c.a))
		}
	}
}

func TestNextSerial(t *testing.T) {
	for _, tt := range []struct {
		name      string
		old, want uint32
	}{
		{"counter", 7, 8},
		{"zero", 0, 1},
		{"wraps past zero", 4294967295, 1},
		{"date of the past", 2025123199, 2026112201},
		{"date of today", 2026112201, 2026112202},
		{"date of today, full", 2026112299, 2026112300},
		{"date of the future", 2026112305, 2026112306},
		{"past the end of a month", 2026093100, 2026112201},
		{"past the end of a long month", 2026103200, 2026112201},
		{"past the end of a year", 2025123200, 2026112201},
		{"past the end of this month", 2026113100, 2026113101},
		{"no such date", 2026133201, 2026133202},
		{"seconds", 1700000000, uint32(day().Unix())},
		{"seconds, now", uint32(day().Unix()), uint32(day().Unix()) + 1},
		{"seconds, a minute ahead", uint32(day().Unix()) + 60, uint32(day().Unix()) + 61},
		{"between seconds and dates", 1900000000, 1900000001},
		{"large counter", 3000000000, 3000000001},
	} {
		if got := zonefile.NextSerial(tt.old, day()); got != tt.want {
			t.Errorf("%s: NextSerial(%d) = %d, want %d", tt.name, tt.old, got, tt.want)
		}
	}
}

func FuzzNextSerial(f *testing.F) {
	f.Add(uint32(2026112299), int64(1795348800))
	f.Add(uint32(4294967295), int64(-62135596800))
	f.Add(uint32(0), int64(1<<40))
	f.Fuzz(func(t *testing.T, old uint32, now int64) {
		if next := zonefile.NextSerial(old, time.Unix(now, 0)); !zonefile.Newer(next, old) || next == 0 {
			t.Errorf("NextSerial(%d, %d) = %d", old, now, next)
		}
	})
}

// soaForms are zones whose serial is 42, written as people write them. S marks
// the serial, which occurs as a number elsewhere too.
func soaForms() map[string]string {
	return map[string]string{
		"one line":           "@ IN SOA ns1 host S 42 42 42 42\n",
		"no class":           "@ SOA ns1 host S 42 42 42 42\n",
		"TTL, class":         "@ 42 IN SOA ns1 host S 42 42 42 42\n",
		"class, TTL":         "any.example. in 1h30m soa ns1 host S 42 42 42 42\n",
		"blank owner":        " IN SOA ns1 host S 42 42 42 42\n",
		"tabs":               "@\tIN\tSOA\tns1\thost\t(S\t42\t42\t42\t42)\n",
		"lines and comments": "; SOA 42\n@ IN SOA ns1 host ( ; 42 (\n\tS ; 41 serial \"\n\t42 42\n\n 42 ; )\n 42 )\n",
		"CRLF":               "$TTL 42\r\n@ IN SOA ns1 host (\r\n\tS ; serial\r\n\t42 42 42 42 )\r\n",
		"no final newline":   "@ IN SOA ns1 host S 42 42 42 42",
		"paren before type":  "@ IN ( SOA ns1 host S\n42 42 42 42 )\n",
		"escaped dot":        "@ IN SOA ns1 first\\.last S 42 42 42 42\n",
		"escaped semicolon":  "@ IN SOA ns1 a\\;b S 42 42 42 42\n",
		"owner called SOA":   "@ 9 SOA ns1 host S 42 42 42 42\nsoa 9 IN A 192.0.2.42\n",
		"quoted soa":         "@ 9 SOA ns1 host S 42 42 42 42\na TXT \"@ IN SOA a b 1 2 3 4 5\" ; x IN SOA\n",
		"TXT of many lines":  "@ 9 SOA ns1 host S 42 42 42 42\na TXT ( \"(\"\n SOA \";\" )\n",
	}
}

// marked puts a serial where a form has its S.
func marked(t *testing.T, form, serial string) string {
	t.Helper()
	at := regexp.MustCompile(`(^|[ (\t])S([ \n\t])`)
	if n := len(at.FindAllString(form, -1)); n != 1 {
		t.Fatalf("%d marks in\n%s", n, form)
	}
	return at.ReplaceAllString(form, "${1}"+serial+"${2}")
}

func TestSerialForms(t *testing.T) {
	for name, form := range soaForms() {
		zone, want := marked(t, form, "42"), marked(t, form, "4294967295")
		if got := serial(t, zone); got != 42 {
			t.Errorf("%s: serial %d", name, got)
		}
		got, err := zonefile.WithSerial([]byte(zone), 4294967295)
		if err != nil || string(got) != want {
			t.Errorf("%s: got\n%s\n%v, want\n%s", name, got, err, want)
		}
	}
}

func TestNamedFindsTheSameSerial(t *testing.T) {
	for name, form := range soaForms() {
		zone := marked(t, form, "4711")
		if name == "blank owner" { // named wants an owner before it
			zone = "@ 9 NS ns1\n" + zone
		}
		out, err := named(t, zone+"\n@ 9 NS ns1\nns1 9 A 192.0.2.1\n", "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !regexp.MustCompile(`SOA\s+\S+ \S+ 4711 `).MatchString(out) {
			t.Errorf("%s: named serves\n%s", name, out)
		}
	}
}

func TestSerialRefuses(t *testing.T) {
	for _, tt := range []struct{ name, zone, want string }{
		{"empty", "", "no SOA record"},
		{"no SOA", "@ IN NS ns1\n", "no SOA record"},
		{"elsewhere", "$TTL 1\n\n$INCLUDE soa.inc ; the SOA\n", `no SOA record here: it may be in "soa.inc", included in line 3`},
		{"two", "@ SOA a b 1 2 3 4 5\n@ SOA a b 1 2 3 4 5\n", "line 2: second SOA record, the first is in line 1"},
		{"short", "\n@ SOA a b 1 2 3 4\n", "line 2: SOA record has 6 fields, want 7"},
		{"not a number", "@ SOA a b (\n1a 2 3 4 5)\n", `line 2: serial "1a" is not a number of 32 bits`},
		{"too large", "@ SOA a b 4294967296 2 3 4 5\n", `line 1: serial "4294967296" is not a number of 32 bits`},
		{"quoted", "@ SOA a b \"1\" 2 3 4 5\n", `line 1: serial "1" is not a number of 32 bits`},
		{"open parenthesis", "\n@ SOA a b ( 1 2 3\n 4 5\n", "line 2: parenthesis is never closed"},
		{"stray parenthesis", "@ SOA a b 1 2 3 4 5\n)\n", "line 2: closing parenthesis without an opening one"},
		{"open quote", "@ SOA a b 1 2 3 4 5\na TXT \"x\n", "line 2: quote is never closed"},
	} {
		_, err := zonefile.Serial([]byte(tt.zone))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestRestore(t *testing.T) {
	before := plainZone
	current := strings.Replace(plainZone, "2026010101", "2026112203", 1) + "www IN A 192.0.2.80\n"
	got, err := zonefile.Restore([]byte(before), []byte(current))
	if want := strings.Replace(plainZone, "2026010101", "2026112204", 1); err != nil || string(got) != want {
		t.Errorf("got\n%s\n%v, want\n%s", got, err, want)
	}
	ahead := strings.Replace(plainZone, "2026010101", "2026112204", 1)
	got, err = zonefile.Restore([]byte(ahead), []byte(current))
	if err != nil || string(got) != ahead {
		t.Errorf("already ahead: got\n%s\n%v", got, err)
	}
	if _, err := zonefile.Restore([]byte(before), []byte("junk\n")); err == nil {
		t.Error("current zone without SOA: accepted")
	}
	if _, err := zonefile.Restore(nil, []byte(current)); err == nil {
		t.Error("nothing to restore: accepted")
	}
}
