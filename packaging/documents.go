package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const documentation = "/usr/share/doc/mailsetup/"

// documents adds what Debian wants of each package, and the README.
func (p *contents) documents(source, version string) error {
	notices, err := copyright(source)
	if err != nil {
		return err
	}
	changes, err := os.ReadFile(filepath.Join(source, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(source, "README.md"))
	return errors.Join(
		err,
		p.write(documentation+"copyright", notices),
		p.compress(documentation+"changelog", changes),
		p.compress(documentation+"README.md", readme),
		p.compress(documentation+"changelog.Debian", fmt.Appendf(nil,
			"mailsetup (%s-1) unstable; urgency=medium\n\n  * Made from the source; what is new says changelog.gz.\n\n -- %s  %s\n",
			version, maintainer, p.at.Format(time.RFC1123Z))),
		p.write("/usr/share/lintian/overrides/mailsetup", []byte("# As Go's programs are: nothing of the machine decides whether it starts.\nmailsetup: statically-linked-binary\n")),
	)
}

var tagged = regexp.MustCompile(`^v?([0-9][0-9A-Za-z.]*)(-[0-9A-Za-z.]+?)??(?:-([0-9]+)-g([0-9a-f]+))?(-dirty)?$`)

// debianVersion returns the upstream part of a Debian version from what git describe
// says. What comes before the first tag is less than any release.
func debianVersion(described string, at time.Time) string {
	m := tagged.FindStringSubmatch(described)
	if m == nil || !strings.Contains(m[1], ".") {
		hash, dirty := strings.CutSuffix(described, "-dirty")
		v := "0~" + at.UTC().Format("20060102150405") + "." + hash
		if dirty {
			v += "+dirty"
		}
		return v
	}
	v := m[1]
	if m[2] != "" { // v1.0.0-rc1 comes before v1.0.0
		v += "~" + m[2][1:]
	}
	if m[3] != "" {
		v += "+" + m[3] + ".g" + m[4]
	}
	return v + strings.Replace(m[5], "-", "+", 1)
}

// copyright returns the notices of mailsetup and of all that is linked into it.
func copyright(source string) ([]byte, error) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Version}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", "./cmd/mailsetup")
	list.Dir, list.Stderr = source, os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list what mailsetup is made of: %w", err)
	}
	toolchain := exec.Command("go", "env", "GOROOT")
	toolchain.Dir, toolchain.Stderr = source, os.Stderr
	goroot, err := toolchain.Output()
	if err != nil {
		return nil, fmt.Errorf("find Go: %w", err)
	}
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(modules)
	var b bytes.Buffer
	b.WriteString("mailsetup\n\nCopyright 2026 the mailsetup maintainers\n\n" + apache)
	one := func(name, dir string) error {
		texts, err := notices(dir)
		if err == nil && len(texts) == 0 {
			err = fmt.Errorf("%s: no license in %s", name, dir)
		}
		fmt.Fprintf(&b, "\n%s\n\n%s\n", strings.Repeat("-", 76), name+", which is linked into it:")
		for _, t := range texts {
			b.WriteString("\n" + t)
		}
		return err
	}
	err = one("The Go standard library", strings.TrimSpace(string(goroot)))
	for _, m := range slices.Compact(modules) {
		if f := strings.Fields(m); len(f) == 3 {
			err = errors.Join(err, one(f[0]+" "+f[1], f[2]))
		}
	}
	return b.Bytes(), err
}

const apache = `Licensed under the Apache License, Version 2.0. On Debian systems, the text of
that license is in /usr/share/common-licenses/Apache-2.0.
`

// notices returns the licenses in the directory of a module, as Debian wants them:
// that which its systems have anyway is named.
func notices(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, e := range entries {
		if name := strings.ToUpper(e.Name()); e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if bytes.Contains(text, []byte("Apache License")) && bytes.Contains(text, []byte("TERMS AND CONDITIONS FOR USE")) {
			text = []byte(apache)
		}
		texts = append(texts, strings.TrimRight(string(text), "\n")+"\n")
	}
	return texts, nil
}
