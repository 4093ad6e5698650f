package detect

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
)

// listeners finds where this machine's own name server and mail server can be
// asked: not every one listens on loopback.
func listeners(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	out := source.OptionalOutput(ctx, s, "ss", "-H", "-t", "-l", "-n", "-p")
	f.DNSAddress = listening(out, "53", "named")
	f.SMTPAddress = listening(out, "25", "master")
	return nil
}

// listening picks the address for a port from the output of ss(8): loopback if
// it is among them or all addresses are, else the first. "" if nothing listens.
// Where the program has some of them, only those count: a resolver may have
// loopback for itself. Whose a socket is only root is told.
func listening(out, port, program string) string {
	var all, own []netip.Addr
	for line := range strings.Lines(out) {
		a, ok := socket(line, port)
		if !ok {
			continue
		}
		if all = append(all, a); strings.Contains(line, `(("`+program+`",`) {
			own = append(own, a)
		}
	}
	if len(own) > 0 {
		return choose(own, port)
	}
	return choose(all, port)
}

// socket is the address of a line of ss(8), if it is for the port. All of both
// stacks, *, is told as all of IPv4.
func socket(line, port string) (netip.Addr, bool) {
	f := strings.Fields(line)
	if len(f) < 4 {
		return netip.Addr{}, false
	}
	cut := strings.LastIndexByte(f[3], ':')
	if cut < 0 || f[3][cut+1:] != port {
		return netip.Addr{}, false
	}
	host, _, _ := strings.Cut(f[3][:cut], "%")
	if host = strings.Trim(host, "[]"); host == "*" {
		return netip.IPv4Unspecified(), true
	}
	a, err := netip.ParseAddr(host)
	return a, err == nil
}

func choose(found []netip.Addr, port string) string {
	if slices.Contains(found, netip.IPv4Unspecified()) {
		return "127.0.0.1:" + port
	}
	best := ""
	for _, a := range found {
		if a.IsUnspecified() {
			a = netip.IPv6Loopback()
		}
		at := "[" + a.String() + "]:" + port
		if a.Is4() {
			at = a.String() + ":" + port
		}
		if a.IsLoopback() {
			return at
		}
		if best == "" {
			best = at
		}
	}
	return best
}
