package adopt

import (
	"fmt"

	"mailsetup/internal/detect/signer"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/edits"
	"mailsetup/internal/hint"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/state"
	signerstep "mailsetup/steps/signer"
)

// signerUser is the user that OpenDKIM runs as once it is taken over.
const signerUser = "opendkim"

// Process is how a running OpenDKIM reads its keys.
type Process struct {
	User      string // that it runs as
	StartUser string // that it began as
	// KeysLoaded: it has a KeyFile, which it reads when it begins. The keys of a
	// KeyTable it reads at each message.
	KeysLoaded bool
	SafeKeys   bool // RequireSafeKeys of opendkim.conf(5): it refuses keys that others could read
}

// RunningProcess returns the user that OpenDKIM runs as: that of its process, else -u,
// which takes precedence over UserID (opendkim(8)), else that of its unit.
func RunningProcess(f state.Facts, c opendkim.Conf) Process {
	_, table := c.Get("KeyTable")
	p := Process{StartUser: state.Root.User, KeysLoaded: !table, SafeKeys: !c.No("RequireSafeKeys")}
	o := f.OpenDKIM
	if o == nil {
		return p
	}
	texts := [][]byte{f.Files[o.Unit]}
	for _, dropIn := range o.DropIns {
		texts = append(texts, f.Files[dropIn])
	}
	if u := edits.Service("User", texts...); u != "" {
		p.StartUser = u
	}
	p.User = p.StartUser
	if id, ok := c.Get("UserID"); ok {
		p.User = userOf(id.Value)
	}
	for i, a := range o.Args {
		switch {
		case a == "-u" && i+1 < len(o.Args):
			p.User = userOf(o.Args[i+1])
		case len(a) > 2 && a[:2] == "-u":
			p.User = userOf(a[2:])
		}
	}
	if o.User != "" {
		p.User = o.User
	}
	return p
}

// userOf returns the user in user:group.
func userOf(word string) string {
	for i, r := range word {
		if r == ':' || r == '.' {
			return word[:i]
		}
	}
	return word
}

// cannotUse reports whether OpenDKIM cannot read a key, or refuses it.
func cannotUse(k signer.KeyFile, safeKeys bool) bool {
	return k.Unreadable != "" || safeKeys && k.Unsafe != ""
}

// Handover says what happens to the file of a key that is taken over.
type Handover int

const (
	// KeepFile: the file stays as it is, since both the present and the future user can
	// use it.
	KeepFile Handover = iota
	// GiveFile: the file gets the owner and mode that OpenDKIM needs; it is opendkim's
	// user who signs with it already.
	GiveFile
	// CopyFile: mailsetup makes a copy in a directory of its own. The file stays, for
	// the OpenDKIM that still runs and for a rollback.
	CopyFile
)

// HandOver decides what happens to a key file: now is the file as the running process
// sees it, and then as opendkim's user does. A key that the process cannot read is
// refused: nobody signs with it, and a user who may write a table must not get a file
// of root's by naming it there.
func HandOver(p Process, now, then signer.KeyFile) (Handover, error) {
	unusable := func(remedy, why string) error {
		return hint.New(remedy, "OpenDKIM runs as %s and cannot use it: %s", p.User, why)
	}
	own := fmt.Sprintf("chown %s: %s", p.User, now.Path)
	elsewhere := fmt.Sprintf("put it into a directory of root's or of %s where nobody else can write, as %s and with mode 600, and name that", p.User, p.User)
	loaded := p.KeysLoaded && p.StartUser == state.Root.User
	switch {
	case now.Unreadable != "" && !loaded && now.Directory != "":
		return KeepFile, unusable(elsewhere, now.Unreadable)
	case now.Unreadable != "" && !loaded:
		return KeepFile, unusable("name another file, or if this is its key: "+own, now.Unreadable)
	case now.Unreadable == "" && p.SafeKeys && now.Unsafe != "" && now.Directory != "":
		return KeepFile, unusable(elsewhere, now.Unsafe)
	case now.Unreadable == "" && p.SafeKeys && now.Unsafe != "" && p.User != signerUser:
		return KeepFile, unusable("if nothing else reads it: "+own+" && chmod 600 "+string(now.Path), now.Unsafe)
	case !cannotUse(then, p.SafeKeys):
		return KeepFile, nil
	case p.User == signerUser && then.Directory == "":
		return GiveFile, nil
	}
	return CopyFile, nil
}

// copyPath returns the path for a copy of a key: below a directory of mailsetup's,
// since the directories of the domains may belong to somebody else.
func copyPath(domain, selector string) state.Path {
	return signerstep.KeyDir.Join("adopted", dnsname.Key(selector, domain)+".private")
}
