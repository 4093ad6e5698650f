package detect

import (
	"context"
	"net/netip"
	"strings"

	"mailsetup/internal/state"
)

// listeners finds where this machine's own name server and mail server can be
// asked: not every one listens on loopback.
func listeners(ctx context.Context, s Source, _ Options, f *state.Facts) error {
	out := hint(ctx, s, "ss", "-H", "-t", "-l", "-n")
	f.DNSAddress = listening(out, "53")
	f.SMTPAddress = listening(out, "25")
	return nil
}

// listening picks the address for a port from the output of ss(8): loopback if
// it is among them or all addresses are, else the first. "" if nothing listens.
func listening(out, port string) string {
	var found []netip.Addr
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		cut := strings.LastIndexByte(f[3], ':')
		if cut < 0 || f[3][cut+1:] != port {
			continue
		}
		host, _, _ := strings.Cut(f[3][:cut], "%")
		host = strings.Trim(host, "[]")
		if host == "*" || host == "0.0.0.0" {
			return "127.0.0.1:" + port
		}
		if a, err := netip.ParseAddr(host); err == nil {
			found = append(found, a)
		}
	}
	return choose(found, port)
}

func choose(found []netip.Addr, port string) string {
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
