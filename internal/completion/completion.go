// Package completion says how a command line may go on, for the shells that ask when
// somebody presses Tab.
package completion

import (
	"cmp"
	"slices"
	"strings"
)

// Program is what can be typed.
type Program struct {
	Commands []Command
	Flags    []Flag // without a command
}

// Command is one of its commands.
type Command struct {
	Name, Help string
	Flags      []Flag
	Hidden     bool
}

// Flag is a flag with its names as they are typed, the first one the longest.
type Flag struct {
	Names []string
	Help  string
	Value string // the word of the help for its value; "" if it takes none
}

// Candidate is a word that may stand where the cursor is.
type Candidate struct{ Word, Help string }

// What a shell completes by itself, in place of a word.
const (
	Files       = ":files"
	Directories = ":dirs"
)

// Complete returns the words that may stand in place of the last one. Sources say what
// the machine has.
func (p Program) Complete(words []string, s Sources) []Candidate {
	words, bare := joined(words)
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	i := slices.IndexFunc(words[:len(words)-1], func(w string) bool { return !strings.HasPrefix(w, "-") })
	if i < 0 {
		if strings.HasPrefix(last, "-") {
			return matching(p.flags(p.Flags), last)
		}
		return matching(p.names(), last)
	}
	cmd := p.command(words[i])
	if cmd == nil {
		return nil
	}
	line := parse(*cmd, words[i+1:])
	s.line = line
	var found []Candidate
	switch {
	case line.flag != nil:
		found = matching(s.values(*cmd, *line.flag, line.value), line.value)
		if line.prefix != "" && !bare { // --flag=value is one word
			for j := range found {
				if !strings.HasPrefix(found[j].Word, ":") {
					found[j].Word = line.prefix + found[j].Word
				}
			}
		}
	case strings.HasPrefix(last, "-") && !line.onlyArguments:
		found = matching(p.flags(cmd.Flags), last)
	default:
		found = matching(p.arguments(*cmd, s), last)
	}
	return found
}

// joined undoes what bash does to --flag=value, which are three words to it. Then the
// last one alone is completed.
func joined(words []string) (list []string, bare bool) {
	for i := 0; i < len(words); i++ {
		if n := len(list); words[i] == "=" && n > 0 && strings.HasPrefix(list[n-1], "--") {
			list[n-1] += "="
			if i+1 < len(words) {
				i++
				list[n-1] += words[i]
			}
			bare = i == len(words)-1
			continue
		}
		list, bare = append(list, words[i]), false
	}
	return list, bare
}

// commandLine is what was typed after the name of a command.
type commandLine struct {
	arguments     []string // but the last word
	given         map[string]string
	flag          *Flag // whose value the last word is
	prefix, value string
	onlyArguments bool // "--" was typed
}

func parse(cmd Command, words []string) commandLine {
	l := commandLine{given: map[string]string{}}
	end := len(words) - 1
	for i := 0; i <= end; i++ {
		name, value, assigned := strings.Cut(words[i], "=")
		f := cmd.flag(name)
		switch {
		case l.onlyArguments, !strings.HasPrefix(words[i], "-"):
			if i < end {
				l.arguments = append(l.arguments, words[i])
			}
		case words[i] == "--" && i < end:
			l.onlyArguments = true
		case f == nil || f.Value == "":
		case assigned && i == end:
			l.flag, l.prefix, l.value = f, name+"=", value
		case assigned:
			l.given[f.Names[0]] = value
		case i+1 == end:
			l.flag, l.value = f, words[end]
			return l
		case i < end:
			i++
			l.given[f.Names[0]] = words[i]
		}
	}
	return l
}

func (p Program) command(name string) *Command {
	if i := slices.IndexFunc(p.Commands, func(c Command) bool { return c.Name == name }); i >= 0 {
		return &p.Commands[i]
	}
	return nil
}

func (c Command) flag(name string) *Flag {
	if i := slices.IndexFunc(c.Flags, func(f Flag) bool { return slices.Contains(f.Names, name) }); i >= 0 {
		return &c.Flags[i]
	}
	return nil
}

func (p Program) names() []Candidate {
	var list []Candidate
	for _, c := range p.Commands {
		if !c.Hidden {
			list = append(list, Candidate{c.Name, c.Help})
		}
	}
	return list
}

func (p Program) flags(flags []Flag) []Candidate {
	list := make([]Candidate, 0, len(flags)+1)
	for _, f := range flags {
		list = append(list, Candidate{f.Names[0], firstWords(f.Help)})
	}
	return append(list, Candidate{"--help", "help"})
}

// arguments are what a command takes beside its flags.
func (p Program) arguments(cmd Command, s Sources) []Candidate {
	once := func(list []Candidate) []Candidate {
		return slices.DeleteFunc(list, func(c Candidate) bool { return slices.Contains(s.line.arguments, c.Word) })
	}
	first := len(s.line.arguments) == 0
	switch cmd.Name {
	case "remove-domain", "rotate-dkim", "status", "dns", "check":
		return once(s.domains())
	case "history", "rollback":
		if first {
			return s.runs()
		}
	case "backup", "restore":
		if first {
			return list(Files)
		}
	case "help":
		if first {
			return p.names()
		}
	case "completion":
		if first {
			return list(Shells()...)
		}
	}
	return nil
}

// matching are the candidates that begin with what was typed. What the shell completes
// itself stays.
func matching(all []Candidate, typed string) []Candidate {
	return slices.DeleteFunc(all, func(c Candidate) bool {
		return !strings.HasPrefix(c.Word, typed) && c.Word != Files && c.Word != Directories
	})
}

func list(words ...string) []Candidate {
	out := make([]Candidate, len(words))
	for i, w := range words {
		out[i].Word = w
	}
	return out
}

// firstWords returns as much of a help as fits beside a word.
func firstWords(help string) string {
	help = strings.ReplaceAll(help, "`", "")
	cut := cmp.Or(max(0, strings.IndexAny(help, ":;(")), len(help))
	help = strings.TrimSpace(help[:cut])
	if runes := []rune(help); len(runes) > 60 {
		help = string(runes[:strings.LastIndex(string(runes[:60]), " ")])
	}
	return help
}
