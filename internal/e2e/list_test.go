//go:build e2e

package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// listing is what `mailsetup list --json` says of a domain.
type listing struct {
	Domain           string
	Primary, Removed bool
	DNS              string
	Keys             []struct {
		Selector, Stage  string
		Bits             int
		Made, Seen, Next time.Time
	}
	Checked *struct {
		At    time.Time
		OK    bool
		Found string
	}
}

// lists insists that `mailsetup list` has the key of a domain in one row, whose
// end is given as a regular expression (an age that is left out is one of
// minutes), and returns the same as data.
func lists(t *testing.T, b *lab.Box, domain, end string) listing {
	t.Helper()
	selector := strings.TrimSuffix(strings.TrimSpace(b.Run(t, "ls", "/etc/dkimkeys/"+domain)), ".private")
	table, _ := product(t, b, 0, "list")
	row := `(?m)^` + regexp.QuoteMeta(domain) + ` +` + regexp.QuoteMeta(selector) + ` +\d+m +` + strings.ReplaceAll(end, " ", " +") + `$`
	if !strings.HasPrefix(table, "DOMAIN ") || len(regexp.MustCompile(row).FindAllString(table, -1)) != 1 {
		t.Errorf("not once %s in\n%s", row, table)
	}
	out, _ := product(t, b, 0, "list", "--json")
	var all struct{ Domains []listing }
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, l := range all.Domains {
		if l.Domain != domain {
			continue
		}
		if len(l.Keys) != 1 || l.Keys[0].Selector != selector || l.Keys[0].Bits != 2048 || time.Since(l.Keys[0].Made) > 10*time.Minute {
			t.Fatalf("not the key %s, made now:\n%s", selector, out)
		}
		return l
	}
	t.Fatalf("nothing of %s:\n%s", domain, out)
	return listing{}
}
