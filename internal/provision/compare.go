package provision

import (
	"strings"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/zonefile"
)

// Differences compares the confirmed plan, which has placeholders for keys, with the
// one to be applied. It puts the placeholders back into the latter and compares every
// octet; only private keys, which no plan shows, are not compared.
func Differences(confirmed, actual plan.Plan, made []dkimkeys.Pair) []string {
	known := strings.NewReplacer(append(placeholders(made), stamps(confirmed, actual)...)...)
	return plan.Differences(confirmed, actual, func(content []byte) []byte { return []byte(known.Replace(string(content))) })
}

// placeholders returns pairs of text that a made key brings into a file, and text that
// was there before. A record of several strings comes first, since the public key as a
// whole does not occur in it.
func placeholders(made []dkimkeys.Pair) []string {
	var pairs []string
	for _, n := range made {
		if n.Key.Pending() || n.Key.Public == "" {
			continue
		}
		pairs = append(pairs, recordData(n, n.Key.Public), recordData(n, keyring.Placeholder), n.Key.Public, keyring.Placeholder)
		if n.Key.Fingerprint != "" {
			pairs = append(pairs, n.Key.Fingerprint, "")
		}
	}
	return pairs
}

// recordData returns the data of a key record as our fragment has it.
func recordData(n dkimkeys.Pair, public string) string {
	k := n.Key
	k.Public = public
	r := k.Record(n.Domain, spec.DefaultTTL)
	_, data, _ := strings.Cut(string(zonefile.Text(n.Domain, []state.Record{r})), " IN TXT ")
	return data
}

// stamps returns pairs of the stamps of fragments that both plans write in the same
// place: that with keys, and that with placeholders.
func stamps(confirmed, actual plan.Plan) []string {
	var pairs []string
	for i := range min(len(confirmed.Stages), len(actual.Stages)) {
		a, b := confirmed.Stages[i].Changes, actual.Stages[i].Changes
		for j := range min(len(a), len(b)) {
			if a[j].Path != b[j].Path || a[j].Path.Dir() != dns.FragmentDir || b[j].After.Kind != state.Regular {
				continue
			}
			was, is := dns.FragmentStamp(a[j].After.Content), dns.FragmentStamp(b[j].After.Content)
			if was != is {
				pairs = append(pairs, includeMark+is, includeMark+was)
			}
		}
	}
	return pairs
}

// includeMark precedes the stamp in the $INCLUDE line of our fragment.
const includeMark = "; mailsetup "
