package main

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"mailsetup/internal/console"
)

// The role for Ansible and its page use flags that there are.
func TestRoleKnowsTheFlags(t *testing.T) {
	var flags []string
	for _, f := range applyCommand(console.Console{}).Flags {
		flags = append(flags, f.Names()...)
	}
	const dir = "../../contrib/ansible/"
	for file, most := range map[string]int{"roles/mailsetup/tasks/apply.yml": 3, "roles/mailsetup/defaults/main.yml": 1} {
		text, err := os.ReadFile(dir + file)
		if err != nil {
			t.Fatal(err)
		}
		used := regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(string(text), -1)
		if len(used) < most {
			t.Errorf("%s uses %q", file, used)
		}
		for _, m := range used {
			if !slices.Contains(flags, m[1]) {
				t.Errorf("%s: mailsetup apply has no --%s", file, m[1])
			}
		}
	}
}
