// Package archive is the format of a backup inside of its encryption: a tar(5) archive
// with a manifest in front, which says what follows to the octet. Pure: streams in,
// values out.
package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"mailsetup/internal/state"
)

// Format is the number of the format that this program writes.
const Format = 1

// ManifestName is the name of the first file, and filesDir of the directory with all
// others: age -d FILE | tar x shows what is there without this program.
const (
	ManifestName = "manifest.json"
	filesDir     = "files"
)

// Manifest says what a backup is of, and what is in it.
type Manifest struct {
	Format  int       `json:"format"`
	Program string    `json:"program"`
	Version string    `json:"version"` // of the program that wrote it
	Host    string    `json:"host"`
	Time    time.Time `json:"time"`
	Files   []File    `json:"files"` // in the order in which they follow
}

// File is one file of the machine.
type File struct {
	Path   state.Path  `json:"path"`
	Owner  state.Owner `json:"owner"`
	Mode   string      `json:"mode"` // octal, as chmod(1) takes it
	Size   int64       `json:"size"`
	SHA256 string      `json:"sha256"`
}

// NewFile describes an object.
func NewFile(p state.Path, o state.Object) File {
	sum := sha256.Sum256(o.Content)
	return File{
		Path: p, Owner: o.Owner, Mode: fmt.Sprintf("%04o", o.Mode.Perm()),
		Size: int64(len(o.Content)), SHA256: hex.EncodeToString(sum[:]),
	}
}

// Write writes a backup. Read returns the content of a file again, so that no more than
// one is in memory; one that changed since it was described is an error.
func Write(w io.Writer, m Manifest, read func(File) ([]byte, error)) error {
	m.Format, m.Program = Format, "mailsetup"
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	if err := write(out, ManifestName, "0600", m.Time, append(text, '\n')); err != nil {
		return err
	}
	for _, f := range m.Files {
		content, err := read(f)
		if err != nil {
			return err
		}
		if NewFile(f.Path, state.Object{Content: content}).SHA256 != f.SHA256 {
			return fmt.Errorf("%s changed while it was read", f.Path)
		}
		if err := write(out, filesDir+string(f.Path), f.Mode, m.Time, content); err != nil {
			return err
		}
	}
	return out.Close()
}

func write(out *tar.Writer, name, mode string, at time.Time, content []byte) error {
	bits, err := parseMode(mode)
	if err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(bits), Size: int64(len(content)), ModTime: at, Uname: "root", Gname: "root"}
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err = out.Write(content)
	return err
}

// Limits bound what is read of a backup that somebody else may have made.
type Limits struct {
	Manifest, File, Total int64 // octets
}

// DefaultLimits are a hundred times what ten thousand domains need.
var DefaultLimits = Limits{Manifest: 64 << 20, File: 64 << 20, Total: 512 << 20}

// Contents is a backup that was read to its end and found whole.
type Contents struct {
	Manifest Manifest
	Files    map[state.Path][]byte
}

// ErrFormat is the error of a backup in a format of a later program.
var ErrFormat = errors.New("was written in a later format than this program knows")

// Read reads a backup to its end and checks all of it: names, order, sizes, hashes. It
// takes nothing but plain files at clean absolute paths, each of which the manifest
// announces, once.
func Read(r io.Reader, limits Limits) (Contents, error) {
	in := tar.NewReader(r)
	m, err := readManifest(in, limits)
	if err != nil {
		return Contents{}, err
	}
	c := Contents{Manifest: m, Files: make(map[state.Path][]byte, len(m.Files))}
	for _, f := range m.Files {
		content, err := readFile(in, f)
		if err != nil {
			return Contents{}, err
		}
		c.Files[f.Path] = content
	}
	switch h, err := in.Next(); {
	case err == nil:
		return Contents{}, fmt.Errorf("has %q, which its manifest does not have", h.Name)
	case !errors.Is(err, io.EOF):
		return Contents{}, fmt.Errorf("cannot be read: %w", err)
	}
	return c, readEnd(r)
}

