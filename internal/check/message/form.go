package message

import (
	"bytes"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
)

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// Form judges the form of a message. About is what it is called: its file, or the way by
// which it was sent.
func Form(message []byte, about string, now time.Time) []finding.Finding {
	p := parse(message)
	f := form{parsed: p, message: message, about: about, now: now}
	f.fields()
	f.from()
	f.date()
	f.id()
	f.mime()
	f.lines()
	if len(f.list) == 0 {
		return []finding.Finding{{ID: "msg.form", Severity: finding.OK, Subject: about, Seen: text.Count(len(p.fields), "header field")}}
	}
	return f.list
}

type form struct {
	parsed
	message []byte
	about   string
	now     time.Time
	list    []finding.Finding
}

// wrong adds what is wrong with a field, or another part.
func (f *form) wrong(part, remedy, source, seen string, a ...any) {
	f.list = append(f.list, finding.Finding{
		ID: "msg.form", Severity: finding.Warning, Subject: strings.TrimSpace(f.about + " " + part), Seen: shorten(fmt.Sprintf(seen, a...)),
		Remedy: finding.Text(remedy), Source: source,
	})
}

// shorten cuts what stands in a message.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// once are the fields that may stand there once at most (RFC 5322 section 3.6), beside
// those that are looked at more closely.
var once = []string{"Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "References", "Subject", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"}

const program = "mend the program that writes the message"

func (f *form) fields() {
	if f.broken > 0 {
		f.wrong("header", program, "RFC 5322 section 2.2", "%s of the header that are no header field", text.CountOf(f.broken, "line", "lines"))
	}
	for _, name := range once {
		if n := len(f.all(name)); n > 1 {
			f.wrong(name, program, "RFC 5322 section 3.6", "there are %d", n)
		}
	}
	for _, h := range f.parsed.fields {
		if strings.ContainsFunc(h.value, func(r rune) bool { return r > 126 }) {
			f.wrong(h.name, program, "RFC 2047 section 4", "octets above 127 that are not encoded, which servers without SMTPUTF8 refuse")
			break
		}
	}
	subject := f.first("Subject")
	if len(subject) > 3 && equalFold(subject[:3], "re:") && f.first("In-Reply-To") == "" && f.first("References") == "" {
		f.wrong("Subject", "leave Re: out of what answers nothing", "RFC 5322 section 3.6.5", "it begins with Re:, and nothing says what the message answers")
	}
}

func (f *form) from() {
	all := f.all("From")
	if len(all) != 1 {
		f.wrong("From", program, "RFC 5322 section 3.6.2", "%s; Gmail refuses the message", times(len(all)))
		return
	}
	list, err := (&mail.AddressParser{WordDecoder: nil}).ParseList(all[0])
	switch {
	case err != nil:
		f.wrong("From", program, "RFC 5322 section 3.4", "no address: %s", all[0])
	case len(list) > 1:
		f.wrong("From", "name one author, and the others in the text", "RFC 9989 section 4.4", "%d authors: DMARC knows one", len(list))
	case !dotted(list[0].Address):
		f.wrong("From", "have the program write an address with a full domain", "RFC 5321 section 2.3.5", "%s has no domain that others can answer to", list[0].Address)
	}
}

// dotted reports whether an address has a domain of the public DNS.
func dotted(address string) bool {
	domain := address[strings.LastIndexByte(address, '@')+1:]
	return strings.Contains(domain, ".") && !strings.HasSuffix(domain, ".localdomain") && !strings.HasSuffix(domain, ".local")
}

func times(n int) string {
	if n == 0 {
		return "it is missing"
	}
	return fmt.Sprintf("there are %d", n)
}

func (f *form) date() {
	all := f.all("Date")
	if len(all) != 1 {
		f.wrong("Date", program, "RFC 5322 section 3.6.1", "%s", times(len(all)))
		return
	}
	at, err := mail.ParseDate(all[0])
	switch {
	case err != nil:
		f.wrong("Date", program, "RFC 5322 section 3.3", "no date: %s", all[0])
	case at.After(f.now.Add(24 * time.Hour)):
		f.wrong("Date", "set the clock of the machine that wrote the message", "RFC 5322 section 3.6.1", "it lies in the future: %s", all[0])
	}
}

var messageID = regexp.MustCompile(`^<[^<>@\s]+@([^<>@\s]+)>$`)

func (f *form) id() {
	all := f.all("Message-ID")
	if len(all) != 1 {
		f.wrong("Message-ID", program, "RFC 5322 section 3.6.4", "%s", times(len(all)))
		return
	}
	m := messageID.FindStringSubmatch(all[0])
	if m == nil || !dotted("@"+m[1]) && !strings.HasPrefix(m[1], "[") {
		f.wrong("Message-ID", program, "RFC 5322 section 3.6.4", "no ID with a domain: %s", all[0])
	}
}

func (f *form) mime() {
	version := f.first("MIME-Version")
	typed := f.first("Content-Type") != "" || f.first("Content-Transfer-Encoding") != ""
	eight := slices.ContainsFunc(f.body, func(c byte) bool { return c > 126 })
	switch {
	case version == "" && typed:
		f.wrong("MIME-Version", "add the field MIME-Version: 1.0", "RFC 2045 section 4", "it is missing beside Content-Type or Content-Transfer-Encoding")
	case version == "" && eight:
		f.wrong("MIME-Version", "add MIME-Version: 1.0 and a Content-Type with the charset", "RFC 2045 section 4", "it is missing, and the text is not plain ASCII")
	case version != "" && !strings.HasPrefix(strings.TrimSpace(version), "1.0"):
		f.wrong("MIME-Version", "write MIME-Version: 1.0", "RFC 2045 section 4", "%s", version)
	}
}

// longest is how long a line may be, without its end (RFC 5322 section 2.1.1).
const longest = 998

func (f *form) lines() {
	if bytes.IndexByte(f.message, 0) >= 0 {
		f.wrong("text", program, "RFC 5322 section 2.3", "it has octets of zero, which servers remove or refuse")
	}
	for rest := f.message; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) > longest {
			f.wrong("lines", "have the program encode the text (quoted-printable or base64)", "RFC 5322 section 2.1.1",
				"a line of %d octets: servers break it, and its signature with it", len(line))
			return
		}
	}
}
