package dnscheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/policy"
	"mailsetup/keygen"
)

// satisfies reports whether a text does what the wanted one does. Keys must be equal,
// whatever tags surround them; policies may have further terms.
func satisfies(want, got string) bool {
	if want == got {
		return true
	}
	switch {
	case isKey(want):
		return satisfiesKey(want, got)
	case policy.IsSPF(want):
		w, bad := policy.ParseSPF(want)
		g, err := policy.ParseSPF(got)
		return bad == nil && err == nil && len(g.Missing(w)) == 0
	case policy.IsDMARC(want):
		w, bad := policy.ParseDMARC(want)
		g, err := policy.ParseDMARC(got)
		return bad == nil && err == nil && len(g.Missing(w)) == 0
	}
	return false
}

// satisfiesKey compares keys without repairing them: RFC 6376 permits white space in
// p=, but not every verifier does.
func satisfiesKey(want, got string) bool {
	w, bad := keygen.ParseRecord(want)
	g, err := keygen.ParseRecord(got)
	return bad == nil && err == nil && g.SamePublic(w) && keyData(got) == g.Public && whyUnusable(g, w) == ""
}

// whyUnusable returns why verifiers would not use a key for our signatures (RFC 6376
// section 3.6.1), "" if they do.
func whyUnusable(has, want keygen.KeyRecord) string {
	switch {
	case has.KeyType != want.KeyType:
		return "k=" + has.KeyType + " says that the key is of another kind than " + want.KeyType
	case len(has.Hashes) > 0 && !slices.Contains(has.Hashes, "sha256"):
		return "h=" + strings.Join(has.Hashes, ":") + " leaves out sha256, which this server signs with"
	case len(has.Services) > 0 && !slices.Contains(has.Services, "*") && !slices.Contains(has.Services, "email"):
		return "s=" + strings.Join(has.Services, ":") + " leaves out email"
	}
	return ""
}

func isKey(text string) bool {
	v, _, _ := strings.Cut(text, ";")
	return strings.EqualFold(removeSpace(v), "v=DKIM1")
}

