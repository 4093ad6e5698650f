package backup

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"mailsetup/internal/hint"
	"mailsetup/internal/stdio"
	"mailsetup/internal/text"
)

// Secrets say with what a backup is encrypted and opened. A passphrase comes from a
// file or a terminal: everybody may read the arguments and root the environment of a
// process, and a shell keeps what was typed.
type Secrets struct {
	PassphraseFile             string
	Recipients, RecipientFiles []string // who can open it
	IdentityFiles              []string // with what it is opened
	WorkFactor                 int      // of a new passphrase, 0 for that of age(1)
	// Ask asks a person for a passphrase, nil where nobody is there.
	Ask func(ctx context.Context, question string) (string, error)
}

// minPassphrase is the least length of a passphrase that protects private keys of a file
// that may be copied anywhere.
const minPassphrase = 10

// workFactor is the cost of a guess: 2 to this power, as age(1) has it. A backup that
// asks for more than maxWorkFactor would take a gigabyte of memory.
const workFactor, maxWorkFactor = 18, 20

// errNobody is the usage error of a passphrase that nobody can be asked for.
func errNobody(or string) error {
	return hint.NewUsage("--passphrase-file FILE reads it from a file that only root can read\n"+or,
		"nobody can be asked for a passphrase here: stdin or stdout is not a terminal")
}

