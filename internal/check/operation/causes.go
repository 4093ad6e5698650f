package operation

import (
	"regexp"
	"strings"

	"mailsetup/internal/check/finding"
)

// cause is why mail waits, if this server or its DNS has to be mended for it.
type cause struct {
	code  string // "5.7.25", or what a receiver calls it
	about string // ID of the check that looks at the cause, "" for none
	// ofSender: it is about the domain of the sender, else about the server.
	ofSender bool
	severity finding.Severity
	means    string         // one sentence
	remedy   finding.Remedy // nil for that check
}

// Causes that several receivers name in their own way.
var (
	noPTR = cause{about: "addr.ptr", severity: finding.Problem, means: "The receiver wants a PTR of the sending address that leads back to it."}
	noSPF = cause{about: "spf.pass", ofSender: true, severity: finding.Problem, means: "SPF did not pass at the receiver."}
	// noAuth: neither SPF nor DKIM.
	noAuth    = cause{about: "spf.pass", ofSender: true, severity: finding.Problem, means: "Neither SPF nor DKIM passed at the receiver."}
	noDKIM    = cause{about: "dkim.record", ofSender: true, severity: finding.Problem, means: "DKIM did not pass at the receiver."}
	noDMARC   = cause{about: "dmarc.exists", ofSender: true, severity: finding.Problem, means: "The receiver found no DMARC policy of the domain in the From field."}
	unaligned = cause{about: "dmarc.align", ofSender: true, severity: finding.Problem, means: "The domain in the From field is not that of SPF or DKIM."}
	noTLS     = cause{about: "tls.out", severity: finding.Problem, means: "The receiver takes mail over TLS only."}
	listed    = cause{about: "bl.ip", severity: finding.Problem, means: "The receiver refuses the address of this server."}
	noMX      = cause{about: "mx.exists", ofSender: true, severity: finding.Problem, means: "The receiver finds no way back to the sender's domain."}
	badHELO   = cause{about: "host.forward", severity: finding.Problem, means: "The receiver finds no address of the name in HELO."}
	tooFast   = cause{
		severity: finding.Warning, means: "The receiver slows this server down for what it sends, or for complaints about it.",
		remedy: finding.Text("find out what sends so much, stop what nobody asked for, and send the rest more slowly:").Command("postqueue -p"),
	}
)

// codes are status codes with one meaning at all receivers: RFC 7372 and the IANA
// registry of enhanced status codes.
var codes = map[string]cause{
	"7.20": noDKIM, "7.21": noDKIM, "7.22": unaligned, "7.23": noSPF, "7.24": noSPF, "7.25": noPTR, "7.26": noAuth,
	"7.27": noMX, "7.28": tooFast,
}

// ofGoogle are codes with another meaning in replies of Google.
var ofGoogle = map[string]cause{
	"7.23": noPTR, "7.25": noPTR, "7.26": noAuth, "7.27": noSPF, "7.28": tooFast, "7.29": noTLS, "7.30": noDKIM,
	"7.31": noDMARC, "7.40": noDMARC, "7.32": unaligned,
}

// ofMicrosoft are codes of Microsoft alone.
var ofMicrosoft = map[string]cause{
	"7.515": noAuth, "7.509": unaligned, "7.606": listed, "7.650": tooFast, "7.652": tooFast, "7.500": tooFast,
}

// words are parts of replies, in lower case, for receivers that give no such code. The
// first one counts.
var words = []struct {
	part  string
	cause cause
}{
	{"cannot find your reverse hostname", noPTR},
	{"cannot find your hostname", noPTR},
	{"helo command rejected: host not found", badHELO},
	{"sender address rejected: domain not found", noMX},
	{"must issue a starttls command", noTLS},
	{"blocked using ", listed},
	{"spamhaus.org", listed},
	{"part of their network is on our block list", listed},
}

