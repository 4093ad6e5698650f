package apt

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Database is what dpkg knows of the packages of a machine.
type Database struct {
	installed map[string]bool
	providers map[string]string     // by virtual package, the first one that is installed
	conffiles map[state.Path]string // the MD5 of each as it was shipped
}

// Query reads all of the database; for one package dpkg-query does so, too.
func Query(ctx context.Context, r system.Runner) (Database, error) {
	argv := []string{"dpkg-query", "-W", "-f", `${db:Status-Status}|${Package}|${Provides}\n${Conffiles}\n`}
	res, err := r.Run(ctx, system.Command{Argv: argv})
	if err != nil {
		return Database{}, noDebian(argv, err)
	}
	if res.Code != 0 {
		return Database{}, explain(argv, res)
	}
	return parseDatabase(string(res.Stdout)), nil
}

func parseDatabase(out string) Database {
	d := Database{installed: map[string]bool{}, providers: map[string]string{}, conffiles: map[state.Path]string{}}
	for line := range strings.Lines(out) {
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, " ") {
			d.addConffile(line)
			continue
		}
		fields := strings.SplitN(line, "|", 3)
		if len(fields) != 3 || fields[0] != "installed" && !strings.HasPrefix(fields[0], "triggers-") {
			continue // of some only the configuration is left
		}
		d.installed[fields[1]] = true
		for provided := range strings.SplitSeq(fields[2], ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(provided), " ")
			if d.providers[name] == "" {
				d.providers[name] = fields[1]
			}
		}
	}
	return d
}

// addConffile reads a path, its MD5 and perhaps a flag (obsolete, remove-on-upgrade).
// A package that is being unpacked has "newconffile" for the sum.
func (d Database) addConffile(line string) {
	line = strings.TrimSpace(line)
	for _, flag := range []string{" obsolete", " remove-on-upgrade"} {
		line = strings.TrimSuffix(line, flag)
	}
	if i := strings.LastIndexByte(line, ' '); i > 0 && strings.HasPrefix(line, "/") {
		d.conffiles[state.Path(line[:i])] = line[i+1:]
	}
}

// Installed reports, for each name, whether the package is installed and configured, or
// waits for triggers only.
func (d Database) Installed(names ...string) map[string]bool {
	installed := make(map[string]bool, len(names))
	for _, name := range names {
		installed[name] = d.installed[name]
	}
	return installed
}

// Provider returns the first installed package that provides a virtual one, "" for
// none.
func (d Database) Provider(virtual string) string { return d.providers[virtual] }

// Shipped reports whether a file is a configuration file of a package and unchanged. The
// MD5 is enough to tell versions apart, not to protect.
func (d Database) Shipped(file state.Path, content []byte) bool {
	sum := md5.Sum(content)
	return content != nil && d.conffiles[file] == hex.EncodeToString(sum[:])
}
