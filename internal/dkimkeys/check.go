package dkimkeys

import (
	"bytes"
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	detect "mailsetup/internal/detect/signer"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
	"mailsetup/steps/exim"
	"mailsetup/steps/signer"
)

// CheckAll checks the private keys that sign for the domains, and returns the error of
// each domain that fails, a *state.DomainErrors. Mail of such a domain is deferred, and
// a new key could not sign at once: a rotation is the way to one that can. Keys for
// which except returns true are not checked.
func CheckAll(files system.Reader, domains []spec.Domain, ledger keyring.Ledger, except func(domain string, k keyring.Key) bool) error {
	lost := make([]error, len(domains))
	err := parallel.Do(len(domains), runtime.GOMAXPROCS(0), func(i int) error {
		domain := domains[i].Name
		if k, ok := ledger.Signing(domain); ok && k.File != "" && !except(domain, k) {
			lost[i] = Check(files, domain, k)
		}
		return nil
	})
	failed := state.DomainErrors{}
	for i, d := range domains {
		if lost[i] != nil {
			failed[d.Name] = lost[i]
		}
	}
	return cmp.Or(err, failed.Err())
}

// Check reports why OpenDKIM cannot sign with a key: its file is gone, belongs to
// somebody else, or others could read it.
func Check(files system.Reader, domain string, k keyring.Key) error {
	effect := "is not accepted"
	if programOf(k.File) == "exim4" {
		effect = "leaves unsigned"
	}
	effect = "its mail " + effect
	if k.Stage == keyring.Published { // another one signs
		effect = strings.NewReplacer("is not", "would not be", "leaves", "would leave").Replace(effect)
	}
	o, err := files.Stat(state.Path(k.File))
	if err != nil || o.Kind == state.Absent {
		return cmp.Or(err, hint.New(restore(domain), "%s, the private key of %s, is gone: %s", k.File, domain, effect))
	}
	if o.Kind != state.Regular && !k.Adopted { // chown would follow a link, and give its target away
		return hint.New("remove it; then "+restore(domain), "%s, the private key of %s, is a %s, not the key itself: %s", k.File, domain, o.Kind, effect)
	}
	if o.Owner.User != userOf(k.File) && !k.Adopted {
		return hint.New(own(k.File), "%s, the private key of %s, belongs to %s: %s cannot use it, and %s", k.File, domain, o.Owner.User, programOf(k.File), effect)
	}
	if o.Mode.Perm()&0o077 != 0 && !k.Adopted { // RequireSafeKeys, opendkim.conf(5)
		return hint.New(own(k.File), "%s, the private key of %s, has mode %04o: %s", k.File, domain, o.Mode.Perm(), others(k.File, effect))
	}
	return nil
}

// others says what follows from a key that others could read: Exim does not mind.
func others(file, effect string) string {
	if programOf(file) == "exim4" {
		return "others could read it, and sign in the name of the domain"
	}
	return "OpenDKIM refuses keys that others could read, and " + effect
}

// userOf returns whom the program runs as that signs with a key, and programOf names it.
func userOf(file string) string { return signer.OwnerOf(state.Path(file)).User }

func programOf(file string) string {
	if userOf(file) == signer.EximOwner.User {
		return "exim4"
	}
	return "OpenDKIM"
}

// own gives a file to the signer alone.
func own(file string) string { return "chown " + userOf(file) + ": " + file + " && chmod 600 " + file }

// restore says how a domain gets a key that signs.
func restore(domain string) string {
	return "put the file back from a backup; without one, mailsetup rotate-dkim --compromised " + domain + " makes another key and revokes this one"
}

// CheckContent checks what Check does, and that the file has the private key of the
// record. It reads the file: a parsed key takes a fifth of a millisecond.
func CheckContent(files system.Reader, domain string, k keyring.Key) error {
	if err := Check(files, domain, k); err != nil {
		return err
	}
	return CheckMatchesRecord(files, domain, k)
}

// UnusableFile is what tables say of a key that signs and that CheckContent refuses.
const UnusableFile = "unusable"

// maxKeysRead is how many keys Unusable reads: each takes 0.2 ms of a processor. Of more
// it looks at the files only; rotate-dkim reads a share of all keys in each run.
const maxKeysRead = 100

