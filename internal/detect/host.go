package detect

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// release reads os-release(5).
func release(text string) state.Release {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[k] = strings.Trim(v, `"'`)
		}
	}
	r := state.Release{ID: values["ID"], Version: values["VERSION_ID"], Pretty: values["PRETTY_NAME"]}
	// Debian gives a release its number when it is done (base-files).
	if r.ID == "debian" && r.Version == "" && values["VERSION_CODENAME"] == "forky" {
		r.Version = "14"
	}
	if like := strings.Fields(values["ID_LIKE"]); len(like) > 0 {
		r.Like = like
	}
	return r
}

// hostname returns the name that the kernel has, else that of hostname(5).
func hostname(ctx context.Context, s source.Source) string {
	if name := source.OptionalOutput(ctx, s, "hostname"); name != "" {
		return strings.ToLower(name)
	}
	text, _ := source.Text(s, "/etc/hostname")
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return strings.ToLower(line)
		}
	}
	return ""
}

// fqdn returns the machine's full name according to the resolver, else to files, "" if
// none has a dot.
func fqdn(ctx context.Context, s source.Source) string {
	if name := fullName(source.OptionalOutput(ctx, s, "hostname", "--fqdn")); name != "" {
		return name
	}
	text, _ := source.Text(s, "/etc/hostname")
	short := strings.ToLower(strings.TrimSpace(string(text)))
	if name := fullName(short); name != "" {
		return name
	}
	hosts, _ := source.Text(s, "/etc/hosts")
	return hostsName(string(hosts), short)
}

// fullName returns the name in canonical form, "" if it cannot be a public name.
func fullName(s string) string {
	s = strings.ToLower(dnsname.TrimDot(strings.TrimSpace(s)))
	if !strings.Contains(s, ".") || strings.ContainsAny(s, " \t\n()") {
		return ""
	}
	if slices.ContainsFunc(privateDomains(), func(d string) bool { return strings.HasSuffix(s, "."+d) }) {
		return ""
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	return s
}

// privateDomains are domains without public names: reserved ones (RFC 6761, 6762, 8375,
// ICANN's .internal), and some that so many use privately that nobody is given them.
func privateDomains() []string {
	return []string{
		"localdomain", "localhost", "local", "invalid", "home.arpa", "internal",
		"lan", "home", "corp", "intranet", "private",
	}
}

// hostsName returns the full name that hosts(5) has for a short one.
func hostsName(text, short string) string {
	if short == "" {
		return ""
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(strings.ToLower(line))
		if len(fields) < 2 || !slices.Contains(fields[1:], short) {
			continue
		}
		for _, name := range fields[1:] {
			if full := fullName(name); strings.HasPrefix(full, short+".") {
				return full
			}
		}
	}
	return ""
}

// addresses returns the addresses of the interfaces, sorted.
func addresses(ctx context.Context, r system.Runner) []netip.Addr {
	found, ok := ipAddr([]byte(source.OptionalOutput(ctx, r, "ip", "-j", "addr")))
	if !ok { // a machine without iproute2
		for _, word := range strings.Fields(source.OptionalOutput(ctx, r, "hostname", "-I")) {
			if a, err := netip.ParseAddr(word); err == nil && isRoutable(a) {
				found = append(found, a)
			}
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found)
}

// ipAddr parses the output of ip -j addr. Temporary IPv6 addresses (RFC 8981) are left
// out: they change within days.
func ipAddr(text []byte) (found []netip.Addr, ok bool) {
	var links []struct {
		Info []struct {
			Local     string `json:"local"`
			Temporary bool   `json:"temporary"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(text, &links); err != nil {
		return nil, false
	}
	for _, link := range links {
		for _, info := range link.Info {
			a, err := netip.ParseAddr(info.Local)
			if err == nil && !info.Temporary && isRoutable(a) {
				found = append(found, a)
			}
		}
	}
	return found, true
}

// sourceAddresses asks the routing table for the source address of packets to the
// Internet, one for each family at most. It sends nothing; the destinations are
// addresses of a root server, which no private network uses.
func sourceAddresses(ctx context.Context, r system.Runner) []netip.Addr {
	var found []netip.Addr
	for _, far := range []string{"198.41.0.4", "2001:503:ba3e::2:30"} {
		var routes []struct {
			Source string `json:"prefsrc"`
		}
		if json.Unmarshal([]byte(source.OptionalOutput(ctx, r, "ip", "-j", "route", "get", far)), &routes) != nil || len(routes) == 0 {
			continue
		}
		if a, err := netip.ParseAddr(routes[0].Source); err == nil && isRoutable(a) {
			found = append(found, a)
		}
	}
	return found
}

// isRoutable reports whether an address has a meaning beyond this machine and link.
// Private networks count: neighbours see us by them.
func isRoutable(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
}
