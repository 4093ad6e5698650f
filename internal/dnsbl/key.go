package dnsbl

import (
	"regexp"
	"slices"
	"strings"
)

// withKeys are what ends the zones of those who run lists for holders of a key:
// KEY.zen.dq.spamhaus.net, _email.KEY.hbl.dq.spamhaus.net, KEY.combined.mail.abusix.zone.
var withKeys = []string{".dq.spamhaus.net", ".mail.abusix.zone", ".df.uribl.com"}

// Shown is a zone without what may be a key, which is a secret.
func Shown(zone string) string {
	name, _ := hideKey(strings.ToLower(strings.TrimSuffix(zone, ".")))
	return name
}

// Shown is the zone without a key.
func (l List) Shown() string { return Shown(l.Zone) }

// hideKey returns a zone without what may be a key, and the labels that are not shown.
func hideKey(zone string) (name string, hidden []string) {
	if slices.ContainsFunc(known, func(l List) bool { return l.Zone == zone }) {
		return zone, nil
	}
	for _, end := range withKeys {
		if front, found := strings.CutSuffix(zone, end); found {
			labels := strings.Split(front, ".")
			last := len(labels) - 1 // the list itself, if a key stands in front of it
			if last == 0 && mayBeKey(labels[0]) {
				return end[1:], labels
			}
			return labels[last] + end, labels[:last]
		}
	}
	labels := strings.Split(zone, ".")
	for i := range max(0, len(labels)-2) { // the last two are whose list it is
		if mayBeKey(labels[i]) {
			hidden = append(hidden, labels[i])
			labels[i] = "KEY"
		}
	}
	return strings.Join(labels, "."), hidden
}

// mayBeKey reports whether a label is not evidently a word: it is long, or has letters
// and digits in turn, or no vowel.
func mayBeKey(label string) bool {
	return len(label) >= 16 ||
		len(label) >= 8 && (strings.ContainsAny(label, "0123456789") || !strings.ContainsAny(label, "aeiouy"))
}

// WithoutKey takes the key out of a text, however it is written there.
func (l List) WithoutKey(text string) string {
	name, hidden := hideKey(l.Zone)
	if len(hidden) == 0 {
		return text
	}
	text = replaceFold(text, l.Zone, name)
	for _, label := range hidden {
		if len(label) > 5 { // else it may be a word of the text
			text = replaceFold(text, label, "KEY")
		}
	}
	return text
}

// replaceFold replaces each old, in capitals or not.
func replaceFold(text, old, by string) string {
	return regexp.MustCompile("(?i)"+regexp.QuoteMeta(old)).ReplaceAllLiteralString(text, by)
}
