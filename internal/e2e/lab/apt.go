package lab

import "strings"

// onlyCarried takes the packages out of apt's lists that are neither installed nor
// carried: apt weighs each of seventy thousand, for a second of processor time a call.
const onlyCarried = `set -eu
carried=$(mktemp) kept=$(mktemp)
{ dpkg-query -W -f '${Package}\n'; ls /var/cache/apt/archives | sed -n 's/_.*[.]deb$//p'; } >$carried
for list in /var/lib/apt/lists/*_Packages; do
	awk -v from=$carried 'BEGIN { while ((getline name <from) > 0) carried[name]; RS = ""; ORS = "\n\n" } $2 in carried' $list >$kept
	cat $kept >$list
done
rm $carried $kept`

// Apt installs packages from the files that the image carries (see carried in
// recipe.go for the groups), without a network and without recommended
// packages, as apt would on the server. Their services start as Debian has
// them; a name server finds port 53 taken unless named is stopped before. A
// package that would remove another one, such as a second mail server, fails
// the test.
func (b *Box) Apt(t T, packages ...string) {
	t.Helper()
	if !b.listed {
		b.Sh(t, onlyCarried)
		b.listed = true
	}
	argv := []string{
		"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-download",
		"--no-install-recommends", "--no-remove", "-o", "Dpkg::Use-Pty=0",
	}
	stdout, stderr, code := b.Exec(t.Context(), nil, append(argv, packages...)...)
	if code != 0 {
		t.Fatalf("%s: install %s: exit status %d\n%s", b.Name, strings.Join(packages, " "), code, tail(stdout+stderr, 30))
	}
}
