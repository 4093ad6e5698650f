package live

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/state"
)

// tamper checks that changed copies of the messages do not verify: a check that never
// fails proves nothing.
func (j *judgement) tamper() {
	if j.partial != "" {
		j.add(finding.Finding{
			ID: "live.tamper", Severity: finding.Problem, Subject: j.partial, Seen: "the signature leaves a part of the body out (l=): what is appended keeps it valid",
			Expected: "all of the body is signed", Source: "RFC 6376 section 8.2",
			Remedy: finding.Text("take MaximumSignedBytes and BodyLengthDB out of /etc/opendkim.conf, then:").Command("systemctl restart opendkim"),
		})
		return
	}
	if len(j.intact) == 0 {
		return
	}
	copies := 0
	for _, s := range j.intact[:min(len(j.intact), 3)] {
		for _, t := range tampered(s.message) {
			copies++
			want := s.domain
			i := slices.IndexFunc(j.asSigned, func(w state.Signer) bool { return strings.EqualFold(w.Domain, want) })
			copied := s
			copied.message = t
			if i < 0 || copied.verify(withRecord(j.asSigned[i].Public)) != nil {
				continue
			}
			j.add(finding.Finding{
				ID: "live.tamper", Severity: finding.Problem, Subject: s.domain, Seen: "a copy with a letter changed still verifies",
				Expected: "subject and body are signed", Remedy: finding.Text("take SignHeaders and OmitHeaders out of /etc/opendkim.conf, then:").Command("systemctl restart opendkim"),
			})
			return
		}
	}
	j.add(finding.Finding{ID: "live.tamper", Severity: finding.OK, Seen: fmt.Sprintf("none of %d copies with a letter changed verifies", copies)})
}

// tampered returns copies of a message in each of which one letter was changed: of the
// subject, and of the body.
func tampered(message []byte) [][]byte {
	head, body := split(message)
	flip := func(text []byte, from int) bool {
		for i := from; i < len(text); i++ {
			if l := text[i] | 0x20; l >= 'a' && l <= 'y' {
				text[i]++
				return true
			}
		}
		return false
	}
	var all [][]byte
	for i := range head {
		if bytes.HasPrefix(bytes.ToLower(head[i]), []byte("subject:")) {
			copied := slices.Clone(head)
			copied[i] = slices.Clone(head[i])
			if flip(copied[i], len("subject:")) {
				all = append(all, append(append(bytes.Join(copied, nil), "\r\n"...), body...))
			}
		}
	}
	changed := slices.Clone(body)
	if flip(changed, 0) {
		all = append(all, append(append(bytes.Join(head, nil), "\r\n"...), changed...))
	}
	return all
}
