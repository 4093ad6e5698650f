package opendkim

import (
	"errors"
	"fmt"
	"strings"
)

// internal returns the hosts whose mail is signed. Without the setting that is
// 127.0.0.1 alone.
func (c Conf) internal(read Read) ([]Host, error) {
	s, ok := c.Get("InternalHosts")
	if !ok {
		return []Host{{Name: "127.0.0.1", Place: Place{File: c.Files[0]}}}, nil
	}
	set, err := c.open(s, read)
	if err != nil {
		return nil, err
	}
	var all []Host
	var errs []error
	for _, e := range set.entries {
		names := []string{e.key}
		if set.kind == pattern {
			if names = wildHosts(e.key); names == nil {
				errs = append(errs, errorAt(e.at, "name the network, as in 192.0.2.0/24, or the domain, as in .example.org",
					"the pattern %s matches in a way that is not understood", e.key))
			}
		}
		for _, n := range names {
			all = append(all, Host{n, e.at})
		}
	}
	return all, errors.Join(errs...)
}

// wildHosts returns the entries of a table of exact keys that are equivalent to an
// entry of a refile:; nil if there are none.
func wildHosts(key string) []string {
	body, not := strings.CutPrefix(key, "!")
	sign := ""
	if not {
		sign = "!"
	}
	switch {
	case strings.ContainsAny(body, `?[](){}|^$\`):
		return nil
	case !strings.Contains(body, "*"):
		return []string{key}
	case body == "*":
		return []string{sign + "0.0.0.0/0", sign + "::/0"}
	}
	if below, ok := strings.CutPrefix(body, "*."); ok && !strings.Contains(below, "*") {
		return []string{sign + "." + below}
	}
	octets := strings.Split(body, ".")
	for bits := 24; bits >= 8; bits -= 8 { // 192.0.2.*
		n := bits / 8
		if len(octets) == n+1 && octets[n] == "*" && allDigits(octets[:n]) {
			return []string{fmt.Sprintf("%s%s%s/%d", sign, strings.Join(octets[:n], "."), strings.Repeat(".0", 4-n), bits)}
		}
	}
	return nil
}

func allDigits(parts []string) bool {
	for _, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