// local are reasons of Postfix itself, not of a receiver.
var local = []struct {
	part  string
	cause cause
}{
	{"mail transport unavailable", cause{
		code: "transport", severity: finding.Warning, means: "A service of master.cf(5) that has to deliver the mail cannot run.",
		remedy: finding.Text("the service is named by:").Command("journalctl -p warning -n 50 -t postfix/qmgr -t postfix/master"),
	}},
	{"unknown mail transport error", cause{
		code: "transport", severity: finding.Warning, means: "A service of master.cf(5) that has to deliver the mail cannot run.",
		remedy: finding.Text("the service is named by:").Command("journalctl -p warning -n 50 -t postfix/qmgr -t postfix/master"),
	}},
	{"alias database unavailable", cause{
		code: "aliases", severity: finding.Warning, means: "The table of local aliases cannot be read, and no local mail is delivered.",
		remedy: finding.Command("newaliases && postqueue -f"),
	}},
	{"SASL authentication failed", cause{
		code: "login", severity: finding.Problem, means: "The server that relays our mail does not accept our login.",
		remedy: finding.Text("the server and the file with the login are named by:").Command("postconf relayhost smtp_sasl_password_maps"),
	}},
	{"No space left on device", cause{
		code: "disk", severity: finding.Problem, means: "A file system is full, and no mail is stored.",
		remedy: finding.Command("df -h /var"),
	}},
}

// private matches a socket of a delivery agent on this machine: [private/dovecot-lmtp].
var private = regexp.MustCompile(`\[(private/[\w.-]+|/[\w./-]+)\]?: (?:Connection refused|No such file or directory|Permission denied)`)

// status matches an enhanced status code (RFC 3463), not part of an address.
var status = regexp.MustCompile(`(?:^|[^\d.])[45]\.(\d{1,3}\.\d{1,3})(?:$|[^\d.]|\.(?:$|\D))`)

// tss is what Yahoo calls its reasons: [TSS04].
var tss = regexp.MustCompile(`\[(TSS?\d\d)\]`)

// causeOf returns the cause of a delay_reason of postqueue -j, and whether it is one of
// ours; most mail waits for others.
func causeOf(reason string) (c cause, ours bool) {
	own, reply, said := cut(reason, " said: ", " refused to talk to me: ")
	for _, l := range local {
		if strings.Contains(own, l.part) {
			return l.cause, true
		}
	}
	if !said {
		if m := private.FindStringSubmatch(reason); m != nil {
			return cause{
				code: m[1], severity: finding.Warning, means: "The service that stores mail in mailboxes does not answer.",
				remedy: finding.Text("start the service that listens there, then:").Command("postqueue -f"),
			}, true
		}
		return cause{}, false
	}
	code := ""
	if m := status.FindStringSubmatch(reply); m != nil {
		code = m[1]
	}
	lower := strings.ToLower(reply)
	if m := tss.FindStringSubmatch(reply); m != nil {
		c = tooFast
		if c.code = m[1]; strings.Contains(lower, "permanently deferred") {
			c.severity = finding.Problem
		}
		return c, true
	}
	tables := []map[string]cause{codes, ofMicrosoft}
	if strings.Contains(lower, "gsmtp") || strings.Contains(lower, "support.google.com") {
		tables[0] = ofGoogle
	}
	for _, t := range tables {
		if c, ours = t[code]; ours {
			c.code = "5." + code
			return c, true
		}
	}
	for _, w := range words {
		if strings.Contains(lower, w.part) {
			return w.cause, true
		}
	}
	return cause{}, false
}

// cut cuts a text at the first of the words that is there.
func cut(s string, words ...string) (before, after string, found bool) {
	for _, w := range words {
		if before, after, found = strings.Cut(s, w); found {
			return before, after, true
		}
	}
	return s, "", false
}

// forwarded returns the cause for mail whose sender is none of ours: it came here from
// somebody else, and SPF and DKIM of their domain are theirs.
func forwarded(c cause) cause {
	return cause{
		code: c.code + " of forwarded mail", severity: finding.Note,
		means: "Mail that is forwarded keeps the sender's domain, whose SPF record does not know this server.",
	}
}
