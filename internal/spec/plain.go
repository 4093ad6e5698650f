package spec

import (
	"slices"
	"strconv"
	"strings"
)

// pair is a key, with its table, and its value in a text written plainly.
type pair struct {
	path  string
	value any // string, int64, bool, []string, or table
}

// table is the value of a table's header.
type table struct{}

// plain reads a text that says everything in the plainest way TOML has, as
// files written here do: one key a line, strings without escapes, lists of
// such strings on one line. Of any other text it says false, right or wrong,
// and the decoder decides. It takes a tenth of the decoder's time, which
// counts with ten thousand files.
func plain(text string) (pairs []pair, ok bool) {
	if !printable(text) {
		return nil, false
	}
	in := ""
	pairs = make([]pair, 0, min(strings.Count(text, "\n"), 32)) // a file written here has 26
	for line := range strings.Lines(text) {
		if line[0] == '#' {
			continue // as half of a file written here is
		}
		if line = trimRemark(line); line == "" {
			continue
		}
		p, ok := plainLine(line)
		if p.value == any(table{}) {
			in = p.path + "."
		} else {
			p.path = in + p.path
		}
		if !ok || slices.ContainsFunc(pairs, func(x pair) bool { return x.path == p.path }) {
			return nil, false
		}
		pairs = append(pairs, p)
	}
	return pairs, true
}

func plainLine(line string) (pair, bool) {
	if name, isTable := strings.CutPrefix(line, "["); isTable {
		name, ok := strings.CutSuffix(name, "]")
		return pair{name, table{}}, ok && bare(name)
	}
	key, text, ok := strings.Cut(line, "=")
	key = strings.TrimRight(key, " \t")
	value, known := plainValue(strings.TrimLeft(text, " \t"))
	return pair{key, value}, ok && known && bare(key)
}

// printable reports whether a text has only characters that a plain one has.
func printable(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// trimRemark takes white space and the remark from a line.
func trimRemark(line string) string {
	line = strings.Trim(line, " \t\n")
	if line == "" || line[0] == '#' {
		return ""
	}
	quoted := false
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted:
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return line
}

// bare reports whether a key needs no quotes and has no dots.
func bare(key string) bool {
	return key != "" && strings.IndexFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

func plainValue(s string) (any, bool) {
	switch {
	case s == "true", s == "false":
		return s == "true", true
	case strings.HasPrefix(s, `"`):
		text, rest, ok := plainString(s)
		return text, ok && rest == ""
	case strings.HasPrefix(s, "["):
		return plainList(s[1:])
	case s == "" || s[0] < '0' || s[0] > '9' || len(s) > 1 && s[0] == '0':
		return nil, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// plainString reads a string and returns what follows it. The text is a copy:
// the spec would keep the whole file otherwise.
func plainString(s string) (text, rest string, ok bool) {
	text, rest, ok = strings.Cut(strings.TrimPrefix(s, `"`), `"`)
	if !ok || !strings.HasPrefix(s, `"`) || strings.ContainsAny(text, "\\\t") || text == "" && strings.HasPrefix(rest, `"`) {
		return "", "", false
	}
	return strings.Clone(text), rest, true
}

// plainList reads what follows the opening bracket.
func plainList(s string) ([]string, bool) {
	list := []string{}
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "]" {
			return list, true
		}
		text, rest, ok := plainString(s)
		if !ok {
			return nil, false
		}
		list = append(list, text)
		s = strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(s, ",") {
			return list, s == "]"
		}
		s = s[1:]
	}
}

// fill puts the pairs into their places; false if there is one without.
func fill(pairs []pair, place func(path string) any) bool {
	for _, p := range pairs {
		ok := false
		switch at := place(p.path).(type) {
		case *string:
			*at, ok = p.value.(string)
		case *int64:
			*at, ok = p.value.(int64)
		case *bool:
			*at, ok = p.value.(bool)
		case *[]string:
			*at, ok = p.value.([]string)
		case table:
			_, ok = p.value.(table)
		}
		if !ok {
			return false
		}
	}
	return true
}

// place is where the value of a key goes, nil if there is no such key.
func (raw *domainText) place(path string) any {
	switch path {
	case "spf", "dmarc", "rfc2136":
		return table{}
	case "domain":
		return &raw.Domain
	case "selector":
		return &raw.Selector
	case "key_bits":
		return &raw.KeyBits
	case "receive":
		return &raw.Receive
	case "ttl":
		return &raw.TTL
	case "new_zone":
		return &raw.NewZone
	case "ns":
		return &raw.NS
	case "keep":
		return &raw.Keep
	case "wildcard_records":
		return &raw.Wildcard
	case "dns":
		return &raw.DNS
	case "subdomains":
		return &raw.Subdomains
	case "also":
		return &raw.Also
	case "repair":
		return &raw.Repair
	case "partial":
		return &raw.Partial
	case "identities":
		return &raw.Identities
	case "signed_by":
		return &raw.SignedBy
	case "spf.all":
		return &raw.SPF.All
	case "spf.include":
		return &raw.SPF.Include
	case "spf.redirect":
		return &raw.SPF.Redirect
	case "rfc2136.server":
		return &raw.Update.Server
	case "rfc2136.key_file":
		return &raw.Update.KeyFile
	}
	if at := raw.life(path); at != nil {
		return at
	}
	return raw.DMARC.place(path)
}

func (raw *domainText) life(path string) any {
	switch path {
	case "drain":
		return &raw.Drain
	case "rotate_every":
		return &raw.RotateEvery
	case "lag":
		return &raw.Lag
	case "revoke":
		return &raw.Revoke
	}
	return nil
}

func (raw *dmarcText) place(path string) any {
	switch path {
	case "dmarc.policy":
		return &raw.Policy
	case "dmarc.subdomain_policy":
		return &raw.SubdomainPolicy
	case "dmarc.adkim":
		return &raw.ADKIM
	case "dmarc.aspf":
		return &raw.ASPF
	case "dmarc.rua":
		return &raw.RUA
	case "dmarc.ruf":
		return &raw.RUF
	}
	return nil
}
