package eximconf

import (
	"regexp"
	"strings"

	"mailsetup/internal/state"
)

// Macro is a line that sets up DKIM: a macro, or an option of a transport.
type Macro struct {
	Name, Value string
	Line        int    // where it begins
	At          string // the place, file:line
}

// SigningMacros returns what SigningLines finds, with the lines joined that go on.
func SigningMacros(text string) []Macro {
	var list []Macro
	starts := map[int]bool{}
	for _, n := range SigningLines(text) {
		starts[n] = true
	}
	number, goesOn := 0, false
	for line := range strings.Lines(text) {
		number++
		body := strings.TrimSpace(line)
		cut, more := strings.CutSuffix(body, `\`)
		switch {
		case starts[number]:
			name, value, _ := strings.Cut(cut, "=")
			list = append(list, Macro{Name: strings.TrimSpace(name), Value: strings.TrimSpace(strings.TrimPrefix(value, "=")), Line: number})
		case goesOn:
			list[len(list)-1].Value += cut
		}
		goesOn = more && (goesOn || starts[number])
	}
	return list
}

// Forms of values that are understood. Each names one table or directory.
var (
	byFrom = regexp.MustCompile(`^(\$\{lc:)?\$\{domain:(\$\{address:)?\$(r|b)?h(eader)?_from:\}\}?\}?$`)
	// What follows the value is for when nothing is found: nothing is signed then.
	byTable     = regexp.MustCompile(`^\$\{lookup\s*\{(\$dkim_domain|\$\{dkim_domain\}|DKIM_DOMAIN)\}\s*lsearch\s*\{([^{}$]+)\}(\s*\{\$value\}(\s*(fail|\{(0|false)?\}))?)?\s*\}$`)
	byDirectory = regexp.MustCompile(`^\$\{lookup\s*\{(\$dkim_domain|\$\{dkim_domain\}|DKIM_DOMAIN)([A-Za-z0-9._-]*)\}\s*dsearch,ret=full\s*\{([^{}$]+)\}(\s*\{\$value\}(\s*(fail|\{(0|false)?\}))?)?\s*\}$`)
	plainWord   = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// ByHand understands DKIM that an administrator has set up by macros. It returns nil, and the
// place of what it does not understand, for everything else.
func ByHand(macros []Macro) (hand *state.EximDKIM, unknown string) {
	hand = &state.EximDKIM{}
	there := map[string]bool{}
	for _, m := range macros {
		value := strings.ReplaceAll(m.Value, "CONFDIR", "/etc/exim4")
		if there[m.Name] || !readMacro(hand, m.Name, value, m.At) {
			return nil, m.At
		}
		there[m.Name] = true
	}
	for _, name := range []string{"DKIM_DOMAIN", "DKIM_SELECTOR", "DKIM_PRIVATE_KEY"} {
		if !there[name] && len(macros) > 0 {
			return nil, macros[0].At
		}
	}
	if hand.Domain == "" && hand.Key != "" { // one key for whatever domain
		return nil, hand.At
	}
	return hand, ""
}

// readMacro reads a macro into what is understood so far, and reports whether it is.
func readMacro(hand *state.EximDKIM, name, value, at string) bool {
	switch name {
	case "DKIM_DOMAIN":
		hand.Domain = strings.ToLower(value)
		if byFrom.MatchString(value) {
			hand.Domain = ""
			return true
		}
		return plainWord.MatchString(value)
	case "DKIM_SELECTOR":
		hand.Selector = value
		return plainWord.MatchString(value)
	case "DKIM_PRIVATE_KEY":
		return readKey(hand, value, at)
	case "DKIM_CANON":
		return value == "relaxed"
	}
	return name == "DKIM_SIGN_HEADERS" // which are ours from then on
}

// readKey reads where the private keys are.
func readKey(hand *state.EximDKIM, value, at string) bool {
	hand.At = at
	place, field := value, &hand.Key
	if m := byTable.FindStringSubmatch(value); m != nil {
		place, field = m[2], &hand.Table
	} else if m := byDirectory.FindStringSubmatch(value); m != nil {
		place, field, hand.Suffix = m[3], &hand.Directory, m[2]
	}
	path, err := state.ParsePath(strings.TrimSuffix(strings.TrimSpace(place), "/"))
	*field = path
	return err == nil && !strings.ContainsAny(place, "${} :")
}

// CommentOut returns a text in which the lines that set up DKIM are comments.
func CommentOut(text string) string {
	starts := map[int]bool{}
	for _, n := range SigningLines(text) {
		starts[n] = true
	}
	var b strings.Builder
	number, goesOn := 0, false
	for line := range strings.Lines(text) {
		number++
		if goesOn = goesOn || starts[number]; goesOn {
			b.WriteString("# ")
		}
		b.WriteString(line)
		goesOn = goesOn && strings.HasSuffix(strings.TrimSpace(line), `\`)
	}
	return b.String()
}