// Unusable returns the errors of CheckContent of the keys that sign, by domain; of more
// than maxKeysRead domains those of Check.
func Unusable(files system.Reader, ledger keyring.Ledger, includes func(domain string) bool) map[string]error {
	names := slices.DeleteFunc(slices.Collect(maps.Keys(ledger)), func(name string) bool { return !includes(name) })
	check := CheckContent
	if len(names) > maxKeysRead {
		check = Check
	}
	errs := make([]error, len(names))
	_ = parallel.Do(len(names), runtime.GOMAXPROCS(0), func(i int) error {
		if k, ok := ledger.Signing(names[i]); ok && k.File != "" {
			errs[i] = check(files, names[i], k)
		}
		return nil
	})
	unusable := map[string]error{}
	for i, name := range names {
		if errs[i] != nil {
			unusable[name] = errs[i]
		}
	}
	return unusable
}

// Diagnose reports why OpenDKIM does not sign with a key, nil where its file is as it
// should be. It reads the file and looks at each directory on the way: Check is for all
// keys of a server.
func Diagnose(files system.Reader, domain string, k keyring.Key) error {
	if err := CheckContent(files, domain, k); err != nil {
		return err
	}
	f, err := detect.Key(files, state.Path(k.File), userOf(k.File))
	if err != nil {
		return err
	}
	dir, why := string(f.Directory), cmp.Or(f.Unreadable, f.Unsafe)
	switch {
	case f.Unreadable == "" && (f.Unsafe == "" || k.Adopted):
		return nil
	case dir == "":
		return hint.New(own(k.File), "%s", why)
	case strings.HasPrefix(dir+"/", string(signer.KeyDir)+"/"), strings.HasPrefix(dir+"/", string(signer.EximKeyDir)+"/"):
		return hint.New("chown "+userOf(k.File)+": "+dir+" && chmod 700 "+dir, "%s", why)
	case f.Unreadable != "":
		return hint.New("chmod o+x "+dir, "%s", why)
	}
	return hint.New("chown root: "+dir+" && chmod go-w "+dir, "%s", why)
}

// CheckMatchesRecord checks that a private key of a domain belongs to the public key of
// its record.
func CheckMatchesRecord(files system.Reader, domain string, k keyring.Key) error {
	text, err := detect.KeyText(files, state.Path(k.File)) // a key that was adopted may be a link
	if err != nil {
		return err
	}
	key, err := keygen.Parse(text)
	switch {
	case err != nil:
		return hint.New(restore(domain), "%s is no private key: %w", k.File, err)
	case key.Public() != k.Public:
		return hint.New(restore(domain), "%s is not the private key of the record %s in DNS", k.File, k.Selector)
	}
	return nil
}

// Resumable returns the key with which a domain that was removed and comes back signs
// again. Seen is when all name servers first had the record of a key, by selector, for
// keys whose ledger entry does not say so.
func Resumable(files system.Reader, domain string, keys []keyring.Key, seen map[string]time.Time) (keyring.Key, bool) {
	keys = slices.Clone(keys)
	for i, k := range keys {
		if k.Seen.IsZero() {
			keys[i].Seen = seen[k.Selector]
		}
	}
	return keyring.Resumable(keys, func(k keyring.Key) bool {
		return CheckContent(files, domain, k) == nil
	})
}

// Unused is the stage of an active key that no row of OpenDKIM's tables names.
const Unused keyring.Stage = "unused"

// StageWithoutFile returns the stage of a key whose domain has no file: "unused"
// for an active one that OpenDKIM's tables do not name any more.
func StageWithoutFile(files system.Reader, domain string, k keyring.Key) keyring.Stage {
	table, row := signer.KeyTable, "\n"+k.Selector+"._domainkey."+domain+" "
	if userOf(k.File) == signer.EximOwner.User {
		table, row = exim.Table, ": "+domain+" "+k.Selector+" "
	}
	o, err := files.Read(table)
	if k.Stage == keyring.Active && err == nil && !bytes.Contains(append([]byte("\n"), o.Content...), []byte(row)) {
		return Unused
	}
	return k.Stage
}
