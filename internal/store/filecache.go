package store

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// The cache holds what the files of the domains said, so that files that did not
// change are neither opened nor parsed by the decoders. Measured with 10,000
// domains on a booted server with two processors, without it: a run of init that
// finds nothing to do takes 1.20 s instead of 0.98, and a tick with nothing due
// 0.50 instead of 0.37.

const (
	// minCachedFiles is the number of changed files up to which the cache is not
	// written anew.
	minCachedFiles = 200
	// timestampGranularity is the age of a change from which a stamp tells of the next
	// one: the clock of a file system does not distinguish changes within a tick.
	timestampGranularity = 2 * time.Second
)

// stamper returns stamps by which changed files are recognised.
type stamper interface {
	Stamp(p state.Path) (system.Stamp, bool)
}

// WithCache returns a store that reads unchanged domain files from the cache. If many
// files changed, it writes the cache anew and calls failed if that fails; failed is nil
// if nothing may be written. Later in a run the store without cache is better, since
// most files are then those that the run wrote.
func (s Store) WithCache(failed func(error)) Store {
	s.cached, s.cacheFailed = true, failed
	return s
}

// domainFiles are the files in a directory that are named after domains, sorted.
type domainFiles struct {
	list      []domainFile
	cache     state.Path
	changed   int  // files that had to be read
	hasStamps bool // there are stamps to go by
}

// domainFile is a file named after a domain. Its content may be the short form in the
// cache.
type domainFile struct {
	domain string
	state.Object
	stamp  system.Stamp // zero for a file that is not to be cached
	cached bool         // the content comes from the cache
}

// misplaced is the error for something that is no file, at the path of one.
func (f domainFile) misplaced(p state.Path) error {
	if f.Kind == state.Regular || f.Kind == state.Absent {
		return nil
	}
	return system.Misplaced(p, f.Object, state.Regular)
}

// hasMode reports whether the file has the mode and the owner that we give it.
func (f domainFile) hasMode(mode fs.FileMode) bool { return f.Mode == mode && f.Owner == state.Root }

// readDomainFiles reads the files of a directory concurrently: with many domains this
// takes most of a run.
func (s Store) readDomainFiles(dir state.Path, extension string, cache state.Path) (domainFiles, error) {
	domains, err := domainsIn(s.files, dir, extension)
	if err != nil {
		return domainFiles{}, err
	}
	files := domainFiles{list: make([]domainFile, len(domains)), cache: cache}
	for i, domain := range domains {
		files.list[i].domain = domain
	}
	_, able := s.files.(stamper)
	if files.hasStamps = able && s.cached && len(domains) > minCachedFiles; files.hasStamps {
		text, err := system.ReadFile(s.files, cache)
		if err != nil {
			return domainFiles{}, err
		}
		applyCache(files.list, text)
	}
	var fresh atomic.Int64
	err = parallel.Do(len(domains), runtime.GOMAXPROCS(0), func(i int) (err error) {
		p, f := dir.Join(domains[i]+extension), &files.list[i]
		now := system.Stamp{}
		if files.hasStamps {
			now = stampOf(s.files, p)
		}
		if f.cached && f.stamp == now {
			return nil
		}
		fresh.Add(1)
		f.cached, f.stamp = false, tellsOfChanges(now)
		f.Object, err = s.files.Read(p)
		return err
	})
	files.changed = int(fresh.Load())
	return files, err
}

// stampOf returns the stamp of a file, zero where there is none to go by.
func stampOf(on Files, p state.Path) (now system.Stamp) {
	if stamps, able := on.(stamper); able {
		now, _ = stamps.Stamp(p)
	}
	return now
}

// tellsOfChanges returns the stamp of a file that is read next, or zero if a change right
// after that could leave the file with the same one.
func tellsOfChanges(now system.Stamp) system.Stamp {
	if time.Since(time.Unix(0, now.Changed)) < timestampGranularity {
		return system.Stamp{}
	}
	return now
}

// saveCache writes the cache anew if many files were read, with an equivalent text of
// each.
func (s Store) saveCache(files domainFiles, text func(i int) []byte) {
	if !files.hasStamps || files.changed <= minCachedFiles || s.cacheFailed == nil || !s.Exists() {
		return
	}
	err := makeDir(s.files, state.CacheDir)
	if err == nil {
		err = s.writeAtomic(ownFile{files.cache, files.marshal(text)})
	}
	if err != nil {
		s.cacheFailed(err)
	}
}

// marshal writes a line for each file, and its text after that.
func (files domainFiles) marshal(text func(i int) []byte) []byte {
	var b bytes.Buffer
	for i, f := range files.list {
		if f.stamp == (system.Stamp{}) || f.Kind != state.Regular {
			continue
		}
		content := text(i)
		fmt.Fprintf(&b, "%s %s %o %s %s %d\n", f.domain, marshalStamp(f.stamp), uint32(f.Mode), f.Owner.User, f.Owner.Group, len(content))
		b.Write(content)
	}
	return b.Bytes()
}

// applyCache takes contents from the cache, up to anything that it cannot parse. Both
// are sorted by name.
func applyCache(files []domainFile, text []byte) {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		f, length, ok := parseCacheLine(string(line))
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

func parseCacheLine(line string) (f domainFile, length int, ok bool) {
	w := lineFields{rest: line}
	f.domain = w.next()
	f.stamp = w.stamp()
	f.Kind, f.Mode = state.Regular, fs.FileMode(w.number(8))
	f.Owner = state.Owner{User: w.next(), Group: w.next()}
	length = int(w.number(10))
	f.cached = true
	return f, length, w.err == nil && w.rest == "" && length >= 0
}

// marshalStamp writes a stamp as four fields.
func marshalStamp(s system.Stamp) string {
	return fmt.Sprintf("%x %x %x %x", s.Inode, s.Size, uint64(s.Modified), uint64(s.Changed))
}

// lineFields takes fields from a line one after the other.
type lineFields struct {
	rest string
	err  error
}

func (w *lineFields) next() (word string) {
	word, w.rest, _ = strings.Cut(w.rest, " ")
	return word
}

func (w *lineFields) number(base int) uint64 {
	n, err := strconv.ParseUint(w.next(), base, 64)
	w.err = cmp.Or(w.err, err)
	return n
}

// stamp takes what marshalStamp wrote.
func (w *lineFields) stamp() system.Stamp {
	return system.Stamp{Inode: w.number(16), Size: int64(w.number(16)), Modified: int64(w.number(16)), Changed: int64(w.number(16))}
}