func readManifest(in *tar.Reader, limits Limits) (m Manifest, err error) {
	h, err := in.Next()
	if err != nil {
		return m, notWhole(err)
	}
	if err := plain(h, ManifestName, limits.Manifest); err != nil {
		return m, err
	}
	text, err := io.ReadAll(io.LimitReader(in, limits.Manifest))
	if err != nil {
		return m, notWhole(err)
	}
	var head struct{ Format int }
	if err := json.Unmarshal(text, &head); err != nil {
		return m, fmt.Errorf("%s makes no sense: %w", ManifestName, err)
	}
	if head.Format > Format {
		return m, ErrFormat
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s makes no sense: %w", ManifestName, err)
	}
	if m.Format < 1 || m.Program != "mailsetup" {
		return m, errors.New("is no backup of mailsetup")
	}
	return m, m.check(limits)
}

// check refuses names that lead elsewhere, and more than the limits allow.
func (m Manifest) check(limits Limits) error {
	seen, total := make(map[state.Path]bool, len(m.Files)), int64(0)
	for _, f := range m.Files {
		clean, err := state.ParsePath(string(f.Path))
		switch {
		case err != nil:
			return err
		case clean != f.Path || clean == "/":
			return fmt.Errorf("path %q: is not clean", f.Path)
		case seen[f.Path]:
			return fmt.Errorf("has %s twice", f.Path)
		case f.Size < 0 || f.Size > limits.File:
			return fmt.Errorf("%s: %d octets are more than %d", f.Path, f.Size, limits.File)
		}
		if _, err := parseMode(f.Mode); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		if total += f.Size; total > limits.Total {
			return fmt.Errorf("has more than %d octets", limits.Total)
		}
		seen[f.Path] = true
	}
	return nil
}

// readFile reads the next file, which has to be the one that is announced.
func readFile(in *tar.Reader, f File) ([]byte, error) {
	h, err := in.Next()
	if err != nil {
		return nil, notWhole(err)
	}
	if err := plain(h, filesDir+string(f.Path), f.Size); err != nil {
		return nil, err
	}
	if h.Size != f.Size {
		return nil, fmt.Errorf("%s: %d octets, and its manifest says %d", f.Path, h.Size, f.Size)
	}
	content := make([]byte, f.Size)
	if _, err := io.ReadFull(in, content); err != nil {
		return nil, notWhole(err)
	}
	if NewFile(f.Path, state.Object{Content: content}).SHA256 != f.SHA256 {
		return nil, fmt.Errorf("%s: is damaged: its hash is another one", f.Path)
	}
	return content, nil
}

// plain accepts the header of a regular file of a name, and of no more octets. A sparse
// one (tar(5)) says that it is long, and takes no room in the archive.
func plain(h *tar.Header, name string, most int64) error {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return fmt.Errorf("%q is a sparse file", h.Name)
		}
	}
	switch {
	case h.Name != name:
		return fmt.Errorf("has %q in the place of %q", h.Name, name)
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("%q is no regular file", h.Name)
	case h.Size > most:
		return fmt.Errorf("%q: %d octets are more than %d", h.Name, h.Size, most)
	}
	return nil
}

// readEnd reads to the end of what was encrypted: a file that was cut shows only there.
func readEnd(r io.Reader) error {
	padding, err := io.ReadAll(io.LimitReader(r, 1<<20))
	switch {
	case err != nil:
		return notWhole(err)
	case strings.Trim(string(padding), "\x00") != "" || len(padding) == 1<<20:
		return errors.New("goes on after its end")
	}
	return nil
}

// notWhole returns the error of a backup that ends too early, in one word.
func notWhole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("is cut off, or was never complete")
	}
	return fmt.Errorf("cannot be read: %w", err)
}

func parseMode(text string) (fs.FileMode, error) {
	var bits uint32
	if _, err := fmt.Sscanf(text, "%o", &bits); err != nil || bits > 0o777 || fmt.Sprintf("%04o", bits) != text {
		return 0, fmt.Errorf("mode %q: is not like 0600", text)
	}
	return fs.FileMode(bits), nil
}
