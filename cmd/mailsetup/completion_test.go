package main

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/completion"
	"mailsetup/internal/console"
)

var (
	inParentheses = regexp.MustCompile(` ?\([^)]*\)`)
	oneOf         = regexp.MustCompile(`[:,] ((?:[a-z0-9-]+, )*[a-z0-9-]+ or [a-z0-9-]+)\b`)
)

// What Tab offers as values of a flag is what its help says they are.
func TestCompletionOffersWhatHelpSays(t *testing.T) {
	_, c := console.Open(context.Background())
	p := typeable(app(c))
	for _, cmd := range p.Commands {
		for _, f := range cmd.Flags {
			if f.Value == "" {
				continue
			}
			var offered []string
			for _, found := range p.Complete([]string{cmd.Name, f.Names[0], ""}, completion.Sources{Root: t.TempDir()}) {
				offered = append(offered, found.Word)
			}
			help := inParentheses.ReplaceAllString(f.Help, "")
			for _, w := range offered {
				if !strings.HasPrefix(w, ":") && f.Value != "IDS" && f.Value != "ID" && !strings.Contains(help, w) {
					t.Errorf("%s %s: %q is offered, and not in the help %q", cmd.Name, f.Names[0], w, help)
				}
			}
			if m := oneOf.FindStringSubmatch(help); m != nil && m[1] != "v4 or v6" {
				if want := strings.Split(strings.Replace(m[1], " or ", ", ", 1), ", "); !slices.Equal(offered, want) {
					t.Errorf("%s %s: the help says %q, Tab offers %q", cmd.Name, f.Names[0], want, offered)
				}
			}
		}
	}
}