// keyData returns the value of p= as written, trimmed.
func keyData(text string) string {
	for tag := range strings.SplitSeq(text, ";") {
		if name, value, ok := strings.Cut(tag, "="); ok && strings.TrimSpace(name) == "p" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

const quotes = `"“”„`

// stripSyntax removes zone file syntax: quotation marks, backslashes, and parentheses
// around the whole.
func stripSyntax(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(quotes+`\`, r) {
			return -1
		}
		return r
	}, text)
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "("), ")")
	return strings.TrimSpace(text)
}

func removeSpace(text string) string { return strings.Join(strings.Fields(text), "") }

// classify says how a value was damaged on its way into DNS; known is false if it is
// just another value.
func classify(e ExpectedRecord, got string) (f dnsclient.Finding, known bool) {
	want := e.Record.Value
	if f, known := quotingProblem(e, got); known {
		return f, true
	}
	w, g := removeSpace(want), removeSpace(stripSyntax(got))
	head, _, _ := strings.Cut(w, ";")
	switch {
	case g == w && len(strings.Fields(got)) < len(strings.Fields(want)):
		return finding(Unquoted, "the spaces of the value are gone", e.quotesRemedy()), true
	case g == head && g != w:
		return finding(Unquoted, "the value ends at its first semicolon, where a comment begins in a zone file", e.quotesRemedy()), true
	case len(g) >= minRecognisable && len(g) < len(w) && strings.HasPrefix(w, g) && !wholePolicy(got, w[len(g):]) && !(isKey(want) && strings.HasSuffix(g, ";p=")):
		return finding(Truncated, fmt.Sprintf("the value is cut after %d of %d octets", len(got), len(want)), e.wholeValueRemedy()), true
	case len(g) >= minRecognisable && len(g) < len(w) && strings.HasSuffix(w, g):
		return finding(Truncated, fmt.Sprintf("only the last %d of %d octets of the value are there", len(got), len(want)), e.wholeValueRemedy()), true
	case isKey(want):
		return classifyKey(e, got)
	}
	return dnsclient.Finding{}, false
}

// wholePolicy reports whether a text that is only the beginning of ours is a complete
// DMARC record: somebody who wants no reports writes just that. If it ends inside a
// tag, or is not a record, it was cut.
func wholePolicy(got, rest string) bool {
	_, err := policy.ParseDMARC(got)
	return err == nil && (strings.HasPrefix(rest, ";") || strings.HasSuffix(strings.TrimSpace(got), ";"))
}

// minRecognisable is the number of equal octets of a value from which they are no
// coincidence.
const minRecognisable = 6

// quotingProblem recognises the right value with zone file or web form syntax around
// it.
func quotingProblem(e ExpectedRecord, got string) (dnsclient.Finding, bool) {
	want := e.Record.Value
	key := ""
	if isKey(want) {
		key = keyData(want)
	}
	if removeSpace(stripSyntax(got)) != removeSpace(want) && (key == "" || removeSpace(keyData(stripSyntax(got))) != key) {
		return dnsclient.Finding{}, false
	}
	trimmed := strings.TrimSpace(got)
	switch {
	case strings.HasPrefix(trimmed, "(") || strings.HasSuffix(trimmed, ")"):
		return finding(Parentheses, "the parentheses of a zone file are in the value", e.bareValueRemedy()), true
	case strings.ContainsAny(got, quotes) && !strings.Contains(want, `"`):
		return finding(Quotes, "quotation marks are in the value", e.bareValueRemedy()), true
	case strings.Contains(got, `\`) && !strings.Contains(want, `\`):
		return finding(Backslashes, "backslashes are in the value", e.bareValueRemedy()), true
	}
	if at := strings.IndexFunc(keyData(got), unicode.IsSpace); key != "" && at >= 0 {
		return finding(Space, fmt.Sprintf("white space is in the key, after %d of its %d characters", at, len(key)), e.bareValueRemedy()), true
	}
	return dnsclient.Finding{}, false
}

// classifyKey says what is wrong with the key in a record.
func classifyKey(e ExpectedRecord, got string) (dnsclient.Finding, bool) {
	want, _ := keygen.ParseRecord(e.Record.Value)
	has := removeSpace(keyData(stripSyntax(got)))
	switch {
	case has == "" && strings.Contains(removeSpace(got), "p="):
		return finding(Revoked, "the key is revoked there: p= is empty", e.replaceRemedy()), true
	case has == "":
		return dnsclient.Finding{}, false
	case len(has) < len(want.Public) && strings.HasPrefix(want.Public, has):
		return finding(Truncated, fmt.Sprintf("the key is cut after %d of %d characters", len(has), len(want.Public)), e.wholeValueRemedy()), true
	case has != want.Public && strings.EqualFold(has, want.Public):
		return finding(Case, "capitals became small letters or the reverse, which makes another key", e.bareValueRemedy()), true
	case has != want.Public && !(keygen.KeyRecord{KeyType: "rsa", Public: has}).SamePublic(want):
		return finding(OtherKey, e.keyOwner(has), e.replaceRemedy()), true
	}
	rec, err := keygen.ParseRecord(got)
	if err != nil {
		return finding(Damaged, "receivers do not read the record: "+strings.TrimPrefix(err.Error(), "key record: "), e.replaceRemedy()), true
	}
	return finding(Damaged, whyUnusable(rec, want), e.replaceRemedy()), true
}

// keyOwner says which of the domain's keys is in the place of the expected one.
func (e ExpectedRecord) keyOwner(public string) string {
	for _, selector := range slices.Sorted(maps.Keys(e.Keys)) {
		if e.Keys[selector] == public {
			return "the key of the selector " + selector + " is there"
		}
	}
	return "another key is there, so no signature of this server verifies"
}
