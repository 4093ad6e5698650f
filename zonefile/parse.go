package zonefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
)

// defaultTTL is for records of a zone that gives no TTL at all.
const defaultTTL = 3600

// Parse reads a zone with its directives ($ORIGIN, $TTL, $INCLUDE,
// $GENERATE). Include returns the text of an included file, whose path is as
// written; nil refuses includes. Owner names come back absolute and in lower
// case, TXT values joined and unescaped, other data as RFC 1035 prints it.
func Parse(text []byte, origin string, include func(path string) ([]byte, error)) ([]state.Record, error) {
	files := &includes{read: include}
	text, err := files.rewrite(text)
	if err != nil {
		return nil, fmt.Errorf("parse zone %s: %w", origin, err)
	}
	zp := dns.NewZoneParser(bytes.NewReader(text), origin, "")
	zp.SetDefaultTTL(defaultTTL)
	zp.SetIncludeAllowed(true)
	zp.SetIncludeFS(files)
	var records []state.Record
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		r := record(rr)
		if r.Value == "" && r.Type != "TXT" {
			return nil, fmt.Errorf("parse zone %s: %s %s: no data", origin, r.Name, r.Type)
		}
		records = append(records, r)
	}
	if err := zp.Err(); err != nil {
		return nil, fmt.Errorf("parse zone %s: %w", origin, err)
	}
	return records, nil
}

func record(rr dns.RR) state.Record {
	h := rr.Header()
	value := strings.TrimPrefix(rr.String(), h.String())
	if txt, ok := rr.(*dns.TXT); ok {
		value = Unescape(strings.Join(txt.Txt, ""))
	}
	return state.Record{
		Name:  dns.CanonicalName(h.Name),
		Type:  dns.Type(h.Rrtype).String(),
		TTL:   h.Ttl,
		Value: value,
	}
}

// includes gives the parser the included files under numbers: it reads
// neither quoted paths nor paths that fs.FS calls invalid.
type includes struct {
	read  func(path string) ([]byte, error)
	paths []string
}

// Open implements fs.FS.
func (f *includes) Open(name string) (fs.File, error) {
	n, err := strconv.Atoi(name)
	if err != nil || n < 0 || n >= len(f.paths) {
		return nil, fs.ErrNotExist
	}
	if f.read == nil {
		return nil, errors.New("includes are not read here")
	}
	text, err := f.read(f.paths[n])
	if err != nil {
		return nil, fmt.Errorf("$INCLUDE %q: %w", f.paths[n], err)
	}
	if text, err = f.rewrite(text); err != nil {
		return nil, fmt.Errorf("$INCLUDE %q: %w", f.paths[n], err)
	}
	return &file{*bytes.NewReader(text)}, nil
}

// rewrite replaces the paths of includes by their numbers.
func (f *includes) rewrite(text []byte) ([]byte, error) {
	var splices []splice
	for e, err := range entries(text) {
		if err != nil {
			return nil, err
		}
		if e.directive() != "$INCLUDE" {
			continue
		}
		if len(e.tokens) < 2 {
			return nil, fmt.Errorf("line %d: $INCLUDE without a path", e.line)
		}
		at := e.tokens[1]
		splices = append(splices, splice{at.start, at.end, "/" + strconv.Itoa(len(f.paths))})
		f.paths = append(f.paths, at.text)
	}
	return bytes.ReplaceAll(replace(text, splices), []byte("\r\n"), []byte("\n")), nil
}

// file is an included text as fs.File.
type file struct{ bytes.Reader }

func (*file) Stat() (fs.FileInfo, error) { return info{}, nil }
func (*file) Close() error               { return nil }

type info struct{}

func (info) Name() string       { return "" }
func (info) Size() int64        { return 0 }
func (info) Mode() fs.FileMode  { return 0o444 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }
