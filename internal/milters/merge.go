package milters

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Has finds the entry with the endpoint. Two spellings of one socket are the
// same endpoint: unix: and local:, relative to the queue directory and
// absolute, as seen from outside or inside Postfix's chroot.
func Has(value, endpoint string, queueDir state.Path) (Milter, bool) {
	list, err := Parse(value)
	if err != nil {
		return Milter{}, false
	}
	for _, m := range list {
		if same(m.Endpoint, endpoint, queueDir) {
			return m, true
		}
	}
	return Milter{}, false
}

// Refers reports whether the list takes in another parameter ($smtpd_milters),
// so that a milter in that one counts for this one too.
func Refers(value, parameter string) bool {
	list, err := Parse(value)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(list, func(m Milter) bool {
		return m.Endpoint == "$"+parameter || m.Endpoint == "${"+parameter+"}" || m.Endpoint == "$("+parameter+")"
	})
}

// Merge puts our milter into a list. Where its endpoint stands already the
// entry keeps its place and the options that ours does not name; later entries
// for the same endpoint go, since they would sign twice. A new entry goes to
// the end, after spam filters and others that change the message, but before
// OpenDMARC, which wants OpenDKIM's verdict. All other text stays byte for
// byte, except that a changed list is on one line, because postconf -e takes
// no other. An unchanged list is returned as it was.
func Merge(value string, ours Milter, queueDir state.Path) (merged string, changed bool, err error) {
	if err := wellFormed(ours); err != nil {
		return "", false, err
	}
	list, err := Parse(value)
	if err != nil {
		return "", false, err
	}
	tokens, err := split(value)
	if err != nil {
		return "", false, err
	}
	at := slices.IndexFunc(list, func(m Milter) bool { return same(m.Endpoint, ours.Endpoint, queueDir) })
	if at < 0 {
		merged = insert(value, list, tokens, Milter{Endpoint: ours.Endpoint, Options: ours.Options}.String())
	} else {
		merged = replace(value, list, tokens, at, ours, queueDir)
	}
	if merged == value {
		return value, false, nil
	}
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(merged), true, nil
}

// wellFormed refuses an entry that Postfix would read otherwise.
func wellFormed(m Milter) error {
	m.Raw = ""
	list, err := Parse(m.String())
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].Endpoint != m.Endpoint || !slices.Equal(list[0].Options, m.Options) {
		return fmt.Errorf("milter %q: Postfix would read it otherwise", m.String())
	}
	return nil
}

// insert adds the text before the first OpenDMARC, or at the end.
func insert(value string, list []Milter, tokens []token, text string) string {
	if len(tokens) == 0 {
		return text
	}
	at := slices.IndexFunc(list, isOpenDMARC)
	if at < 0 {
		end := tokens[len(tokens)-1].end()
		return value[:end] + ", " + text
	}
	start := tokens[at].at
	return value[:start] + text + ", " + value[start:]
}

// isOpenDMARC recognises OpenDMARC by its name or by the port its
// documentation uses.
func isOpenDMARC(m Milter) bool {
	return strings.Contains(strings.ToLower(m.Endpoint), "opendmarc") || strings.HasSuffix(m.Endpoint, ":8893")
}

// replace makes the entry at the place ours and drops later ones of the same
// endpoint, each with the separator before it.
func replace(value string, list []Milter, tokens []token, at int, ours Milter, queueDir state.Path) string {
	for i := len(list) - 1; i > at; i-- {
		if same(list[i].Endpoint, ours.Endpoint, queueDir) {
			value = value[:tokens[i-1].end()] + value[tokens[i].end():]
		}
	}
	options := withOptions(list[at].Options, ours.Options)
	if list[at].Endpoint == ours.Endpoint && slices.Equal(options, list[at].Options) {
		return value
	}
	text := Milter{Endpoint: ours.Endpoint, Options: options}.String()
	return value[:tokens[at].at] + text + value[tokens[at].end():]
}

// withOptions sets our options among those that stand there.
func withOptions(theirs, ours []state.Setting) []state.Setting {
	out := slices.Clone(theirs)
	for _, o := range ours {
		i := slices.IndexFunc(out, func(s state.Setting) bool { return s.Name == o.Name })
		if i < 0 {
			out = append(out, o)
			continue
		}
		out[i] = o
		// A later setting of the same name would win.
		out = slices.Concat(out[:i+1], slices.DeleteFunc(slices.Clone(out[i+1:]), func(s state.Setting) bool { return s.Name == o.Name }))
	}
	return out
}

// same compares endpoints by what they lead to.
func same(a, b string, queueDir state.Path) bool {
	return canonical(a, queueDir) == canonical(b, queueDir)
}

// canonical writes a socket of the file system as unix: and a path relative to
// the queue directory. A chrooted service sees that directory as /, so an
// absolute path counts as relative too.
func canonical(endpoint string, queueDir state.Path) string {
	transport, address, found := strings.Cut(endpoint, ":")
	if !found {
		return endpoint
	}
	transport = strings.ToLower(transport)
	if transport != "unix" && transport != "local" {
		return transport + ":" + strings.ToLower(address)
	}
	for _, name := range []string{"$queue_directory", "${queue_directory}", "$(queue_directory)"} {
		address = strings.Replace(address, name, string(queueDir), 1)
	}
	if queueDir != "" {
		address = strings.TrimPrefix(address, string(queueDir)+"/")
	}
	parts := strings.FieldsFunc(address, func(r rune) bool { return r == '/' })
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "." })
	return "unix:" + strings.Join(parts, "/")
}
