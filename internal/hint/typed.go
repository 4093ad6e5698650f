package hint

import (
	"regexp"
	"strings"
)

// AsRoot is the hint for what only root may do. Typed.Lines says it with the command
// line that was typed.
const AsRoot = "run it as root (sudo)"

// again begins a hint that what was typed works with a further flag.
const again = "again, with "

// Again returns the beginning of a hint: what was typed, with a further flag. What only
// init, inbound, apply, restore and uninstall can do is said of init, also to who typed adopt.
func Again(flag string) string { return again + flag }

// Typed is what somebody typed, and how: hints that name commands of this program
// have to be typed the same way.
type Typed struct {
	Line string   // the command line, quoted for a shell
	Root bool     // root typed it
	Tree []string // the flag that names a directory to work on, quoted; nil for none
	Dir  string   // that directory, quoted
}

// TypedAs returns how a command line was typed, whose first word is the program.
func TypedAs(args []string, root bool) Typed {
	t := Typed{Root: root}
	if len(args) > 0 {
		t.Line = Quote(append([]string{"mailsetup"}, args[1:]...)...)
	}
	for i, a := range args {
		switch {
		case a == "--root" && i+1 < len(args):
			t.Dir = Quote(strings.TrimRight(args[i+1], "/"))
			t.Tree = []string{a, Quote(args[i+1])}
		case strings.HasPrefix(a, "--root="):
			t.Dir = Quote(strings.TrimRight(a[len("--root="):], "/"))
			t.Tree = []string{Quote(a)}
		}
	}
	return t
}

// command is a command of this program in a hint.
var command = regexp.MustCompile(`\b(?:sudo )?mailsetup (init|inbound|apply|add-domain|remove-domain|adopt|list|dns|rotate-dkim|status|history|rollback|recover|check|backup|restore|uninstall)\b`)

// takesAgain is a command with all flags that hints add to what was typed.
var takesAgain = regexp.MustCompile(`^mailsetup (init|inbound|apply|restore|uninstall)\b`)

// Lines returns hints as they have to be typed: by sudo, or with the directory that
// the command works on. What is asked of the running system alone stays as it is.
func (t Typed) Lines(lines []string) []string {
	var out []string
	for _, l := range lines {
		flag, isAgain := strings.CutPrefix(l, again)
		switch {
		case l == AsRoot && t.Line != "":
			l = "sudo " + t.Line
		case isAgain && takesAgain.MatchString(t.Line):
			l = t.Line + " " + flag
		case isAgain && t.Line != "":
			l = t.line("mailsetup init " + flag)
		case !strings.HasPrefix(l, "did you mean"):
			l = t.line(l)
		}
		out = append(out, l)
	}
	return out
}

// Text returns a text with the hints in it, which are lines of their own, as they have to
// be typed.
func (t Typed) Text(text string) string {
	const begin = "hint: "
	if !strings.Contains(text, begin) {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if rest, isHint := strings.CutPrefix(l, begin); isHint {
			lines[i] = begin + t.Lines([]string{rest})[0]
		}
	}
	return strings.Join(lines, "\n")
}

func (t Typed) line(l string) string {
	var b strings.Builder
	from := 0
	for _, at := range command.FindAllStringSubmatchIndex(l, -1) {
		name, rest := l[at[2]:at[3]], l[at[1]:]
		if i := strings.IndexAny(rest, ";\n"); i >= 0 {
			rest = rest[:i]
		}
		b.WriteString(l[from:at[0]])
		from = at[1]
		switch {
		case strings.Contains(rest, "--help"), name == "check" && strings.Contains(rest, "--explain"):
			b.WriteString("mailsetup " + name)
		case t.Tree != nil && takesTree(name, rest):
			b.WriteString("mailsetup " + name + " " + strings.Join(t.Tree, " "))
		case t.Root || !strings.HasPrefix(l[at[0]:], "sudo ") &&
			(strings.Contains(rest, "--root") || strings.Contains(rest, "--dry-run") && name != "rotate-dkim"):
			b.WriteString("mailsetup " + name)
		default:
			b.WriteString("sudo mailsetup " + name)
		}
	}
	l = b.String() + l[from:]
	if t.Tree != nil {
		l = ofTree.Replace(path.ReplaceAllString(l, "${1}"+strings.ReplaceAll(t.Dir, "$", "$$")+"${2}"))
		l = strings.ReplaceAll(l, "postconf -", "postconf -c "+t.Dir+"/etc/postfix -")
	}
	return l
}

// path is a file of the machine in a hint, which in a directory is below it: what moves
// or changes it must not do so with that of the running system. A table such as
// hash:/etc/aliases is named as the machine itself will see it.
var path = regexp.MustCompile(`(^|[ "'(])(/(?:etc|var)/)`)

// ofTree leaves out what acts on the daemons of the running system.
var ofTree = strings.NewReplacer(" && postfix reload", "", " && systemctl daemon-reload", "", ", then restart Postfix", "")

// takesTree reports whether a command can be about a directory, and is not yet.
func takesTree(name, rest string) bool {
	switch {
	case strings.Contains(rest, "--root"), name == "adopt", name == "status", name == "check":
		return false
	case name == "dns":
		return !strings.Contains(rest, "--wait")
	case name == "rotate-dkim":
		return !strings.Contains(rest, "--now") && !strings.Contains(rest, "--compromised")
	}
	return true
}

// Quote returns words as a POSIX shell takes them.
func Quote(words ...string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.Trim(w, plain) != "" {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
