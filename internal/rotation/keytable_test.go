package rotation_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/rotation"
)

// Many domains and long names fit 80 columns, but for names that are longer.
func TestTable(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".example"
	out := rotation.Table([]rotation.KeyStatus{
		{Domain: long, Selector: "202611", Stage: keyring.Active, Since: now, WaitsFor: "age", Next: now.AddDate(0, 0, 167)},
		{Domain: "lab.example", Selector: "202610", Stage: keyring.Draining, Since: now, WaitsFor: "mail under way", Next: now.Add(24 * time.Hour)},
		{Domain: "lab.example", Selector: "202611", Stage: keyring.Active, Since: now, WaitsFor: "successor", Gone: "missing"},
		{Domain: "lab.example", Selector: "202612-abcd", Stage: keyring.Publishing, Since: now.Add(-90 * time.Minute), WaitsFor: "name servers"},
	}, now)
	if want := `DOMAIN              SELECTOR     STATE       SINCE    NEXT STEP   WAITS FOR
lab.example         202611       not in DNS  0m ago   -           successor
` + long + `
                    202611       active      0m ago   2027-05-08  age
lab.example         202610       draining    0m ago   in 24h      mail under way
lab.example         202612-abcd  publishing  90m ago  -           name servers
`; out != want {
		t.Errorf("it is\n%s\nwant\n%s", out, want)
	}
	for line := range strings.Lines(out) {
		if len(line) > 81 && !strings.HasPrefix(line, long) {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
