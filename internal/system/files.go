package system

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"mailsetup/internal/state"
)

// MaxFile is the largest file that is read into memory, in bytes. A zone of a
// million records fits; a log that someone named main.cf does not.
const MaxFile = 64 << 20

// modeBits are the bits of a mode that are reported and set.
const modeBits = fs.ModePerm | fs.ModeSetgid | fs.ModeSetuid | fs.ModeSticky

// owners translates between names and numbers of owners.
type owners interface {
	// of names the owner of what stands at p, and corrects the mode where the
	// tree cannot hold it.
	of(p state.Path, fi fs.FileInfo) (state.Owner, fs.FileMode, error)
	// resolve fails for a name that does not exist, before anything is made.
	resolve(o state.Owner) (id, error)
	// set gives the open object its owner, then its mode.
	set(f *os.File, p state.Path, o state.Object, who id) error
	moved(from, to state.Path)
	removed(p state.Path)
}

// files implements Reader and Writer for one tree.
type files struct {
	tree   tree
	owners owners
	// parents makes missing directories on the way (an image, which may start
	// out empty).
	parents bool
}

// Read implements Reader. When the content cannot be read, the object comes
// back without it, together with the error.
func (s *files) Read(p state.Path) (state.Object, error) {
	o, err := s.Stat(p)
	if err != nil {
		return o, err
	}
	switch o.Kind {
	case state.Regular:
		o.Content, err = s.content(p, syscall.O_NOFOLLOW)
	case state.Symlink:
		var target string
		target, err = s.tree.readlink(p)
		o.Content = []byte(target)
	}
	return o, failure("read", p, err)
}

// Stat implements Reader.
func (s *files) Stat(p state.Path) (state.Object, error) {
	fi, err := s.tree.lstat(p)
	if nothingThere(err) {
		return state.Object{}, nil
	}
	if err != nil {
		return state.Object{}, failure("read", p, err)
	}
	o := state.Object{Kind: kindOf(fi.Mode())}
	o.Owner, o.Mode, err = s.owners.of(p, fi)
	return o, failure("read", p, err)
}

func kindOf(m fs.FileMode) state.Kind {
	switch m.Type() {
	case 0:
		return state.Regular
	case fs.ModeDir:
		return state.Directory
	case fs.ModeSymlink:
		return state.Symlink
	}
	return state.Special
}

var errIrregular = errors.New("not a regular file")

var errTooLarge = fmt.Errorf("larger than %d MiB", MaxFile>>20)

