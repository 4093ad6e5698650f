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

// Process is how an OpenDKIM that was set up by hand gets at its keys.
type Process struct {
	User      string // that it runs as
	StartUser string // that it began as
	// KeysLoaded: it has a KeyFile, which it reads when it begins. The keys of a
	// KeyTable it reads at each message.
	KeysLoaded bool
	SafeKeys   bool // RequireSafeKeys of opendkim.conf(5): it refuses keys that others could read
}

// RunningProcess returns what OpenDKIM runs as, or would: its process tells, else
// -u, which counts for more than UserID (opendkim(8)), else its unit.
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

// userOf returns the user of user:group.
func userOf(word string) string {
	for i, r := range word {
		if r == ':' || r == '.' {
			return word[:i]
		}
	}
	return word
}

// cannotUse reports whether OpenDKIM cannot use a key.
func cannotUse(k signer.KeyFile, safeKeys bool) bool {
	return k.Unreadable != "" || safeKeys && k.Unsafe != ""
}

// Handover is what becomes of the file of a key that is taken over.
type Handover int

const (
	// KeepFile as it is: whom OpenDKIM runs as now and whom it will can use it.
	KeepFile Handover = iota
	// GiveFile to opendkim, which signs with it already, with a mode that suits.
	GiveFile
	// CopyFile to a directory of mailsetup. The file stays, so that the OpenDKIM that
	// runs can use it until the other one does, and again after a rollback.
	CopyFile
)

// HandOver decides about a key that a process uses now and the user opendkim will:
// now and then are the file as either of them finds it. A key that the process cannot use is refused: nobody signs with it, and who
// writes a table must not be given a file of root's by naming it there.
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

// copyPath returns where a copy of a key goes that opendkim could not use where it
// is: a directory of its own, since those of the domains may be somebody else's
// still.
func copyPath(domain, selector string) state.Path {
	return signerstep.KeyDir.Join("adopted", dnsname.Key(selector, domain)+".private")
}
