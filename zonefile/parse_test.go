package zonefile_test

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

func TestParse(t *testing.T) {
	const zone = `$TTL 1h
@	IN SOA ns1 hostmaster ( 7 4h 1h 2w 15m ) ; comment
	IN NS ns1
	3m IN MX 10 Mail
WWW	IN CNAME @
$ORIGIN sub.any.example.
a	60 TXT "v=spf1 " "-all" ; joined
	IN TXT unquoted\;\032\"x
$INCLUDE "/etc/bind/more; really.zone" other.any.example. ; comment
$INCLUDE relative.zone
$GENERATE 1-2 h$ A 192.0.2.$
`
	include := func(path string) ([]byte, error) {
		switch path {
		case "/etc/bind/more; really.zone":
			return []byte("x AAAA 2001:DB8:0::1\n$INCLUDE nested\n"), nil
		case "nested":
			return []byte("n 5 IN A 192.0.2.5"), nil
		case "relative.zone":
			return []byte("r 6 IN A 192.0.2.6\r\n"), nil
		}
		return nil, errors.New("no such file")
	}
	for name, text := range map[string]string{"LF": zone, "CRLF": strings.ReplaceAll(zone, "\n", "\r\n")} {
		got, err := zonefile.Parse([]byte(text), origin, include)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := []state.Record{
			{Name: "any.example.", Type: "SOA", TTL: 3600, Value: "ns1.any.example. hostmaster.any.example. 7 14400 3600 1209600 900"},
			{Name: "any.example.", Type: "NS", TTL: 3600, Value: "ns1.any.example."},
			{Name: "any.example.", Type: "MX", TTL: 180, Value: "10 Mail.any.example."},
			{Name: "www.any.example.", Type: "CNAME", TTL: 3600, Value: "any.example."},
			{Name: "a.sub.any.example.", Type: "TXT", TTL: 60, Value: "v=spf1 -all"},
			{Name: "a.sub.any.example.", Type: "TXT", TTL: 3600, Value: `unquoted; "x`},
			{Name: "x.other.any.example.", Type: "AAAA", TTL: 3600, Value: "2001:db8::1"},
			{Name: "n.other.any.example.", Type: "A", TTL: 5, Value: "192.0.2.5"},
			{Name: "r.sub.any.example.", Type: "A", TTL: 6, Value: "192.0.2.6"},
			{Name: "h1.sub.any.example.", Type: "A", TTL: 3600, Value: "192.0.2.1"},
			{Name: "h2.sub.any.example.", Type: "A", TTL: 3600, Value: "192.0.2.2"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got", name)
			for _, r := range got {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, zone, want string }{
		{"no data", "a 60 IN A\n", "parse zone any.example.: a.any.example. A: no data"},
		{"bad address", "\na 60 IN A 192.0.2.256\n", "at line: 2:"},
		{"missing include", "$INCLUDE /nowhere\n", `$INCLUDE "/nowhere": no such file`},
		{"include without path", "\n$INCLUDE\n", "line 2: $INCLUDE without a path"},
		{"for ever", "$INCLUDE self\n", "too deeply nested"},
		{"broken include", "$INCLUDE broken\n", `$INCLUDE "broken": line 1: quote is never closed`},
		{"open quote", "a TXT \"b\n", "parse zone any.example.: line 1: quote is never closed"},
	} {
		_, err := zonefile.Parse([]byte(tt.zone), origin, func(path string) ([]byte, error) {
			switch path {
			case "self":
				return []byte("$INCLUDE self\n"), nil
			case "broken":
				return []byte("a TXT \"\n"), nil
			}
			return nil, errors.New("no such file")
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := zonefile.Parse([]byte("$INCLUDE /x\n"), origin, nil); err == nil {
		t.Error("include without a reader: accepted")
	}
}

func TestParseReadsWhatFragmentPrints(t *testing.T) {
	got, err := zonefile.Parse(zonefile.Fragment("any.example", mailRecords()), "elsewhere.example.", nil)
	if err != nil || len(got) != len(mailRecords()) {
		t.Fatalf("%d records, %v", len(got), err)
	}
	seen := map[state.Record]bool{}
	for _, r := range got {
		seen[r] = true
	}
	for _, want := range mailRecords() {
		if !seen[want] {
			t.Errorf("missing: %+v", want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(plainZone)
	f.Add("$GENERATE 1-3 a$ A 192.0.2.$\n$INCLUDE \"x\" y.\n")
	f.Add("a TXT \\\"")
	f.Add("@ 1h IN SOA ns1 a\\;b ( 4711 ; 1\n 2 3 4 5 )")
	f.Fuzz(func(t *testing.T, zone string) {
		if strings.Contains(strings.ToUpper(zone), "GENERATE") {
			return // a million records are not what this is about
		}
		records, err := zonefile.Parse([]byte(zone), origin, func(string) ([]byte, error) { return []byte("i 60 A 192.0.2.1\n"), nil })
		if err != nil {
			return
		}
		var soas []string
		for _, r := range records {
			if r.Type == "SOA" {
				soas = append(soas, strings.Fields(r.Value)[2])
			}
			if !strings.HasSuffix(r.Name, ".") {
				t.Errorf("relative name: %+v", r)
			}
		}
		ours, err := zonefile.Serial([]byte(zone))
		if err == nil && len(soas) == 1 && soas[0] != strconv.FormatUint(uint64(ours), 10) {
			t.Errorf("serial %d, the parser of miekg/dns says %s", ours, soas[0])
		}
	})
}
