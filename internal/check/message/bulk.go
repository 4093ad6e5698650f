package message

import (
	"regexp"
	"strings"

	"mailsetup/internal/check/finding"
)

// IsBulk reports whether a message says of itself that it goes to many.
func IsBulk(message []byte) bool {
	p := parse(message)
	return p.first("List-Unsubscribe") != "" || p.first("List-Id") != "" || equalFold(p.first("Precedence"), "bulk")
}

var (
	httpsURI = regexp.MustCompile(`(?i)<\s*https://[^>\s]+\s*>`)
	signedBy = regexp.MustCompile(`(?i)(?:^|;)\s*h\s*=([^;]*)`)
)

// Bulk judges whether receivers can offer to unsubscribe by one click, which Gmail and
// Yahoo want of who sends thousands of messages a day.
func Bulk(message []byte, about string) []finding.Finding {
	p := parse(message)
	f := finding.Finding{ID: "msg.bulk", Severity: finding.OK, Subject: about, Seen: "one-click unsubscribe, signed"}
	wrong := func(seen, remedy string) []finding.Finding {
		f.Severity, f.Seen, f.Remedy = finding.Warning, seen, finding.Text(remedy)
		return []finding.Finding{f}
	}
	switch {
	case !httpsURI.MatchString(p.first("List-Unsubscribe")):
		return wrong("no List-Unsubscribe with an https URI", "add the field List-Unsubscribe: <https://…>")
	case !equalFold(strings.ReplaceAll(p.first("List-Unsubscribe-Post"), " ", ""), "List-Unsubscribe=One-Click"):
		return wrong("no List-Unsubscribe-Post", "add the field List-Unsubscribe-Post: List-Unsubscribe=One-Click")
	}
	signatures := p.all("DKIM-Signature")
	if len(signatures) == 0 {
		f.Severity, f.Seen = finding.Unknown, "the message is not signed yet"
		return []finding.Finding{f}
	}
	for _, s := range signatures {
		if m := signedBy.FindStringSubmatch(s); m != nil && names(m[1], "List-Unsubscribe") && names(m[1], "List-Unsubscribe-Post") {
			return []finding.Finding{f}
		}
	}
	return wrong("the DKIM signature does not cover List-Unsubscribe and List-Unsubscribe-Post", "have the program that signs add both to the fields that it signs (h=)")
}

// names reports whether a list of fields in h= has a field.
func names(list, field string) bool {
	for n := range strings.SplitSeq(list, ":") {
		if equalFold(strings.Join(strings.Fields(n), ""), field) {
			return true
		}
	}
	return false
}
