package live

import (
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	detect "mailsetup/internal/detect/signer"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// maxKeysRead is how many domains' keys are read and parsed; of more only owner and mode
// are looked at.
const maxKeysRead = 100

// keys checks whether OpenDKIM can use the private keys that sign.
func (c toSigner) keys(domains []subject.Domain) {
	c.badKeys = map[string]bool{}
	if c.s.Unprivileged {
		if c.signs() {
			c.add(finding.Finding{
				ID: "live.keys", Severity: finding.Unknown, Seen: "only root can look at private keys", Remedy: finding.Command("sudo mailsetup check --only live.keys"),
			})
		}
		return
	}
	if !c.s.SetUp {
		c.foreignKeys()
		return
	}
	check := dkimkeys.Diagnose
	if len(domains) > maxKeysRead {
		check = dkimkeys.Check
	}
	for _, d := range domains {
		k, signs := c.s.Ledger.Signing(d.Name)
		if !signs || k.File == "" || d.Wanted != nil && d.Wanted.SignedBy == spec.ByOther {
			continue
		}
		c.key(d.Name, k, check(c.m, d.Name, k))
	}
}

func (c toSigner) key(domain string, k keyring.Key, err error) {
	f := finding.Finding{ID: "live.keys", Severity: finding.OK, Domain: domain, Subject: k.File, Seen: c.program() + " can use it, and nobody else"}
	if err != nil {
		c.badKeys[domain] = true
		f.Severity, f.Seen, f.Expected = finding.Problem, err.Error(), "a file of mode 0600 that only "+c.program()+" reads"
		f.Remedy = finding.Advice(hint.Of(err)...)
		if strings.Contains(f.Seen, "is not the private key of the record") {
			f.CausedBy, f.Expected = "dkim.match", "the private key of the record"
		}
	}
	c.add(f)
}

// foreignKeys checks the keys of an OpenDKIM that mailsetup has not set up.
func (c toSigner) foreignKeys() {
	o := c.s.Facts.OpenDKIM
	if o == nil || !c.signs() {
		return
	}
	read := func(p string) ([]byte, error) {
		at, err := state.ParsePath(p)
		if err != nil {
			return nil, err
		}
		return c.text(at), nil
	}
	user := o.User
	if user == "" {
		user = "opendkim"
	}
	for _, file := range keyFiles(read) {
		at, err := state.ParsePath(file)
		if err != nil {
			continue
		}
		f := finding.Finding{ID: "live.keys", Severity: finding.OK, Subject: file, Seen: "OpenDKIM can use it, and nobody else"}
		k, err := detect.Key(c.m, at, user)
		why := k.Unreadable
		if why == "" {
			why = k.Unsafe
		}
		if err != nil {
			why = err.Error()
		}
		if why != "" {
			f.Severity, f.Seen, f.Expected = finding.Problem, why, "a file of mode 0600 that only OpenDKIM reads"
			f.Remedy = finding.Command("chown %s %s && chmod 600 %s", user+":", file, file)
			if k.Unsafe != "" && k.Unreadable == "" {
				f.Why = "OpenDKIM refuses keys that others could read (RequireSafeKeys)."
			}
		}
		c.add(f)
	}
}

// keyFiles returns the private keys that a configuration names, a few at most.
func keyFiles(read opendkim.Read) []string {
	conf, _ := opendkim.ParseConf("/etc/opendkim.conf", read) // what can be read of it
	var files []string
	if s, ok := conf.Get("KeyFile"); ok {
		files = append(files, s.Value)
	}
	if s, ok := conf.Get("KeyTable"); ok {
		_, file, found := strings.Cut(s.Value, ":")
		if !found {
			file = s.Value
		}
		text, _ := read(file)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) != 2 || strings.HasPrefix(line, "#") {
				continue
			}
			part := strings.SplitN(f[1], ":", 3)
			if len(part) == 3 && strings.HasPrefix(part[2], "/") && len(files) < maxKeysRead {
				files = append(files, part[2])
			}
		}
	}
	return files
}