// recipients returns for whom a backup is encrypted.
func (s Secrets) recipients(ctx context.Context) ([]age.Recipient, error) {
	if len(s.Recipients)+len(s.RecipientFiles) == 0 {
		phrase, err := s.newPassphrase(ctx)
		if err != nil {
			return nil, err
		}
		r, err := age.NewScryptRecipient(phrase)
		if err != nil {
			return nil, err
		}
		r.SetWorkFactor(cmp.Or(s.WorkFactor, workFactor))
		return []age.Recipient{r}, nil
	}
	if s.PassphraseFile != "" {
		return nil, hint.NewUsage("leave one of them out", "a backup is encrypted with a passphrase or to recipients, not both")
	}
	var all []age.Recipient
	for _, line := range s.Recipients {
		r, err := parseRecipient(line)
		if err != nil {
			if !strings.HasPrefix(line, "AGE-SECRET-KEY-") {
				err = fmt.Errorf("%.100s: %w", text.Printable(line), err)
			}
			return nil, hint.NewUsage(likeRecipients, "--recipient: %w", err)
		}
		all = append(all, r)
	}
	for _, file := range s.RecipientFiles {
		list, err := readRecipients(ctx, file)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

const likeRecipients = "as in age1ql3z7hjy…, which age-keygen prints, or a line of ~/.ssh/id_ed25519.pub"

func readRecipients(ctx context.Context, file string) ([]age.Recipient, error) {
	content, err := readSmall(ctx, file)
	if err != nil {
		return nil, err
	}
	var all []age.Recipient
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseRecipient(line)
		if err != nil {
			return nil, hint.NewUsage(likeRecipients, "%s: line %d: %w", file, n, err)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, hint.NewUsage(likeRecipients, "%s: has no recipient", file)
	}
	return all, lines.Err()
}

// parseRecipient parses the public key of age(1) or of ssh. Of the former there are two
// kinds, which cannot be mixed.
func parseRecipient(line string) (age.Recipient, error) {
	switch {
	case strings.HasPrefix(line, "AGE-SECRET-KEY-"):
		return nil, errors.New("is the secret half; the public one begins with age1")
	case strings.HasPrefix(line, "age1pq1"):
		return age.ParseHybridRecipient(line)
	case strings.HasPrefix(line, "age1"):
		return age.ParseX25519Recipient(line)
	case strings.HasPrefix(line, "ssh-"):
		return agessh.ParseRecipient(line)
	}
	return nil, errors.New("is no public key of age(1) or ssh")
}

// newPassphrase returns the passphrase of a new backup. A person types it twice: who
// mistypes it has no backup.
func (s Secrets) newPassphrase(ctx context.Context) (string, error) {
	phrase, err := s.passphrase(ctx, "Passphrase for the backup", "--recipient age1… needs none")
	if err != nil {
		return "", err
	}
	if len(phrase) < minPassphrase {
		return "", hint.NewUsage("five words at random are easy to write down", "the passphrase has %d characters; it takes %d", len(phrase), minPassphrase)
	}
	if s.PassphraseFile == "" {
		again, err := s.Ask(ctx, "The same once more")
		if err != nil {
			return "", err
		}
		if again != phrase {
			return "", hint.NewUsage("type the same twice", "these were two passphrases")
		}
	}
	return phrase, nil
}

// passphrase reads the passphrase of a backup from a file, or asks for it.
func (s Secrets) passphrase(ctx context.Context, question, or string) (string, error) {
	if s.PassphraseFile == "" {
		if s.Ask == nil {
			return "", errNobody(or)
		}
		return s.Ask(ctx, question)
	}
	content, err := readSecret(ctx, s.PassphraseFile)
	if err != nil {
		return "", err
	}
	line, rest, _ := strings.Cut(string(content), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" || strings.TrimSpace(rest) != "" {
		return "", hint.NewUsage("the passphrase is its only line", "%s: has %d lines", s.PassphraseFile, strings.Count(strings.TrimSpace(string(content)), "\n")+1)
	}
	return line, nil
}

// identities returns what opens a backup: the passphrase where it takes one, which its
// header says, or private keys.
func (s Secrets) identities(ctx context.Context, file string, takesPhrase bool) ([]age.Identity, error) {
	switch {
	case takesPhrase && len(s.IdentityFiles) > 0:
		return nil, hint.NewUsage("leave --identity out; --passphrase-file FILE reads the passphrase from a file", "%s: is encrypted with a passphrase", file)
	case takesPhrase:
		phrase, err := s.passphrase(ctx, "Passphrase of the backup", "")
		if err != nil {
			return nil, err
		}
		id, err := age.NewScryptIdentity(phrase)
		if err != nil {
			return nil, hint.NewUsage("type the one of the backup", "the passphrase is empty")
		}
		id.SetMaxWorkFactor(maxWorkFactor)
		return []age.Identity{id}, nil
	case len(s.IdentityFiles) == 0:
		return nil, hint.NewUsage("--identity FILE names the private key, of age-keygen or ssh", "%s: is encrypted to recipients, not with a passphrase", file)
	}
	var all []age.Identity
	for _, name := range s.IdentityFiles {
		content, err := readSecret(ctx, name)
		if err != nil {
			return nil, err
		}
		list, err := parseIdentities(content)
		if err != nil {
			return nil, hint.NewUsage("name the file that age-keygen wrote, or a private key of ssh without a passphrase (ssh-keygen -p takes it off a copy)", "--identity %s: %w", name, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// command returns the command by which age(1) opens a backup.
func (s Secrets) command(file string) string {
	argv := []string{"age", "-d"}
	for _, name := range s.IdentityFiles {
		argv = append(argv, "-i", name)
	}
	return hint.Quote(append(argv, file)...)
}

// parseIdentities parses the private keys of a file. What the libraries say of one that
// makes no sense may quote it.
func parseIdentities(content []byte) ([]age.Identity, error) {
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("-----BEGIN")) {
		id, err := agessh.ParseIdentity(content)
		if err != nil {
			return nil, errors.New("is no private key of ssh that can be used, or takes a passphrase")
		}
		return []age.Identity{id}, nil
	}
	list, err := age.ParseIdentities(bytes.NewReader(content))
	if err != nil {
		return nil, errors.New("has no private key of age(1)")
	}
	return list, nil
}

// maxSecret bounds files with keys and passphrases.
const maxSecret = 1 << 20

// readSecret reads a file that nobody else may read, or a pipe, as /dev/fd/3 is.
func readSecret(ctx context.Context, file string) ([]byte, error) {
	f, err := stdio.Open(ctx, file)
	if err != nil {
		return nil, hint.NewUsage("name a file that is there", "%w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, known := fi.Sys().(*syscall.Stat_t)
	switch {
	case fi.Mode()&os.ModeNamedPipe != 0:
	case !fi.Mode().IsRegular():
		return nil, hint.NewUsage("name a file, or a pipe as in /dev/fd/3", "%s: is neither a file nor a pipe", file)
	case fi.Mode().Perm()&0o077 != 0, !known, int(st.Uid) != os.Geteuid():
		return nil, hint.NewUsage("chmod 600 "+hint.Quote(file)+"; chown root: "+hint.Quote(file), "%s: others than root can read it", file)
	}
	return limited(ctx, f, file)
}

func readSmall(ctx context.Context, file string) ([]byte, error) {
	f, err := stdio.Open(ctx, file)
	if err != nil {
		return nil, hint.NewUsage("name a file that is there", "%w", err)
	}
	defer f.Close()
	return limited(ctx, f, file)
}

func limited(ctx context.Context, f io.Reader, file string) ([]byte, error) {
	content, err := stdio.ReadAll(ctx, io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	case len(content) > maxSecret:
		return nil, hint.NewUsage("name another file", "%s: is longer than %d octets", file, maxSecret)
	}
	return content, nil
}
