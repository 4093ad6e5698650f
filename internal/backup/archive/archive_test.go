package archive_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/backup/archive"
	"mailsetup/internal/state"
)

var limits = archive.Limits{Manifest: 1 << 16, File: 1000, Total: 1500}

// made is a backup of two files.
func made(t testing.TB) []byte {
	t.Helper()
	contents := map[state.Path]string{"/etc/mailsetup/host.toml": "version = 1\n", "/etc/dkimkeys/lab.example/s1.private": "key"}
	m := archive.Manifest{Version: "1.2", Host: "mail.lab.example", Time: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	for _, p := range []state.Path{"/etc/dkimkeys/lab.example/s1.private", "/etc/mailsetup/host.toml"} {
		m.Files = append(m.Files, archive.NewFile(p, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(contents[p])}))
	}
	var b bytes.Buffer
	if err := archive.Write(&b, m, func(f archive.File) ([]byte, error) { return []byte(contents[f.Path]), nil }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	c, err := archive.Read(bytes.NewReader(made(t)), limits)
	if err != nil {
		t.Fatal(err)
	}
	if c.Manifest.Format != 1 || c.Manifest.Host != "mail.lab.example" || c.Manifest.Version != "1.2" || len(c.Files) != 2 {
		t.Errorf("manifest %+v, %d files", c.Manifest, len(c.Files))
	}
	f := c.Manifest.Files[0]
	if f.Path != "/etc/dkimkeys/lab.example/s1.private" || f.Mode != "0600" || f.Size != 3 || f.Owner != state.Root ||
		f.SHA256 != "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683" {
		t.Errorf("file %+v", f)
	}
	if got := string(c.Files["/etc/mailsetup/host.toml"]); got != "version = 1\n" {
		t.Errorf("host.toml: %q", got)
	}
}

// A backup whose file changes while it is written is none.
func TestFileThatChanges(t *testing.T) {
	m := archive.Manifest{Files: []archive.File{archive.NewFile("/a", state.Object{Content: []byte("one")})}}
	err := archive.Write(io.Discard, m, func(archive.File) ([]byte, error) { return []byte("two"), nil })
	if err == nil || err.Error() != "/a changed while it was read" {
		t.Errorf("error %v", err)
	}
}

// Wherever in its files a backup is cut, it is none. Of what comes after them age(1) knows
// whether it is whole.
func TestCutOff(t *testing.T) {
	whole := made(t)
	end := len(whole) - 1024 - 512 + len("version = 1\n") // before the padding and two empty blocks
	for n := 0; n < end; n += 7 {
		if _, err := archive.Read(bytes.NewReader(whole[:n]), limits); err == nil {
			t.Errorf("%d octets of %d are accepted", n, len(whole))
		}
	}
}

// entry is a file of a hostile archive.
type entry struct {
	header tar.Header
	text   string
}

func file(name, text string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(text))}, text}
}

