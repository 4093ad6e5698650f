package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Clients for which Exim decides: one of RFC 5737, whom nobody knows, and the one that every
// block list has (RFC 5782 section 5).
const (
	unknownClient = "192.0.2.1"
	listedClient  = "127.0.0.2"
)

// rcptReply is the reply to RCPT in what exim4 -bh prints: the one before that to QUIT.
var rcptReply = regexp.MustCompile(`(?m)^([245][0-9][0-9]) (.*)\n221 `)

// eximDecides has Exim judge sessions that it makes believe (exim(8), -bh): it reads the whole
// configuration, asks DNS, takes no mail and writes no log. An expansion that fails is 451 for
// everybody, and no checker of the configuration sees it.
func (b *Prober) eximDecides(ctx context.Context, p state.Probe) error {
	for _, to := range p.Recipients {
		said, err := b.eximSession(ctx, p.File, unknownClient, to)
		switch {
		case err != nil:
			return err
		case strings.Contains(said, refusedByList):
			return fmt.Errorf("exim4 -bh %s: a block list has somebody whom nobody knows", unknownClient)
		case p.Name == "":
			continue
		}
		said, err = b.eximSession(ctx, p.File, listedClient, to)
		asked := strings.Contains(said, refusedByList) || strings.Contains(said, "check dnslists = ") || strings.Contains(said, `"acl_local_deny_exceptions": ACCEPT`)
		switch {
		case err != nil:
			return err
		case reached(said, p.File) && !asked:
			return fmt.Errorf("exim4 -bh %s: %s is not asked", listedClient, p.Name)
		}
	}
	return nil
}

// refusedByList is a part of the reply to a client on a list.
const refusedByList = "is blocked using"

// reached reports whether Exim has come to a file of its ACL: a recipient that it does not
// have here, or may not relay to, is refused before.
func reached(said string, file state.Path) bool { return strings.Contains(said, "("+string(file)+" ") }

// eximSession returns what Exim says and does for a client. An error means that it makes no
// decision.
func (b *Prober) eximSession(ctx context.Context, file state.Path, client, to string) (string, error) {
	lines := []string{"EHLO mailsetup.invalid", "MAIL FROM:<>", "RCPT TO:<" + to + ">", "QUIT", ""}
	res, err := b.run.Run(ctx, system.Command{Argv: []string{"exim4", "-bh", client}, Stdin: []byte(strings.Join(lines, "\r\n")), Within: 50 * time.Second})
	if err != nil {
		return "", err
	}
	said := strings.ReplaceAll(string(res.Stdout)+string(res.Stderr), "\r", "")
	reply := rcptReply.FindStringSubmatch(strings.ReplaceAll(string(res.Stdout), "\r", ""))
	switch {
	case res.Code != 0 || reply == nil:
		return "", permanent{errors.New("exim4 -bh " + client + ": " + cmp.Or(lastLine(res.Stderr, res.Stdout), "no reply"))}
	case reply[1] == "451" && reached(said, file):
		return "", fmt.Errorf("exim4 -bh %s: RCPT TO:<%s>: %s %s", client, to, reply[1], reply[2])
	}
	return said, nil
}
