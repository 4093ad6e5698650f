package lab

import "strings"

// Apt installs packages from the files that the image carries (see carried in
// recipe.go for the groups), without a network and without recommended
// packages, as apt would on the server. Their services start as Debian has
// them; a name server finds port 53 taken unless named is stopped before. A
// package that would remove another one, such as a second mail server, fails
// the test.
func (b *Box) Apt(t T, packages ...string) {
	t.Helper()
	argv := []string{
		"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-download",
		"--no-install-recommends", "--no-remove", "-o", "Dpkg::Use-Pty=0",
	}
	stdout, stderr, code := b.Exec(t.Context(), nil, append(argv, packages...)...)
	if code != 0 {
		t.Fatalf("%s: install %s: exit status %d\n%s", b.Name, strings.Join(packages, " "), code, tail(stdout+stderr, 30))
	}
}
