//go:build e2e

package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// three are a server's domains of which two get into trouble: one in a zone
// beside that of the first, one on a name server elsewhere.
type three struct {
	remote
	sink *lab.Sink
}

var threeDomains = []string{"drei.example", "lab.example", "zwei.example"}

func newThree(t *testing.T, release string) three {
	t.Helper()
	r := newRemote(t, release, map[string]string{"zwei.example": ""}, updatePolicy)
	r.Named(t, "lab.example", nsRecord)
	r.Named(t, "drei.example")
	sink := r.Sink(t)
	product(t, r.Box, 0, initArgs("--ttl", "60")...)
	product(t, r.Box, 0, "add-domain", "drei.example", "--yes", "--ttl", "60")
	product(t, r.Box, 0, "add-domain", "zwei.example", "--yes", "--ttl", "60", "--dns", "rfc2136", "--rfc2136-server", secondary, "--rfc2136-key", updateKey)
	return three{r, sink}
}

// at are the selectors of all domains at a stage; there should be one of each.
func (r three) at(t *testing.T, stage string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range threeDomains {
		at := keysAt(t, r.Box, d)
		if len(at[stage]) != 1 {
			t.Fatalf("%s: %v, want one that is %s", d, at, stage)
		}
		all[d] = at[stage][0]
	}
	return all
}

// reloads counts those of OpenDKIM.
func (r three) reloads(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(r.Sh(t, "journalctl --sync; journalctl -u opendkim -o cat --no-pager | grep -c '^Reloaded ' || true")))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// signs insists that each domain's mail leaves signed by the key.
func (r three) signs(t *testing.T, want map[string]string, domains ...string) {
	t.Helper()
	r.forget(t)
	for _, d := range domains {
		if is := leavesSignedBy(t, r.Box, r.sink, d); is != want[d] {
			t.Errorf("%s is signed by %s, want %s", d, is, want[d])
		}
	}
}

// TestDomainsInTrouble: the domains of one run do not stop each other. Neither a
// primary that is down nor a zone that does not load keeps the third from its new
// key, nor does a private key that is not fit to sign; a switch that fails leaves
// the old tables, the old signatures and the stage in the ledger.
func TestDomainsInTrouble(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		r := newThree(t, release)
		old := r.at(t, "active")
		quick(t, r.Box, "1s")
		zone := r.Read(t, "/etc/bind/db.drei.example")
		r.Write(t, "/etc/bind/db.drei.example", zone+"broken IN (\n", 0o644)
		r.ns.Run(t, "systemctl", "stop", "named")
		time.Sleep(time.Second)

		_, said := product(t, r.Box, 1, "rotate-dkim", "--yes")
		says(t, said, "drei.example: "+old["drei.example"]+" goes on signing: zone drei.example: ",
			"zwei.example: "+old["zwei.example"]+" goes on signing: name server "+secondary+":53: cannot be reached",
			"mailsetup: 2 domains could not go on: drei.example, zwei.example\n")
		if at := keysAt(t, r.Box, "lab.example"); len(at["published"]) != 1 {
			t.Errorf("the one without trouble has no successor: %v\n%s", at, said)
		}
		for _, d := range []string{"drei.example", "zwei.example"} {
			if at := keysAt(t, r.Box, d); len(at) != 1 || len(at["active"]) != 1 {
				t.Errorf("%s: %v", d, at)
			}
		}
		r.signs(t, old, "drei.example")

		r.Write(t, "/etc/bind/db.drei.example", zone, 0o644)
		r.ns.Run(t, "systemctl", "start", "named")
		product(t, r.Box, 0, "rotate-dkim", "--yes")
		next := r.at(t, "published")
		quick(t, r.Box, "180d")
		laterBy(t, r.Box, shortWait+5*time.Second)
		r.refused(t, old, next)

		// One of them has a private key that others can read.
		file := "/etc/dkimkeys/drei.example/" + next["drei.example"] + ".private"
		r.Run(t, "chmod", "644", file)
		before := r.reloads(t)
		_, said = product(t, r.Box, 1, "rotate-dkim", "--yes")
		says(t, said, "drei.example: "+old["drei.example"]+" goes on signing: "+file+", ", "hint: chown opendkim: "+file+" && chmod 600 "+file, "1 domain could not go on: drei.example\n")
		if n := r.reloads(t) - before; n != 1 {
			t.Errorf("%d reloads for two domains", n)
		}
		r.signs(t, next, "lab.example", "zwei.example")
		r.signs(t, old, "drei.example")

		// It is one that OpenDKIM cannot open, which shows before anything is switched.
		r.Run(t, "chmod", "600", file)
		r.Run(t, "chown", "root:root", file)
		tables := r.Read(t, "/etc/opendkim/KeyTable") + r.Read(t, "/etc/opendkim/SigningTable")
		_, said = product(t, r.Box, 1, "rotate-dkim", "--yes")
		says(t, said, "drei.example: "+old["drei.example"]+" goes on signing: "+file+", the private key of drei.example, belongs to root: OpenDKIM cannot use it", "hint: chown opendkim: "+file+" && chmod 600 "+file+"\n")
		if is := r.Read(t, "/etc/opendkim/KeyTable") + r.Read(t, "/etc/opendkim/SigningTable"); is != tables {
			t.Errorf("the tables are\n%s\nwere\n%s", is, tables)
		}
		if at := keysAt(t, r.Box, "drei.example"); len(at["published"]) != 1 {
			t.Errorf("keys: %v", at)
		}
		r.signs(t, old, "drei.example")
		r.Run(t, "chown", "opendkim:opendkim", file)
		product(t, r.Box, 0, "rotate-dkim", "--yes")
		r.signs(t, next, "drei.example")
		noLeak(t, r.Box)
	})
}

// refused is a switch in which OpenDKIM does not take the tables.
func (r three) refused(t *testing.T, old, next map[string]string) {
	t.Helper()
	tables := r.Read(t, "/etc/opendkim/KeyTable") + r.Read(t, "/etc/opendkim/SigningTable")
	any := strings.Join([]string{next["lab.example"], next["zwei.example"], next["drei.example"]}, `\\\|`)
	dropIn(t, r.Box, "opendkim.service", "ExecReload=\nExecReload="+unless(any, "/etc/opendkim/SigningTable", "kill -USR1 $MAINPID"))
	_, said := product(t, r.Box, 1, "rotate-dkim", "--yes")
	says(t, said, "drei.example, lab.example, zwei.example: OpenDKIM: ", distaste, "everything was put back as it was", "3 domains could not go on")
	if is := r.Read(t, "/etc/opendkim/KeyTable") + r.Read(t, "/etc/opendkim/SigningTable"); is != tables {
		t.Errorf("the tables are\n%s\nwere\n%s", is, tables)
	}
	r.at(t, "published")
	r.signs(t, old, "lab.example")
	undrop(t, r.Box, "opendkim.service")
}
