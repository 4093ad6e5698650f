package syntax

import (
	"net/netip"
	"strconv"
	"strings"

	"mailsetup/internal/state"
)

// UpdateServer accepts where dynamic updates go: a host name or an address,
// with a port where it is not 53.
func UpdateServer(s string) (string, error) {
	text := strings.TrimSpace(s)
	bad := &BadValue{Field: "rfc2136-server", Value: s, Hint: "as in ns1.example.org, 192.0.2.53, or [2001:db8::53]:5353"}
	host, port := hostPort(text)
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			bad.Why = "has a port that is no number from 1 to 65535"
			return "", bad
		}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.String()
	} else if host, err = hostLike("rfc2136-server", host, "ns1.example.org"); err != nil {
		bad.Why = err.(*BadValue).Why
		return "", bad
	}
	if port == "" || port == "53" {
		return host, nil
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port, nil
}

// hostPort takes a port off a name, an IPv4 address, or an IPv6 address in
// brackets (RFC 3986 section 3.2.2).
func hostPort(s string) (host, port string) {
	if inside, rest, found := strings.Cut(strings.TrimPrefix(s, "["), "]"); found && s[0] == '[' {
		return inside, strings.TrimPrefix(rest, ":")
	}
	if strings.Count(s, ":") == 1 {
		host, port, _ = strings.Cut(s, ":")
		return host, port
	}
	return s, ""
}

// UpdateKey accepts the path of a TSIG key file.
func UpdateKey(s string) (string, error) {
	p, err := state.ParsePath(strings.TrimSpace(s))
	if err != nil {
		return "", &BadValue{Field: "rfc2136-key", Value: s, Why: "is no absolute path", Hint: "as in /etc/mailsetup/tsig.key, made by tsig-keygen"}
	}
	return string(p), nil
}

// Hook accepts the path of a program that changes records.
func Hook(s string) (string, error) {
	p, err := state.ParsePath(strings.TrimSpace(s))
	if err != nil {
		return "", &BadValue{Field: "dns-hook", Value: s, Why: "is no absolute path", Hint: "as in /usr/lib/mailsetup/hooks/powerdns"}
	}
	return string(p), nil
}
