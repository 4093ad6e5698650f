package lab

import (
	"fmt"
	"strings"
	"time"
)

// Delay has a program of the lab answer DNS at an address of the box, which takes so much
// longer than the name server at another one that it asks.
func (b *Box) Delay(t T, listen, to string, by time.Duration) {
	t.Helper()
	b.probe(t)
	unit := "lab-delay-" + strings.NewReplacer(":", "-", ".", "-").Replace(listen)
	b.Sh(t, fmt.Sprintf("systemd-run -q --collect -p LimitNOFILE=100000 --unit=%s %s delay -listen %s -to %s -by %s", unit, probePath, listen, to, by))
	host, _, _ := strings.Cut(listen, ":")
	b.Sh(t, "for i in $(seq 50); do dig +norec +time=1 +tries=1 @"+host+" . SOA >/dev/null && exit 0; sleep 0.1; done; exit 1")
}
