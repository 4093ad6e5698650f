package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	// fewFiles are read again rather than remembered anew.
	fewFiles = 200
	// justNow is how old a change has to be before a file counts as known: the
	// clock of a file system does not tell two within a tick apart.
	justNow = 2 * time.Second
)

// stamper tells whether files may have changed.
type stamper interface {
	Stamp(p state.Path) (system.Stamp, bool)
}

// recall are the files of a directory that are named after domains, sorted.
// With ten thousand of them, reading takes most of a run's time, and they
// rarely change: what they said is kept in one file, and of each is asked
// whether it is still the one that was read.
type recall struct {
	memory state.Path // where it is kept
	files  []recalled
	fresh  int // files that had to be read
}

// recalled is one of the files. Its content may be a short form of what the file
// says.
type recalled struct {
	domainFile
	stamp system.Stamp // zero for a file that is not to be remembered
	known bool         // its content comes from the memory
}

// recallFiles reads the files of a directory: at first those that are not as
// remembered, later in a run all, since most are what the run itself wrote.
func (s *session) recallFiles(dir state.Path, extension string) (*recall, error) {
	r := &recall{memory: plan.Home.Join("read" + extension)}
	domains, err := s.domainsIn(dir, extension)
	if err != nil {
		return nil, err
	}
	r.files = make([]recalled, len(domains))
	for i, domain := range domains {
		r.files[i].domain = domain
	}
	stamps, able := s.Sys.(stamper)
	_, again := s.recalls[r.memory]
	if able = able && !again && len(domains) > fewFiles; able {
		o, err := s.Sys.Read(r.memory)
		if err != nil {
			return nil, err
		}
		r.fill(o.Content)
	}
	var fresh atomic.Int64
	err = sideBySide(len(domains), processors(), func(i int) (err error) {
		p, f := dir.Join(domains[i]+extension), &r.files[i]
		began, stamp := time.Now(), system.Stamp{}
		if able {
			stamp, _ = stamps.Stamp(p)
		}
		if f.known && f.stamp == stamp {
			return nil
		}
		fresh.Add(1)
		if began.Sub(time.Unix(0, stamp.Changed)) < justNow {
			stamp = system.Stamp{}
		}
		f.known, f.stamp = false, stamp
		f.Object, err = s.Sys.Read(p)
		return err
	})
	r.fresh = int(fresh.Load())
	if s.recalls == nil {
		s.recalls = map[state.Path]*recall{}
	}
	switch {
	case able && r.fresh > fewFiles && !s.o.dryRun:
		s.recalls[r.memory] = r
	case !again:
		s.recalls[r.memory] = nil // what is known already
	}
	return r, err
}

// remembered keeps what files said for the next run, if that has changed in
// many of them. Without it that run takes longer, and no more.
func (s *session) remembered() {
	for path, r := range s.recalls {
		if r == nil {
			continue
		}
		if err := s.jot(memo{path, r.marshal()}); err != nil {
			s.c.say("the next run will read all files again: %v", err)
		}
		s.recalls[path] = nil
	}
}

// marshal has one line for each file, and its text after that.
func (r *recall) marshal() []byte {
	var b bytes.Buffer
	for _, f := range r.files {
		if f.stamp == (system.Stamp{}) || f.Kind != state.Regular {
			continue
		}
		s := f.stamp
		fmt.Fprintf(&b, "%s %x %x %x %x %o %s %s %d\n", f.domain, s.Inode, s.Size, uint64(s.Modified), uint64(s.Changed),
			uint32(f.Mode), f.Owner.User, f.Owner.Group, len(f.Content))
		b.Write(f.Content)
	}
	return b.Bytes()
}

// fill takes what is remembered of the files, up to anything that is not
// understood. Both are sorted by name.
func (r *recall) fill(text []byte) {
	files := r.files
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		f, length, ok := parseRecalledLine(string(line))
		if !ok || length > len(rest) {
			return
		}
		f.Content, text = rest[:length:length], rest[length:]
		for len(files) > 0 && files[0].domain < f.domain {
			files = files[1:]
		}
		if len(files) > 0 && files[0].domain == f.domain {
			files[0] = f
		}
	}
}

func parseRecalledLine(line string) (f recalled, length int, ok bool) {
	w := words{rest: line}
	f.domain = w.next()
	f.stamp = system.Stamp{
		Inode: w.number(16), Size: int64(w.number(16)), Modified: int64(w.number(16)), Changed: int64(w.number(16)),
	}
	f.Kind, f.Mode = state.Regular, fs.FileMode(w.number(8))
	f.Owner = state.Owner{User: w.next(), Group: w.next()}
	length = int(w.number(10))
	f.known = true
	return f, length, w.err == nil && w.rest == "" && length >= 0
}

// words are taken from a line one after the other.
type words struct {
	rest string
	err  error
}

func (w *words) next() (word string) {
	word, w.rest, _ = strings.Cut(w.rest, " ")
	return word
}

func (w *words) number(base int) uint64 {
	n, err := strconv.ParseUint(w.next(), base, 64)
	w.err = cmp.Or(w.err, err)
	return n
}
