// Command packaging makes a Debian package of what make install put below a directory:
// it adds the documents that Debian wants, and the maintainer scripts.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

const maintainer = "The mailsetup maintainers <maintainers@mailsetup.example>"

const description = `make the mail of this server arrive (DKIM, SPF, DMARC)
mailsetup installs and sets up OpenDKIM with Postfix, makes keys and replaces
them when they are old, publishes SPF, DKIM and DMARC records in the BIND of
the machine or prints them, and asks the running daemons whether a message
really leaves signed. What it does can be taken back.
.
It depends on no mail server: "mailsetup init" shows what is missing, and
installs that after a yes.`

func main() {
	root := flag.String("root", "", "`DIRECTORY` that make install DESTDIR filled; without it, only the version is printed")
	source := flag.String("source", "..", "`DIRECTORY` of the source tree")
	described := flag.String("version", "", "what git describe `SAYS`")
	arch := flag.String("arch", "amd64", "Debian's `NAME` of the architecture")
	epoch := flag.Int64("time", 0, "`SECONDS` since 1970: the time of all files, and of the changelog")
	out := flag.String("o", ".", "`DIRECTORY` for the package")
	flag.Parse()
	at := time.Unix(*epoch, 0).UTC()
	if *root == "" {
		fmt.Println(debianVersion(*described, at))
		return
	}
	name, err := build(*root, *source, *described, *arch, at, *out)
	if err != nil {
		fmt.Fprintf(os.Stderr, "packaging: %v\n", err)
		os.Exit(1)
	}
	fmt.Println(name)
}

// build writes the package and returns its path. The same input gives the same bytes.
func build(root, source, described, arch string, at time.Time, out string) (string, error) {
	scratch, err := os.MkdirTemp("", "mailsetup-deb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	version := debianVersion(described, at)
	p := &contents{scratch: scratch, at: at}
	if err := errors.Join(p.installed(root), p.documents(source, version)); err != nil {
		return "", err
	}
	scripts := filepath.Join(source, "packaging", "scripts")
	info := &nfpm.Info{
		Name: "mailsetup", Arch: arch, Platform: "linux", Version: version, VersionSchema: "none", Release: "1",
		Section: "mail", Priority: "optional", Maintainer: maintainer, Description: description, MTime: at,
		Overridables: nfpm.Overridables{
			// apt installs what is recommended as well, and init decides what is needed.
			// Python runs the hooks that come along.
			Suggests: []string{"postfix", "opendkim", "bind9", "python3:any"},
			Contents: p.list, Umask: 0o022,
			Scripts: nfpm.Scripts{
				PreInstall: filepath.Join(scripts, "preinst"), PostInstall: filepath.Join(scripts, "postinst"),
				PreRemove: filepath.Join(scripts, "prerm"), PostRemove: filepath.Join(scripts, "postrm"),
			},
		},
	}
	var b bytes.Buffer
	if err := deb.Default.Package(info, &b); err != nil {
		return "", err
	}
	name := filepath.Join(out, fmt.Sprintf("mailsetup_%s-1_%s.deb", version, arch))
	return name, errors.Join(os.MkdirAll(out, 0o755), os.WriteFile(name, b.Bytes(), 0o644))
}

// contents is what the package has, with files of its own in a scratch directory.
type contents struct {
	scratch string
	at      time.Time
	list    files.Contents
}

// add adds a file of that path in the package. What is below /etc is a conffile.
func (p *contents) add(path, from string, mode fs.FileMode) {
	kind := files.TypeFile
	if strings.HasPrefix(path, "/etc/") {
		kind = files.TypeConfig
	}
	p.list = append(p.list, &files.Content{
		Source: from, Destination: path, Type: kind,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: p.at},
	})
}

// write adds a file with a text.
func (p *contents) write(path string, text []byte) error {
	from := filepath.Join(p.scratch, strings.ReplaceAll(path, "/", "_"))
	p.add(path, from, 0o644)
	return os.WriteFile(from, text, 0o644)
}

// compress adds a file compressed as Debian has it (policy 12.1, 12.3): without name and time.
func (p *contents) compress(path string, text []byte) error {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	return errors.Join(err, p.write(path+".gz", b.Bytes()))
}

// installed adds what make install put below a directory.
func (p *contents) installed(root string) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		path := "/" + strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
		if strings.HasPrefix(path, "/usr/share/man/") {
			text, err := os.ReadFile(name)
			return errors.Join(err, p.compress(path, text))
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		p.add(path, name, mode)
		return nil
	})
}
