package livepath

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// inspect compares a message with what was sent, and verifies its signatures.
func (d *Delivery) inspect(m message, data []byte) {
	d.Data = data
	d.Signatures, d.Broken = verify(data, d.Signer)
	if d.Broken != "" && m.Way != Bounce {
		d.Changed = changed(m.text, data)
	}
}

// verify counts the signatures with d= of the domain and returns why none of them
// verifies with the published key, "" if one does.
func verify(data []byte, want state.Signer) (n int, broken string) {
	domain := strings.ToLower(dnsname.TrimDot(want.Domain))
	name := dnsname.Key(strings.ToLower(want.Selector), domain)
	other := errors.New("not the key of this server")
	results, err := dkim.VerifyWithOptions(bytes.NewReader(data), &dkim.VerifyOptions{
		LookupTXT: func(at string) ([]string, error) {
			if strings.ToLower(dnsname.TrimDot(at)) != name {
				return nil, other
			}
			return []string{want.Public}, nil
		},
	})
	var bad error
	holds := false
	for _, r := range results {
		if !strings.EqualFold(r.Domain, domain) {
			continue
		}
		n++
		holds = holds || r.Err == nil
		bad = cmp.Or(r.Err, bad)
	}
	switch {
	case holds && err == nil:
		return n, ""
	case err != nil:
		return n, err.Error()
	case n == 0:
		return 0, "it carries no signature of " + domain
	}
	return n, fmt.Sprintf("its signature does not verify with the key %s: %s", name, strings.TrimPrefix(bad.Error(), "dkim: "))
}

// changed names the header fields, and the body, that were changed on the way, with
// their new values.
func changed(was, is []byte) []string {
	before, err := mail.ReadMessage(bytes.NewReader(was))
	if err != nil {
		return nil
	}
	after, err := mail.ReadMessage(bytes.NewReader(is))
	if err != nil {
		return []string{"the header, which cannot be read any more"}
	}
	var all []string
	for name, values := range before.Header {
		if !slices.EqualFunc(values, after.Header[name], func(a, b string) bool { return a == b }) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	var a, b bytes.Buffer
	_, _ = a.ReadFrom(before.Body)
	_, _ = b.ReadFrom(after.Body)
	if !bytes.Equal(bytes.TrimRight(a.Bytes(), "\r\n"), bytes.TrimRight(b.Bytes(), "\r\n")) {
		all = append(all, "the body")
	}
	return all
}

// Broken returns the deliveries whose signature does not verify.
func (r Result) Broken() []Delivery {
	return slices.DeleteFunc(slices.Clone(r.Deliveries), func(d Delivery) bool { return d.Broken == "" })
}

// Proven returns the deliveries with a signature that verifies.
func (r Result) Proven() []Delivery {
	return slices.DeleteFunc(slices.Clone(r.Deliveries), func(d Delivery) bool { return d.Broken != "" || d.Missing != "" })
}

// Summary says what was proven, and why the rest was not. Broken signatures are not
// part of it.
func (r Result) Summary() string {
	proven := r.Proven()
	if len(proven) == 0 {
		return "What Postfix does with it after that is not known: " + r.reason() + "."
	}
	var ways, transports []string
	more := 1
	for _, d := range proven {
		ways, transports = add(ways, string(d.Way)), add(transports, d.Transport)
		more = max(more, d.Signatures)
	}
	text := fmt.Sprintf("Messages by %s went through Postfix (%s) to a server of ours on this machine, and their signatures hold there.",
		strings.Join(ways, " and by "), strings.Join(transports, ", "))
	if more > 1 {
		text += fmt.Sprintf(" Each has %d signatures of %s, where one is enough: something else signs as well.", more, proven[0].Signer.Domain)
	}
	for _, w := range []Way{Sendmail, Port25} {
		if reason := r.Refused[w]; reason != "" {
			text += fmt.Sprintf(" Not tried by %s: %s.", w, strings.TrimRight(reason, "."))
		}
	}
	var said []string
	for _, d := range r.Deliveries {
		what := fmt.Sprintf(" Not known of %s: %s.", d.Transport, strings.TrimRight(d.Missing, "."))
		if d.Missing != "" && !slices.Contains(said, what) {
			said = append(said, what)
			text += what
		}
	}
	return text
}

// reason returns why nothing arrived.
func (r Result) reason() string {
	reasons := []string{r.NotSentReason, r.Refused[Sendmail], r.Refused[Port25]}
	for _, d := range r.Deliveries {
		reasons = append(reasons, d.Missing)
	}
	return strings.TrimRight(cmp.Or(reasons...), ".")
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