// content reads a regular file. O_NONBLOCK: a pipe that replaced the file since it was
// examined must not block.
func (s *files) content(p state.Path, flag int) ([]byte, error) {
	f, err := s.tree.openFile(p, os.O_RDONLY|syscall.O_NONBLOCK|flag)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := fi.Size()
	switch {
	case !fi.Mode().IsRegular():
		return nil, errIrregular
	case size > MaxFile:
		return nil, errTooLarge
	}
	whole := make([]byte, size+1)
	n, err := f.Read(whole)
	if err == nil && int64(n) == size {
		return whole[:n], nil
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	// It changes while it is read, or does not tell its size.
	data := bytes.NewBuffer(whole[:n])
	if _, err := data.ReadFrom(io.LimitReader(f, MaxFile+1)); err != nil {
		return nil, err
	}
	if data.Len() > MaxFile {
		return nil, errTooLarge
	}
	return data.Bytes(), nil
}

// List implements Reader.
func (s *files) List(p state.Path) ([]string, error) {
	d, err := s.tree.openFile(p, os.O_RDONLY|syscall.O_DIRECTORY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure("list", p, err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, failure("list", p, err)
	}
	slices.Sort(names)
	return names, nil
}

// Create implements Writer.
func (s *files) Create(p state.Path, o state.Object) error {
	if o.Kind != state.Regular {
		return failure("create", p, fmt.Errorf("an object of kind %q is not a regular file", o.Kind))
	}
	who, err := s.owners.resolve(o.Owner)
	if err == nil {
		err = s.makeParents(p)
	}
	if err != nil {
		return failure("create", p, err)
	}
	f, err := s.tree.openToChange(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return failure("create", p, err)
	}
	err = s.fill(f, p, o, who)
	if err != nil {
		// The file is ours: O_EXCL made it.
		err = errors.Join(err, s.tree.remove(p))
	}
	return failure("create", p, err)
}

// fill writes the content while the file belongs to root alone, then sets owner and
// mode.
func (s *files) fill(f *os.File, p state.Path, o state.Object, who id) error {
	_, err := f.Write(o.Content)
	if err == nil {
		err = s.owners.set(f, p, o, who)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Mkdir implements Writer.
func (s *files) Mkdir(p state.Path, o state.Object) error {
	if o.Kind != state.Directory {
		return failure("mkdir", p, fmt.Errorf("an object of kind %q is not a directory", o.Kind))
	}
	who, err := s.owners.resolve(o.Owner)
	if err == nil {
		err = s.makeParents(p)
	}
	if err == nil {
		err = s.tree.mkdir(p)
	}
	if err != nil {
		return failure("mkdir", p, err)
	}
	if err = s.setMeta(p, o, who); err != nil {
		err = errors.Join(err, s.tree.remove(p))
	}
	return failure("mkdir", p, err)
}

// makeParents makes the directories above p, root's with mode 0755.
func (s *files) makeParents(p state.Path) error {
	dir := p.Dir()
	if !s.parents || dir == p {
		return nil
	}
	if _, err := s.tree.lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil // what is wrong with it, the operation itself will tell
	}
	return s.Mkdir(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
}

// SetMeta implements Writer. It works on the opened object, so that nobody who can
// write to the directory can redirect it to another one.
func (s *files) SetMeta(p state.Path, o state.Object) error {
	who, err := s.owners.resolve(o.Owner)
	if err == nil {
		err = s.setMeta(p, o, who)
	}
	return failure("set owner and mode of", p, err)
}

func (s *files) setMeta(p state.Path, o state.Object, who id) error {
	fi, err := s.tree.lstat(p)
	if err != nil {
		return err
	}
	if k := kindOf(fi.Mode()); k != state.Regular && k != state.Directory {
		return fmt.Errorf("refused for a %s", k)
	}
	f, err := s.tree.openToChange(p, os.O_RDONLY|syscall.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.owners.set(f, p, o, who)
}

// Rename implements Writer.
func (s *files) Rename(from, to state.Path) error {
	if err := s.tree.rename(from, to); err != nil {
		return failure("rename", from, fmt.Errorf("to %s: %w", to, cause(err)))
	}
	s.owners.moved(from, to)
	return nil
}

// Remove implements Writer.
func (s *files) Remove(p state.Path) error {
	if err := s.tree.remove(p); err != nil {
		return failure("remove", p, err)
	}
	s.owners.removed(p)
	return nil
}

// Append implements Writer. It first ends a line that an earlier crash cut short, and
// removes one that does not fit on the disk.
func (s *files) Append(p state.Path, line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if bytes.IndexByte(line, '\n') >= 0 {
		return failure("append to", p, errors.New("more than one line"))
	}
	if err := s.makeParents(p); err != nil {
		return failure("append to", p, err)
	}
	_, err := s.tree.lstat(p)
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := s.tree.openToChange(p, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK)
	if err != nil {
		return failure("append to", p, err)
	}
	err = appendLine(f, line)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && fresh {
		err = s.syncOne(p.Dir())
	}
	return failure("append to", p, err)
}

func appendLine(f *os.File, line []byte) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	text := append(slices.Clone(line), '\n')
	if size := fi.Size(); size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Truncate(fi.Size()))
	}
	return f.Sync()
}