func packed(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// manifest announces files as they are given.
func manifest(t *testing.T, format int, files ...archive.File) entry {
	t.Helper()
	text, err := json.Marshal(archive.Manifest{Format: format, Program: "mailsetup", Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return file(archive.ManifestName, string(text))
}

func announced(path, text string) archive.File {
	return archive.NewFile(state.Path(path), state.Object{Mode: 0o600, Content: []byte(text)})
}

func TestHostile(t *testing.T) {
	sized := func(n int64) archive.File { f := announced("/etc/a", ""); f.Size = n; return f }
	mode := func(m string) archive.File { f := announced("/etc/a", "x"); f.Mode = m; return f }
	link := entry{tar.Header{Typeflag: tar.TypeSymlink, Name: "files/etc/a", Linkname: "/etc/shadow"}, ""}
	dir := entry{tar.Header{Typeflag: tar.TypeDir, Name: "files/etc/a", Mode: 0o755}, ""}
	for name, tt := range map[string]struct {
		archive []byte
		want    string
	}{
		"nothing":            {nil, "is cut off, or was never complete"},
		"no tar":             {bytes.Repeat([]byte("mail"), 1000), "cannot be read: archive/tar: invalid tar header"},
		"no manifest":        {packed(t, file("files/etc/a", "x")), `has "files/etc/a" in the place of "manifest.json"`},
		"manifest is noise":  {packed(t, file("manifest.json", "{")), "manifest.json makes no sense: unexpected end of JSON input"},
		"of another program": {packed(t, file("manifest.json", `{"format":1,"program":"x"}`)), "is no backup of mailsetup"},
		"later format":       {packed(t, manifest(t, 2)), "was written in a later format than this program knows"},
		"manifest too long":  {packed(t, file("manifest.json", strings.Repeat(" ", 1<<17))), `"manifest.json": 131072 octets are more than 65536`},
		"not absolute":       {packed(t, manifest(t, 1, announced("etc/a", "x"))), `path "etc/a": not absolute`},
		"climbs":             {packed(t, manifest(t, 1, announced("/etc/mailsetup/../shadow", "x"))), `path "/etc/mailsetup/../shadow": climbs with ".."`},
		"not clean":          {packed(t, manifest(t, 1, announced("/etc//a", "x"))), `path "/etc//a": is not clean`},
		"control character":  {packed(t, manifest(t, 1, announced("/etc/a\x1b", "x"))), `path "/etc/a\x1b": control character`},
		"twice announced":    {packed(t, manifest(t, 1, announced("/etc/a", "x"), announced("/etc/a", "x"))), "has /etc/a twice"},
		"negative":           {packed(t, manifest(t, 1, sized(-1))), "/etc/a: -1 octets are more than 1000"},
		"huge":               {packed(t, manifest(t, 1, sized(1<<60))), "/etc/a: 1152921504606846976 octets are more than 1000"},
		"huge together":      {packed(t, manifest(t, 1, announced("/a", strings.Repeat("x", 900)), announced("/b", strings.Repeat("x", 900)))), "has more than 1500 octets"},
		"setuid":             {packed(t, manifest(t, 1, mode("4755"))), `/etc/a: mode "4755": is not like 0600`},
		"another file":       {packed(t, manifest(t, 1, announced("/etc/a", "x")), file("files/etc/b", "x")), `has "files/etc/b" in the place of "files/etc/a"`},
		"another size":       {packed(t, manifest(t, 1, announced("/etc/a", "xy")), file("files/etc/a", "x")), "/etc/a: 1 octets, and its manifest says 2"},
		"longer than it said": {
			packed(t, manifest(t, 1, announced("/etc/a", "x")), file("files/etc/a", "xy")), `"files/etc/a": 2 octets are more than 1`,
		},
		"another content": {packed(t, manifest(t, 1, announced("/etc/a", "x")), file("files/etc/a", "y")), "/etc/a: is damaged: its hash is another one"},
		"a link":          {packed(t, manifest(t, 1, announced("/etc/a", "")), link), `"files/etc/a" is no regular file`},
		"a directory":     {packed(t, manifest(t, 1, announced("/etc/a", "")), dir), `"files/etc/a" is no regular file`},
		"not announced":   {packed(t, manifest(t, 1), file("files/etc/a", "y")), `has "files/etc/a", which its manifest does not have`},
		"goes on":         {append(made(t), "more"...), "goes on after its end"},
		"zeros for ever":  {append(made(t), make([]byte, 1<<21)...), "goes on after its end"},
	} {
		_, err := archive.Read(bytes.NewReader(tt.archive), limits)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if _, err := archive.Read(bytes.NewReader(packed(t, manifest(t, 9))), limits); !errors.Is(err, archive.ErrFormat) {
		t.Errorf("format 9: %v", err)
	}
}

// A sparse file takes a few octets here, and would be as long as its header says.
func TestSparse(t *testing.T) {
	e := file("files/etc/a", "x")
	e.header.Format, e.header.PAXRecords = tar.FormatPAX, map[string]string{"comment": "x"}
	text := packed(t, manifest(t, 1, announced("/etc/a", "x")), e)
	text = bytes.Replace(text, []byte("13 comment=x\n"), []byte("13 comment=x\n"), 1)
	if _, err := archive.Read(bytes.NewReader(text), limits); err != nil {
		t.Errorf("a comment: %v", err)
	}
	old := packed(t, manifest(t, 1, announced("/etc/a", "x")), file("files/etc/a", "x"))
	at := bytes.Index(old, []byte("files/etc/a"))
	old[at+156] = 'S' // of GNU tar, whose checksum changes by as much
	sum := 0
	copy(old[at+148:at+156], "        ")
	for _, c := range old[at : at+512] {
		sum += int(c)
	}
	copy(old[at+148:], []byte(strings.Repeat("0", 6)+"\x00 "))
	octal := []byte("000000")
	for i := 5; i >= 0; i-- {
		octal[i] = byte('0' + sum%8)
		sum /= 8
	}
	copy(old[at+148:], octal)
	if _, err := archive.Read(bytes.NewReader(old), limits); err == nil {
		t.Error("a sparse file of GNU tar is accepted")
	}
}

// Whatever it is given, it ends, and takes no more than it may.
func FuzzRead(f *testing.F) {
	f.Add(made(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := archive.Read(bytes.NewReader(text), limits)
		if err != nil {
			return
		}
		total := 0
		for p, content := range c.Files {
			if clean, err := state.ParsePath(string(p)); err != nil || clean != p {
				t.Errorf("path %q", p)
			}
			total += len(content)
		}
		if total > 1500 {
			t.Errorf("%d octets", total)
		}
	})
}
