package opendkim

import "strings"

// match is the addresses in From: that a row is about.
type match struct {
	user string // "" for any
	host string // example.org, .example.org for all below it, * for any
}

// String writes it as a key of a SigningTable of the type file:.
func (m match) String() string {
	if m.user == "" {
		return m.host
	}
	return m.user + "@" + m.host
}

// isSingleHost reports whether it is about one domain only.
func (m match) isSingleHost() bool { return m.host != "*" && !strings.HasPrefix(m.host, ".") }

// exact parses a key of a data set with exact keys, opendkim.conf(5) SigningTable;
// false for a key that is never looked up.
func exact(key string) (match, bool) {
	key = strings.ToLower(key)
	user, host, address := strings.Cut(key, "@")
	if !address {
		user, host = "", key
	}
	switch {
	case address && user == "", host == "", host == ".":
		return match{}, false
	case strings.Contains(user, "*"), host != "*" && strings.Contains(host, "*"):
		return match{}, false
	}
	return match{user, host}, true
}

// wildcard parses a key of a refile:, which is matched against the whole address.
// matches is false if it matches no address, and understood is false if it has no
// equivalent in a table of exact keys.
func wildcard(key string) (m match, matches, understood bool) {
	key = strings.ToLower(key)
	if strings.ContainsAny(key, `?[](){}|^$\`) {
		return match{}, false, false // the daemon makes a regular expression of it
	}
	if key == "*" {
		return match{host: "*"}, true, true
	}
	user, host, address := strings.Cut(key, "@")
	if !address {
		below, ok := strings.CutPrefix(key, "*.")
		if ok && below != "" && !strings.Contains(below, "*") {
			return match{host: "." + below}, true, true
		}
		return match{}, false, !strings.Contains(key, "*")
	}
	if user == "*" {
		user = ""
	} else if user == "" && !strings.Contains(host, "*") {
		return match{}, false, true
	}
	if user == "" && key[0] == '@' || strings.Contains(user, "*") || strings.Contains(host, "@") {
		return match{}, false, false
	}
	if below, ok := strings.CutPrefix(host, "*."); ok && !strings.Contains(below, "*") && below != "" {
		return match{user, "." + below}, true, true
	}
	if host == "" || host[0] == '.' && host != "." {
		return match{}, false, true // the domain of an address begins with no dot
	}
	if host != "*" && strings.Contains(host, "*") {
		return match{}, false, false
	}
	return match{user, host}, true, true
}

// within reports whether o is about every address that m is about.
func (m match) within(o match) bool {
	return (o.user == "" || o.user == m.user) && hostWithin(m.host, o.host)
}

// overlaps reports whether both are about some address.
func (m match) overlaps(o match) bool {
	users := m.user == "" || o.user == "" || m.user == o.user
	return users && (hostWithin(m.host, o.host) || hostWithin(o.host, m.host))
}

func hostWithin(a, b string) bool {
	switch {
	case a == b, b == "*":
		return true
	case a == "*":
		return false
	case strings.HasPrefix(b, "."):
		return strings.HasSuffix(a, b)
	}
	return false
}
