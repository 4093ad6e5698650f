package postfix

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
)

// mailServer describes a package that provides mail-transport-agent: how to list its
// queue, where that is, and how to read its configuration.
type mailServer struct {
	queue []string         // command that prints the queue
	count func(string) int // of messages in it, -1 if that cannot be told
	spool string           // where the queue lives
	flush string           // tries to deliver it now, and shows what is left
	conf  state.Path       // its configuration
	read  func(string, *state.OtherMTA)
}

// mailServers are those of Debian 12 and 13, by the beginning of the package's
// name. esmtp-run, ssmtp and msmtp-mta have no queue.
func mailServers() map[string]mailServer {
	return map[string]mailServer{
		"exim4": {
			queue: []string{"exim4", "-bpc"}, count: parseNumber, spool: "/var/spool/exim4", flush: "exim4 -qff; mailq",
			conf: "/etc/exim4/update-exim4.conf.conf", read: eximConf,
		},
		"sendmail": {
			queue: []string{"mailq"}, count: addTotals, spool: "/var/spool/mqueue and /var/spool/mqueue-client",
			flush: "sendmail -Ac -q; sendmail -q; mailq", conf: "/etc/mail/sendmail.mc", read: sendmailConf,
		},
		"opensmtpd": {
			queue: []string{"smtpctl", "show", "queue"}, count: countEnvelopes, spool: "/var/spool/smtpd",
			flush: "smtpctl schedule all; smtpctl show queue", conf: "/etc/smtpd.conf", read: smtpdConf,
		},
		"nullmailer": {
			queue: []string{"mailq"}, count: countUnindented, spool: "/var/spool/nullmailer",
			flush: "systemctl restart nullmailer; mailq", conf: "/etc/nullmailer/remotes", read: nullmailerConf,
		},
		"dma": {
			queue: []string{"mailq"}, count: countParagraphs, spool: "/var/spool/dma", flush: "dma -q; mailq",
			conf: "/etc/dma/dma.conf", read: hostFromKeys("SMARTHOST", "PORT"),
		},
		"courier-mta": {
			queue: []string{"mailq"}, count: readTotal, spool: "/var/lib/courier", flush: "courier flush; mailq",
			conf: "/etc/courier/esmtproutes", read: courierConf,
		},
		"msmtp-mta": {conf: "/etc/msmtprc", read: hostFromKeys("host", "port")},
		"ssmtp":     {conf: "/etc/ssmtp/ssmtp.conf", read: hostFromKeys("mailhub", "")},
		"esmtp-run": {conf: "/etc/esmtprc", read: hostFromKeys("hostname", "")},
	}
}

// FindOtherMTA collects the facts about the mail server that Postfix would replace. Of
// an unknown program it returns the name only.
func FindOtherMTA(ctx context.Context, s source.Source, pkg string) (*state.OtherMTA, error) {
	if pkg == "" || pkg == "postfix" {
		return nil, nil
	}
	o := &state.OtherMTA{Package: pkg}
	for name, known := range mailServers() {
		if strings.HasPrefix(pkg, name) {
			return o, known.inspect(ctx, s, o)
		}
	}
	return o, nil
}

func (k mailServer) inspect(ctx context.Context, s source.Source, o *state.OtherMTA) error {
	o.Spool, o.Flush = k.spool, k.flush
	if len(k.queue) > 0 {
		if out, err := source.Output(ctx, s, k.queue...); err == nil {
			o.Queue = max(0, k.count(out))
			o.Counted = k.count(out) >= 0
		}
	} else {
		o.Counted = true
	}
	text, err := source.Text(s, k.conf)
	if err != nil {
		return err
	}
	k.read(string(text), o)
	return ownAliases(s, o)
}

// ownAliases finds aliases outside /etc/aliases. Debian's sendmail has a link to it.
func ownAliases(s source.Source, o *state.OtherMTA) error {
	at := o.Aliases
	switch {
	case strings.HasPrefix(o.Package, "sendmail"):
		at = "/etc/mail/aliases"
	case o.Package == "courier-mta":
		at = "/etc/courier/aliases"
	case at == "":
		return nil
	}
	found, err := s.Read(at)
	if err != nil {
		return err
	}
	o.Aliases = ""
	if found.Kind == state.Regular || found.Kind == state.Directory {
		o.Aliases = at
	}
	return nil
}

// parseNumber parses an output that is a number.
func parseNumber(out string) int {
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return -1
	}
	return n
}

// addTotals adds up the totals of sendmail's two queues: of its daemon, and of local
// submission.
func addTotals(out string) int {
	found := regexp.MustCompile(`Total requests: (\d+)`).FindAllStringSubmatch(out, -1)
	if len(found) == 0 {
		return -1
	}
	sum := 0
	for _, m := range found {
		sum += parseNumber(m[1])
	}
	return sum
}

// countEnvelopes counts messages of OpenSMTPD, which prints a line for each recipient:
// the first half of its ID is the message's.
func countEnvelopes(out string) int {
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		id, _, ok := strings.Cut(line, "|")
		if !ok || len(id) != 16 {
			return -1
		}
		seen[id[:8]] = true
	}
	return len(seen)
}

// countUnindented counts unindented lines: nullmailer prints one for each message, with
// the recipients indented.
func countUnindented(out string) int {
	n := 0
	for line := range strings.Lines(out) {
		if strings.TrimSpace(line) != "" && line[0] != ' ' {
			n++
		}
	}
	return n
}

// countParagraphs counts paragraphs: dma prints one for each message.
func countParagraphs(out string) int {
	n := len(regexp.MustCompile(`(?m)^ID\s*:`).FindAllString(out, -1))
	if n == 0 && !strings.Contains(out, "queue is empty") {
		return -1
	}
	return n
}

// readTotal reads the total in the last line of courier's list.
func readTotal(out string) int {
	m := regexp.MustCompile(`(?m)^\s*(\d+) messages?\.`).FindStringSubmatch(out)
	if m == nil {
		return -1
	}
	return parseNumber(m[1])
}
