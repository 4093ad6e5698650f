package detect

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
)

// listeners finds the addresses of this machine's name server and mail server: not
// every one listens on the loopback.
func listeners(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	out := source.OptionalOutput(ctx, s, "ss", "-H", "-t", "-l", "-n", "-p")
	f.DNSAddress = listening(out, "53", "named")
	f.SMTPAddress = listening(out, "25", "master")
	return nil
}

// listening returns the address for a port from the output of ss(8): the loopback, if
// the program listens there or on all addresses, else the first; "" if nothing listens.
// If the named program has some of the sockets, only those count: a resolver may have
// the loopback. Only root sees whose a socket is.
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

// socket returns the address in a line of ss(8), if it has the port. All addresses of
// both families, *, become all of IPv4.
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
