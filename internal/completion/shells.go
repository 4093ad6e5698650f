package completion

import "embed"

//go:embed mailsetup.bash mailsetup.zsh mailsetup.fish
var scripts embed.FS

// Shells are those that have a script.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Script returns what makes a shell ask the program; "" for one without.
func Script(shell string) string {
	text, _ := scripts.ReadFile("mailsetup." + shell)
	return string(text)
}
