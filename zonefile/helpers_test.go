package zonefile_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

const origin = "any.example."

func day() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func edit() state.ZoneEdit {
	return state.ZoneEdit{
		Path: "/etc/bind/db.any.example", Origin: origin, Include: "/etc/bind/mailsetup/any.example.zone",
		Stamp: "0123abcd", Now: day(),
	}
}

const includeLine = `$INCLUDE "/etc/bind/mailsetup/any.example.zone" any.example. ; mailsetup 0123abcd`

func dkimValue() string { return "v=DKIM1; h=sha256; k=rsa; p=" + strings.Repeat("MIIBIjAN", 49) }

func mailRecords() []state.Record {
	return []state.Record{
		{Name: "_dmarc.any.example.", Type: "TXT", TTL: 3600, Value: "v=DMARC1; p=none; rua=mailto:postmaster@any.example"},
		{Name: "mail.any.example.", Type: "TXT", TTL: 3600, Value: "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"},
		{Name: "202611._domainkey.any.example.", Type: "TXT", TTL: 3600, Value: dkimValue()},
		{Name: "any.example.", Type: "TXT", TTL: 3600, Value: "v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 ~all"},
		{Name: "any.example.", Type: "MX", TTL: 3600, Value: "10 mail.any.example."},
		{Name: "mail.any.example.", Type: "AAAA", TTL: 3600, Value: "2001:db8::10"},
		{Name: "mail.any.example.", Type: "A", TTL: 3600, Value: "192.0.2.10"},
	}
}

const plainZone = `$TTL 1h
@	IN SOA ns1 hostmaster (
		2026010101 ; serial
		4h 1h 2w 15m )
	IN NS ns1
ns1	IN A 192.0.2.53
`

func apply(t testing.TB, e state.ZoneEdit, zone string) string {
	t.Helper()
	out, err := zonefile.Apply(e, []byte(zone))
	if err != nil {
		t.Fatalf("apply to\n%s\n%v", zone, err)
	}
	return string(out)
}

func serial(t testing.TB, zone string) uint32 {
	t.Helper()
	n, err := zonefile.Serial([]byte(zone))
	if err != nil {
		t.Fatalf("serial of\n%s\n%v", zone, err)
	}
	return n
}

// named runs BIND's own checker over a zone whose include is a real file, and
// returns the records it would serve.
func named(t *testing.T, zone, fragment string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("named-checkzone")
	if err != nil {
		t.Skip("SKIPPED: named-checkzone is missing, install Debian package bind9-utils")
	}
	dir := t.TempDir()
	inc, main := filepath.Join(dir, "fragment.zone"), filepath.Join(dir, "main.zone")
	zone = strings.ReplaceAll(zone, string(edit().Include), inc)
	for path, text := range map[string]string{inc: fragment, main: zone} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var errs bytes.Buffer
	cmd := exec.Command(program, "-i", "local", "-D", "-o", "-", origin, main)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Logf("named-checkzone: %s%s", out, errs.String())
	}
	return string(out), err
}
